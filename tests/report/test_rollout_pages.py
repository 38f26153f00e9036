import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longloom.report import rollout_pages
from longloom.report.rollout_pages import (
    document_segments,
    embed_json,
    rollouts_payload,
    spread,
)
from longloom.report.rollout_records import ROLLOUT_SCHEMA, rollout_record
from longloom.runlog import RecordWriter

TEXTS = st.text(min_size=1, max_size=60)


@st.composite
def marked_texts(draw: st.DrawFn) -> tuple[str, list[tuple[int, int]]]:
    text = draw(TEXTS)
    starts = draw(st.lists(st.integers(0, len(text) - 1), max_size=4))
    return text, [(start, draw(st.integers(start + 1, len(text)))) for start in starts]


def payload_of(path: Path, *records: dict[str, object]) -> dict:
    with RecordWriter(path, schema=ROLLOUT_SCHEMA) as writer:
        for record in records:
            writer.append(record)
    return json.loads(rollouts_payload([(path, 0)]))


@given(marked_texts())
def test_segments_joined_are_the_text_and_mark_exactly_the_evidence(
    marked: tuple[str, list[tuple[int, int]]],
) -> None:
    text, evidence = marked
    segments = document_segments(text, evidence, max_characters=100)
    assert "".join(piece for _, piece in segments) == text
    kinds = "".join(kind[0] * len(piece) for kind, piece in segments)
    expected = ["p"] * len(text)
    for start, end in evidence:
        expected[start:end] = "e" * (end - start)
    assert kinds == "".join(expected)


@given(marked_texts(), st.integers(2, 30))
def test_long_text_keeps_all_evidence_and_counts_what_it_leaves_out(
    marked: tuple[str, list[tuple[int, int]]], max_characters: int
) -> None:
    text, evidence = marked
    segments = document_segments(text, evidence, max_characters=max_characters)
    num_shown = sum(len(piece) for kind, piece in segments if kind != "cut")
    num_cut = sum(int(piece) for kind, piece in segments if kind == "cut")
    assert num_shown + num_cut == len(text)
    marked_positions = {position for start, end in evidence for position in range(start, end)}
    num_marked = sum(len(piece) for kind, piece in segments if kind == "evidence")
    assert num_marked == len(marked_positions)


def test_characters_outside_the_basic_plane_do_not_shift_the_marks() -> None:
    text = "\N{GRINNING FACE}\N{GRINNING FACE} module a b"
    segments = document_segments(text, [(3, 9)], max_characters=100)
    assert segments == [
        ("plain", "\N{GRINNING FACE}\N{GRINNING FACE} "),
        ("evidence", "module"),
        ("plain", " a b"),
    ]


@given(st.dictionaries(st.text(), st.text() | st.floats(allow_nan=False, allow_infinity=False)))
def test_embedded_json_is_inert_and_reads_back(value: dict[str, object]) -> None:
    text = embed_json(value)
    assert text.isascii()
    assert not set("<>&") & set(text)
    assert "://" not in text  # an address in a document is no address of the page
    assert json.loads(text) == value


def test_spread_takes_first_and_last_of_every_stage_and_task_before_the_middle() -> None:
    keys = [
        (stage, task, step, index)
        for index, (stage, task, step) in enumerate(
            (stage, task, step)
            for stage in ("one", "two")
            for task in ("a", "b")
            for step in range(10)
        )
    ]
    chosen = spread(keys, 8)
    assert sorted(key[:3] for key in chosen) == [
        (stage, task, step) for stage in ("one", "two") for task in ("a", "b") for step in (0, 9)
    ]
    assert [key[2] for key in chosen] == sorted(key[2] for key in chosen)
    assert len(spread(keys, 60)) == len(keys)
    assert spread([], 5) == []


def test_thinking_and_answer_are_apart(tmp_path: Path, group_maker, turn_maker) -> None:
    turns = (turn_maker("ask", "<think>base a b</think>\n\nTherefore, the answer is b"),)
    page = payload_of(tmp_path / "r.jsonl", rollout_record(1, "s", *group_maker(turns)))
    (turn,) = page["groups"][0]["rollouts"][0]["turns"]
    assert turn["thinking"] == "base a b"
    assert turn["text"] == "Therefore, the answer is b"
    assert turn["has_thought"]
    assert page["groups"][0]["sections"] == []


def test_unclosed_thinking_is_shown_as_thinking(tmp_path: Path, group_maker, turn_maker) -> None:
    record = rollout_record(1, "s", *group_maker((turn_maker("ask", "base a base"),)))
    (turn,) = payload_of(tmp_path / "r.jsonl", record)["groups"][0]["rollouts"][0]["turns"]
    assert (turn["thinking"], turn["text"], turn["has_thought"]) == ("base a base", "", False)


def test_memory_turns_show_what_the_agent_kept(tmp_path: Path, group_maker, turn_maker) -> None:
    turns = (
        turn_maker("<section>\none\n</section>", "x</think><memory>a b</memory><plan>c</plan>"),
        turn_maker("<section>\ntwo\n</section>", "no idea"),
        turn_maker("ask", "</think>Therefore, the answer is b"),
    )
    record = rollout_record(1, "memory", *group_maker(turns))
    (group,) = payload_of(tmp_path / "r.jsonl", record)["groups"]
    assert group["sections"] == ["one", "two"]
    first, second, answer = group["rollouts"][0]["turns"]
    assert (first["memory"], first["plan"], first["is_usable"]) == ("a b", "c", True)
    assert (second["memory"], second["plan"], second["is_usable"]) == ("a b", "c", False)
    assert "memory" not in answer


def test_failed_memory_rollout_has_no_answer_turn(tmp_path: Path, group_maker, turn_maker) -> None:
    turns = (turn_maker("<section>one</section>", "</think><memory>a</memory>"),)
    record = rollout_record(1, "memory", *group_maker(turns, error="window is full"))
    (rollout,) = payload_of(tmp_path / "r.jsonl", record)["groups"][0]["rollouts"]
    assert rollout["error"] == "window is full"
    assert rollout["turns"][0]["memory"] == "a"


def test_large_texts_are_shortened_until_the_page_is_small(
    tmp_path: Path, group_maker, turn_maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollout_pages, "MAX_PAYLOAD_CHARACTERS", 40_000)
    turns = (turn_maker("ask", "x" * 20_000 + "</think>" + "y" * 20_000),)
    evidence = ((30_000, 30_005),)
    group = group_maker(turns, text="a" * 50_000, evidence=evidence)
    records = [rollout_record(step, "s", *group) for step in range(12)]
    path = tmp_path / "r.jsonl"
    page = payload_of(path, *records)
    assert len(rollouts_payload([(path, 0)])) <= 40_000
    assert page["num_logged"] == 12
    assert len(page["groups"]) >= 1
    document = page["groups"][0]["document"]
    assert ["evidence", "aaaaa"] in document
    assert "characters left out" in page["groups"][0]["rollouts"][0]["turns"][0]["text"]


def test_missing_file_has_no_groups(tmp_path: Path) -> None:
    assert json.loads(rollouts_payload([])) == {"num_logged": 0, "groups": []}
