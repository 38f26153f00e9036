"""Pages of wrong answers: what is on them, paging, texts that are gone."""

import json
import re
from pathlib import Path

from evaluation_folder import benchmark, evaluation, question, scored, write_evaluation
from longloom.errors import DataError
from longloom.evaluation.questions import Asked
from longloom.report import write_evaluation_report
from longloom.report.wrong_pages import file_stem

CONTEXT = "x " * 3_000 + "In London Ada Lovelace lived." + " y" * 3_000


def names_of(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "wrong_answers").glob("*"))


def listed(folder: Path, stem: str = "frames") -> dict:
    page = (folder / "wrong_answers" / f"{stem}.html").read_text("utf-8")
    match = re.search(r'id="list-json">(.*?)</script>', page, flags=re.DOTALL)
    assert match
    return json.loads(match.group(1))


def report(folder: Path, *questions, asked_of=None, replies=None, name="frames", **fields) -> Path:
    results = evaluation(benchmark(questions, name, **fields))
    write_evaluation_report(write_evaluation(folder, results, replies), asked_of)
    return folder


def test_only_wrong_or_disputed_answers_are_shown(tmp_path: Path) -> None:
    folder = report(
        tmp_path,
        question(0, 1),
        question(1, 0),
        question(2, scored(1.0, parity=0.0)),
        question(3, 0.5),
        question(4, 1, 1, 0),
    )
    assert [row[2] for row in listed(folder)["rows"]] == ["q1", "q2", "q3", "q4"]
    page = (folder / "wrong_answers" / "frames--1.html").read_text("utf-8")
    assert re.findall(r'id="q(\d+)"', page) == ["1", "2", "3", "4"]
    assert "2 of 3 answers are right." in page
    assert "Answer 3 of 3" in page


def test_a_run_without_wrong_answers_has_no_pages(tmp_path: Path) -> None:
    folder = report(tmp_path, question(0, 1))
    assert names_of(folder) == []
    assert "Browse" not in (folder / "report.html").read_text("utf-8")


def test_a_hundred_and_twenty_questions_take_three_pages(tmp_path: Path) -> None:
    folder = report(tmp_path, *(question(number, 0) for number in range(120)))
    assert names_of(folder) == ["frames--1.html", "frames--2.html", "frames--3.html", "frames.html"]
    counts = [
        (folder / "wrong_answers" / f"frames--{page}.html").read_text("utf-8").count("<article")
        for page in (1, 2, 3)
    ]
    assert counts == [50, 50, 20]
    rows = listed(folder)["rows"]
    assert [(row[0], row[1]) for row in (rows[0], rows[49], rows[50], rows[119])] == [
        (1, 1),
        (50, 1),
        (51, 2),
        (120, 3),
    ]
    middle = (folder / "wrong_answers" / "frames--2.html").read_text("utf-8")
    assert 'rel="prev" href="frames--1.html"' in middle
    assert 'rel="next" href="frames--3.html"' in middle
    assert 'id="q51"' in middle


def test_pages_of_a_longer_report_are_removed_and_other_files_stay(tmp_path: Path) -> None:
    report(tmp_path, *(question(number, 0) for number in range(60)))
    (tmp_path / "wrong_answers" / "notes.txt").write_text("mine")
    (tmp_path / "answers.jsonl").unlink()
    report(tmp_path, question(0, 0))
    assert names_of(tmp_path) == ["frames--1.html", "frames.html", "notes.txt"]


def test_question_evidence_and_reply_are_shown_where_the_text_is_at_hand(tmp_path: Path) -> None:
    folder = report(
        tmp_path,
        question(0, scored(0.0, extracted="Byron", verdict="no", finish_reason="length")),
        asked_of=lambda name, key: Asked(context=CONTEXT, query=f"Who, {name} {key}?"),
        replies={("frames", "q0"): "<think>Perhaps Byron.</think>It was <b>Byron</b>."},
    )
    page = (folder / "wrong_answers" / "frames--1.html").read_text("utf-8")
    assert "Who, frames q0?" in page
    assert "<mark>Ada Lovelace</mark>" in page
    assert "It was &lt;b&gt;Byron&lt;/b&gt;." in page
    assert page.index("Perhaps Byron.") < page.index("It was")
    assert "judge: no" in page
    assert "cut at its limit" in page
    assert "50%" in page  # the depth of the excerpt
    assert len(page) < 40_000  # the context is not in it
    assert listed(folder)["rows"][0][3:6] == ["Who, frames q0?", "Ada Lovelace", "Byron"]


def test_a_text_or_a_reply_that_is_gone_is_said(tmp_path: Path) -> None:
    def gone(name: str, key: str) -> Asked | None:
        if key == "q1":
            raise DataError("the file is another one")
        return None

    folder = report(tmp_path, question(0, 0), question(1, 0), asked_of=gone)
    page = (folder / "wrong_answers" / "frames--1.html").read_text("utf-8")
    assert page.count("The text of this question is not at hand") == 2
    (folder / "answers.jsonl").unlink()
    write_evaluation_report(folder)
    page = (folder / "wrong_answers" / "frames--1.html").read_text("utf-8")
    assert page.count("The reply is not at hand") == 2


def test_long_replies_are_cut_and_say_so(tmp_path: Path) -> None:
    text = "a" * 10_000 + "MIDDLE" + "b" * 10_000
    folder = report(
        tmp_path,
        question(0, scored(0.0, extracted="c" * 3_000), golds=tuple(f"g{n}" for n in range(20))),
        replies={("frames", "q0"): text},
    )
    page = (folder / "wrong_answers" / "frames--1.html").read_text("utf-8")
    assert "[... 16,006 characters left out ...]" in page
    assert "MIDDLE" not in page
    assert "20,006 characters" in page
    assert "1,000 characters more" in page
    assert "and 8 more" in page


def test_many_samples_are_counted_rather_than_shown(tmp_path: Path) -> None:
    folder = report(tmp_path, question(0, *[0.0] * 30, 1.0, 1.0))
    page = (folder / "wrong_answers" / "frames--1.html").read_text("utf-8")
    assert page.count('class="answered"') == 4
    assert "26 more wrong or disputed answers are not shown." in page
    assert "2 of 32 answers are right." in page


def test_unfinished_thinking_is_reasoning(tmp_path: Path) -> None:
    folder = report(
        tmp_path,
        question(0, scored(0.0, failure="unfinished_thinking")),
        replies={("frames", "q0"): "<think>and so on"},
    )
    page = (folder / "wrong_answers" / "frames--1.html").read_text("utf-8")
    assert '<div class="code thinking">and so on</div>' in page
    assert "unfinished thinking" in page
    assert listed(folder)["rows"][0][8] == ["unfinished_thinking"]


def test_names_of_files_are_safe_and_apart(tmp_path: Path) -> None:
    assert file_stem("../..//etc") == "etc"
    assert file_stem("a--b c") == "a-b-c"
    assert file_stem("...") == "benchmark"
    names = ("my set", "my/set", "MY SET", "mrcr", "mrcr-1m")
    results = evaluation(*(benchmark([question(0, 0)], name) for name in names))
    write_evaluation_report(write_evaluation(tmp_path, results))
    assert len(names_of(tmp_path)) == 10
    assert len({name.lower() for name in names_of(tmp_path)}) == 10
