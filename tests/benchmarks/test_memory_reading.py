"""The reading benchmark runs at toy size, in processes without torch."""

import json

import memory_reading
import pytest


@pytest.fixture
def documents(tmp_path):
    folder = tmp_path / "documents"
    (folder / "inner").mkdir(parents=True)
    (folder / "a.txt").write_text("A line of words.\n\n" * 400, "utf-8")
    (folder / "inner" / "b.md").write_text("- a </memory> tag\n" * 400, "utf-8")
    (folder / "c.bin").write_bytes(b"\xff\xfe")
    return folder


def test_every_section_is_shown_once_with_and_without_a_journal(documents):
    given = ["--tokens", "9000", "--case", "2K sections", "--documents", str(documents)]
    result = memory_reading.main(given)
    assert result["text"]["num_files"] == 2
    cases = result["cases"]
    assert set(cases) == {"2K sections", "2K sections, journal", "2K sections, read before"}
    for name, figures in cases.items():
        is_full = name.endswith("read before")
        assert figures["shown_to_the_model"] == (
            "nothing, all was read before" if is_full else "every section once"
        )
        assert not figures["has_torch"]
        assert figures["num_steps"] == figures["num_sections"] >= 5
        assert figures["step_cpu_ms"] > 0


def test_a_text_is_as_long_as_it_is_asked_for(documents, tmp_path):
    target = tmp_path / "text.txt"
    made_of = memory_reading.write_text([documents], 20_000, target)
    assert 20_000 <= made_of["num_tokens_by_estimate"] < 26_000
    assert made_of["num_characters"] == len(target.read_text("utf-8"))


def test_folders_without_texts_are_refused(tmp_path):
    with pytest.raises(SystemExit, match="no text files"):
        memory_reading.write_text([tmp_path], 10, tmp_path / "text.txt")


def test_a_part_is_not_written():
    with pytest.raises(SystemExit):
        memory_reading.main(["--tokens", "10", "--write"])


def test_kept_figures_are_within_the_targets():
    kept = json.loads(memory_reading.RESULT.read_text("utf-8"))
    assert set(kept["cases"]) == {case.name for case in memory_reading.CASES}
    for name, figures in kept["cases"].items():
        assert not figures["has_torch"]
        assert figures["num_steps"] == figures["num_sections"]
        assert figures["step_cpu_ms"] < memory_reading.TARGETS["step_ms"], name
        assert figures["peak_mb"] < memory_reading.TARGETS["peak_mb"], name
