"""`longloom import` writes what the other verbs read."""

from longloom.synthesis.storage import read_examples
from synthesis.published.verl_file import row, rows, write_lines, write_parquet
from tiny_folder import TINY_TRAINING


def _sets(*overrides: str) -> list[str]:
    return [word for override in overrides for word in ("--set", override)]


def _with_short_prompts(content: list[dict]) -> list[dict]:
    """Return a question of every row on a document of a few words: the model is tiny."""
    short = "<text>\nA is 25.\n</text>\n\nWhat is A?"
    return [row(entry["data_source"], short, "the answer is B") for entry in content]


def test_a_published_file_is_imported_and_verified(longloom, tmp_path) -> None:
    write_parquet(tmp_path / "set.parquet")
    shown = longloom("import", "set.parquet", "-o", "set", "--licence", "Apache-2.0")
    assert shown.code == 0, shown.err
    assert "5 questions on 3 contexts, without programs\nexamples: set\n" in shown.out
    names = sorted(path.name for path in (tmp_path / "set").iterdir())
    assert names == ["contexts.parquet", "data_card.md", "examples.parquet", "summary.json"]
    verified = longloom("synthesize", "--verify", "set")
    assert verified.code == 0, verified.err
    assert "5 imported examples have no program to execute" in verified.out


def test_training_evaluation_and_export_read_the_imported_folder(longloom, parts, tmp_path) -> None:
    write_parquet(tmp_path / "set.parquet", _with_short_prompts(rows()))
    assert longloom("import", "set.parquet", "-o", "set", "--model", parts.model).code == 0
    overrides = _sets(*TINY_TRAINING, "training.max_prompt_tokens=400")
    trained = longloom("train", "set", "-o", "t", "--model", parts.model, *overrides)
    assert trained.code == 0, trained.err
    assert (tmp_path / "t/checkpoints/stage-1/final/model.safetensors").is_file()
    options = ("--split", "train", *_sets("asking.max_prompt_tokens=400"))
    evaluated = longloom("evaluate", "set", "--model", parts.model, "-o", "scores", *options)
    assert evaluated.code == 0, evaluated.err
    assert len((tmp_path / "scores/scores.jsonl").read_text("utf-8").splitlines()) == 1 + 5
    exported = longloom("export", "set", "-o", "again.jsonl", "--for", "jsonl")
    assert exported.code == 0, exported.err


def test_a_row_that_cannot_be_used_ends_the_import_without_a_folder(longloom, tmp_path) -> None:
    bad = {**rows()[0], "data_source": "unheard_of"}
    write_lines(tmp_path / "set.jsonl", [rows()[1], bad])
    shown = longloom("import", "set.jsonl", "-o", "set")
    assert shown.code == 2
    assert "set.jsonl, row 1, column data_source: 'unheard_of'; expected one of" in shown.err
    assert not (tmp_path / "set").exists()
    kept = longloom("import", "set.jsonl", "-o", "set", "--keep-usable")
    assert kept.code == 0, kept.err
    assert "left out: set.jsonl, row 1" in kept.out
    assert len(read_examples(tmp_path / "set")[0]) == 1


def test_an_unknown_split_and_a_taken_folder_are_refused(longloom, tmp_path) -> None:
    write_parquet(tmp_path / "set.parquet")
    assert "expected one of" in longloom("import", "set.parquet", "-o", "a", "--split", "x").err
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/file").write_text("kept")
    assert longloom("import", "set.parquet", "-o", "taken").code == 2
    assert (tmp_path / "taken/file").read_text() == "kept"
