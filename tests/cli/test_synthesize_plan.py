"""`longloom synthesize --dry-run`."""


def test_dry_run_prints_settings_and_plan_and_touches_nothing(longloom, tmp_path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/a.txt").write_text("A note about nothing.", "utf-8")
    before = sorted(tmp_path.rglob("*"))
    shown = longloom(
        *("synthesize", "notes", "-o", "made", "--dry-run", "--num-examples", 50),
        *("--endpoint", "http://127.0.0.1:9/v1", "--model-name", "small"),
    )
    assert (shown.code, shown.err) == (0, "")
    assert "num_examples: 50" in shown.out
    assert "files: 1 (21 bytes) in 1 shards" in shown.out
    assert "http://127.0.0.1:9/v1/chat/completions, model small (this machine)" in shown.out
    assert "together: at most about" in shown.out
    assert sorted(tmp_path.rglob("*")) == before


def test_dry_run_without_an_endpoint_says_what_is_left_out(longloom, tmp_path) -> None:
    (tmp_path / "a.txt").write_text("A note about nothing.", "utf-8")
    shown = longloom("synthesize", "a.txt", "-o", "made", "--dry-run")
    assert shown.code == 0
    assert "without --endpoint: no causal, free hypothetical and viewpoint questions" in shown.out
