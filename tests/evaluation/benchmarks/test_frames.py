"""FRAMES: title and text of the articles, or closed book without them."""

from pathlib import Path

import pytest

from longloom.errors import DataError
from longloom.evaluation.benchmark import ReadSettings
from longloom.evaluation.benchmarks.frames import BENCHMARK
from official_files import FRAMES_ROWS, WRITERS, write_json_lines

SETTINGS = ReadSettings(count_tokens=len)
QUESTION = "In which year did the builder of the Long Bridge die?"
FORM = 'Format your response as follows: "Therefore, the answer is (insert answer here)".'


def test_articles_are_joined_as_in_qwenlong_l1(tmp_path: Path) -> None:
    WRITERS["frames"](tmp_path)
    found = BENCHMARK.read(tmp_path, SETTINGS)
    (question,) = found.questions
    assert found.ask(question).message == (
        "Please read the following text and answer the question below.\n\n<text>\n"
        "Long Bridge\nThe Long Bridge was built by Ann Bell.\n"
        "Ann Bell\nAnn Bell (1802-1871) built bridges.\n</text>\n\n"
        f"{QUESTION}\n\n{FORM}"
    )
    assert (question.question_id, question.golds) == ("frames-0", ("1871",))
    assert question.facets == {"reasoning": "Multiple constraints", "articles": "2"}
    assert found.notes == ("questions here: 1; officially: 824",)


def test_file_without_articles_is_asked_closed_book_and_says_so(tmp_path: Path) -> None:
    row = FRAMES_ROWS[0]
    (tmp_path / "test.tsv").write_text(
        "\tPrompt\tAnswer\treasoning_types\twiki_links\n"
        f"0\t{row['Prompt']}\t{row['Answer']}\t{row['reasoning_types']}\t{row['wiki_links']}\n"
    )
    found = BENCHMARK.read(tmp_path, SETTINGS)
    (question,) = found.questions
    asked = found.ask(question)
    assert (asked.context, asked.message) == ("", f"{QUESTION}\n\n{FORM}")
    assert question.facets["articles"] == "2"
    assert "closed book" in found.notes[0]


def test_articles_are_preferred_and_many_are_one_class(tmp_path: Path) -> None:
    (tmp_path / "test.tsv").write_text("Prompt\tAnswer\n")
    items = FRAMES_ROWS[0]["wiki_items"] * 3
    write_json_lines(tmp_path / "test.jsonl", [FRAMES_ROWS[0] | {"wiki_items": items}])
    (question,) = BENCHMARK.read(tmp_path, SETTINGS).questions
    assert question.facets["articles"] == "5 or more"


def test_scores_of_a_right_and_a_wrong_answer(tmp_path: Path) -> None:
    WRITERS["frames"](tmp_path)
    (question,) = BENCHMARK.read(tmp_path, SETTINGS).questions
    right = BENCHMARK.score(question, "Therefore, the answer is in 1871.")
    wrong = BENCHMARK.score(question, "Therefore, the answer is 1802.")
    assert (right.parity, right.strict, wrong.parity, wrong.strict) == (1.0, 1.0, 0.0, 0.0)


def test_damaged_article_is_refused(tmp_path: Path) -> None:
    path = write_json_lines(
        tmp_path / "test.jsonl", [FRAMES_ROWS[0] | {"wiki_items": [{"title": "A"}]}]
    )
    with pytest.raises(DataError, match="field 'text' is missing") as caught:
        BENCHMARK.read(tmp_path, SETTINGS)
    assert f"{path}, byte 0" in str(caught.value)
