"""Published rows become examples; what cannot be used is refused with row, column and value."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from longloom.errors import DataError
from longloom.records import RewardRule, Split, TaskType
from longloom.rewards.hybrid import rule_reward
from longloom.synthesis.export import export_examples
from longloom.synthesis.published import PublishedSet, import_published, read_published
from longloom.synthesis.published.prompts import QUESTION_IN_TEXT
from longloom.synthesis.storage import read_examples
from longloom.synthesis.verification import verify_folder
from longloom.text.token_counts import load_counter
from synthesis.published.verl_file import (
    CHOICES,
    LEDGER,
    STATUTE,
    TOWNS,
    prompt,
    row,
    rows,
    write_lines,
    write_parquet,
)


def _read(path: Path, **options: object) -> PublishedSet:
    return read_published(path, load_counter("estimate"), **options)


def _truth(value: object) -> dict[str, object]:
    return {"reward_model": {"style": "rule", "ground_truth": value}}


def test_sources_become_tasks_with_their_reward_rules(tmp_path: Path) -> None:
    found = _read(write_parquet(tmp_path / "set.parquet"))
    assert [
        (example.task_type, example.reward_rule, example.answer) for example in found.examples
    ] == [
        (TaskType.NUMERICAL, RewardRule.NUMERIC, "25.0"),
        (TaskType.MULTIPLE_CHOICE, RewardRule.CHOICE, "B"),
        (TaskType.MULTI_HOP, RewardRule.COVER_EXACT_MATCH, "Lake Mirr"),
        (TaskType.MULTI_HOP, RewardRule.COVER_EXACT_MATCH, "Yes"),
        (TaskType.NUMERICAL, RewardRule.NUMERIC, "25.0"),
    ]
    assert [example.ability for example in found.examples][:2] == ["doc-math", "doc-mc"]
    assert {example.num_hops for example in found.examples} == {2}
    assert {example.split for example in found.examples} == {Split.TRAIN}


def test_prompts_are_taken_apart_and_documents_shared(tmp_path: Path) -> None:
    found = _read(write_parquet(tmp_path / "set.parquet"))
    texts = [found.contexts[example.context_id].text for example in found.examples]
    assert texts == [LEDGER, STATUTE, TOWNS, TOWNS, LEDGER]
    assert len(found.contexts) == 3
    assert found.examples[1].question == CHOICES
    assert found.num_whole == 0


def test_a_question_asked_twice_has_two_ids(tmp_path: Path) -> None:
    found = _read(write_parquet(tmp_path / "set.parquet"))
    assert found.examples[0].question == found.examples[4].question
    assert len({example.example_id for example in found.examples}) == 5


@pytest.mark.parametrize(
    "content",
    [
        "Elm lies on the Ode. On what does Elm lie?",
        "</text> before <text>, and nothing after",
        "<text>\nElm lies on the Ode.\n</text>",
        "<text>\n\n</text>\n\nOn what does Elm lie?",
        '<text>Elm</text> Format your response as follows: "..."',
    ],
)
def test_a_prompt_of_unknown_form_stays_whole(tmp_path: Path, content: str) -> None:
    path = write_parquet(tmp_path / "set.parquet", [row("musique", content, "the Ode")])
    found = _read(path)
    assert found.num_whole == 1
    assert found.examples[0].question == QUESTION_IN_TEXT
    assert found.contexts[found.examples[0].context_id].text == content


@pytest.mark.parametrize(
    ("source", "truth", "answer"),
    [
        ("docmath", "So the answer is 3; no, **the answer is -1,204.5%**.", "-1,204.5%"),
        ("docmath", "0.25", "0.25"),
        ("long_toc_choices", "The correct answer is B.", "B"),
        ("long_toc_choices", "(C) a month", "C"),
        ("long_toc_choices_0_20000", "Therefore, the answer is: D", "D"),
        ("musique_0_20000", "Therefore, the answer is St. Mirr.", "St. Mirr"),
        ("reading_comprehension", "She says the answer is no.", "She says the answer is no."),
    ],
)
def test_the_answer_is_taken_out_of_its_sentence(
    tmp_path: Path, source: str, truth: str, answer: str
) -> None:
    path = write_parquet(tmp_path / "set.parquet", [row(source, prompt(TOWNS, "What?"), truth)])
    assert _read(path).examples[0].answer == answer


def test_right_responses_are_rewarded_and_wrong_ones_are_not(tmp_path: Path) -> None:
    for example in _read(write_parquet(tmp_path / "set.parquet")).examples:
        stem = "</think>Therefore, the answer is"
        assert rule_reward(example, f"{stem} {example.answer}.").value == 1
        assert rule_reward(example, f"{stem} (C) 17 other things.").value == 0


@pytest.mark.parametrize(
    ("changes", "column"),
    [
        ({"data_source": "docmathematics"}, "data_source"),
        ({"data_source": ["docmath"]}, "data_source"),
        ({"data_source": None}, "data_source"),
        ({"prompt": "What?"}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": [{"role": "user"}]}, "prompt.content"),
        ({"prompt": [{"role": "user", "content": 7}]}, "prompt.content"),
        ({"prompt": [{"role": "user", "content": "a \ud800 b"}]}, "prompt.content"),
        ({"prompt": [{"role": "assistant", "content": "Hello"}]}, "prompt"),
        (
            {"prompt": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]},
            "prompt",
        ),
        ({"prompt": [None]}, "prompt"),
        ({"reward_model": "rule"}, "reward_model"),
        (_truth(25), "reward_model.ground_truth"),
        (_truth(["25", "25.0"]), "reward_model.ground_truth"),
        (_truth(""), "reward_model.ground_truth"),
        (_truth("Therefore, the answer is ."), "reward_model.ground_truth"),
        (_truth("7" * 1_000_000), "reward_model.ground_truth"),
        ({"data_source": "long_toc_choices"}, "reward_model.ground_truth"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(tmp_path: Path, changes: dict, column: str) -> None:
    bad = {**rows()[0], **changes}
    path = write_lines(tmp_path / "set.jsonl", [rows()[2], bad])
    with pytest.raises(DataError, match=rf"set\.jsonl, row 1, column {column}: ") as refusal:
        _read(path)
    assert len(str(refusal.value)) < 500
    found = _read(path, keeps_usable=True)
    assert (len(found.examples), len(found.refused)) == (1, 1)


@pytest.mark.parametrize("line", ["{", "7", '"docmath"', "[" * 100_000, "null"])
def test_a_line_that_is_no_row_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(f"{json.dumps(rows()[0])}\n\n{line}\n", "utf-8")
    with pytest.raises(DataError, match=r"row 1, column all: "):
        _read(path)


@pytest.mark.parametrize("extra", [None, "text", [1], {"reasoning_hop": "many", "split": 3}])
def test_odd_extra_information_is_no_reason_to_refuse(tmp_path: Path, extra: object) -> None:
    path = write_lines(tmp_path / "set.jsonl", [{**rows()[0], "extra_info": extra, "ability": 5}])
    example = _read(path).examples[0]
    assert (example.num_hops, example.split, example.ability) == (1, Split.TRAIN, "numerical")


def test_a_column_that_is_missing_is_named(tmp_path: Path) -> None:
    table = pa.Table.from_pylist(rows()).drop_columns(["reward_model"])
    pq.write_table(table, tmp_path / "set.parquet")
    with pytest.raises(DataError, match="has no column reward_model"):
        _read(tmp_path / "set.parquet")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("set.parquet", b"PAR1 but not really PAR1"),
        ("set.parquet", b""),
        ("set.jsonl", b"\xff\xfe\x00"),
        ("set.jsonl", b""),
    ],
)
def test_a_broken_file_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=name):
        _read(tmp_path / name, keeps_usable=True)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    whole = write_parquet(tmp_path / "whole.parquet").read_bytes()
    (tmp_path / "set.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="not readable Parquet"):
        _read(tmp_path / "set.parquet")


@pytest.mark.parametrize(
    ("stated", "wanted", "split"),
    [
        ("test", None, Split.HELD_OUT),
        ("train", None, Split.TRAIN),
        ("test", Split.TRAIN, Split.TRAIN),
        ("", Split.HELD_OUT, Split.HELD_OUT),
    ],
)
def test_the_split_is_the_one_asked_for_or_stated(
    tmp_path: Path, stated: str, wanted: Split | None, split: Split
) -> None:
    path = write_lines(tmp_path / "s.jsonl", [{**rows()[0], "extra_info": {"split": stated}}])
    assert _read(path, split=wanted).examples[0].split is split


def test_the_written_folder_reads_back_and_says_what_it_is(tmp_path: Path) -> None:
    source = write_parquet(tmp_path / "set.parquet")
    folder = tmp_path / "set"
    folder.mkdir()
    found = import_published(source, folder, counter_name="estimate", licence="Apache-2.0")
    examples, contexts = read_examples(folder)
    assert examples == found.examples
    assert contexts == found.contexts
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["num_examples"], summary["num_without_program"]) == (5, 5)
    assert summary["by_task"] == {"numerical": 2, "multi_hop": 2, "multiple_choice": 1}
    card = (folder / "data_card.md").read_text()
    assert "no question has a program" in card
    assert "| Apache-2.0 | 5 |" in card


def test_verification_counts_what_has_no_program_apart(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    import_published(write_parquet(tmp_path / "s.parquet"), folder, counter_name="estimate")
    report = verify_folder(folder)
    assert (report.num_examples, report.num_without_program, report.findings) == (0, 5, ())


@pytest.mark.parametrize("template", ["plain", "l1"])
def test_what_was_exported_is_imported_with_the_same_questions(
    tmp_path: Path, template: str
) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    first = import_published(write_parquet(tmp_path / "s.parquet"), folder, counter_name="estimate")
    export_examples(folder, tmp_path / "again.parquet", "verl", template=template)
    again = _read(tmp_path / "again.parquet")
    assert [
        (example.context_id, example.question, example.answer, example.reward_rule)
        for example in again.examples
    ] == [
        (example.context_id, example.question, example.answer, example.reward_rule)
        for example in first.examples
    ]
