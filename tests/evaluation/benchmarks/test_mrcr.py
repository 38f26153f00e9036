"""MRCR: the chat as it is, the wanted reply found in it, three sets by length."""

import difflib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from longloom.errors import DataError
from longloom.evaluation.benchmark import ReadSettings
from longloom.evaluation.benchmarks.catalogue import BENCHMARKS
from longloom.evaluation.benchmarks.mrcr import estimated_tokens
from longloom.evaluation.questions import QuestionSet
from official_files import TAPIR_CHAT, WRITERS, mrcr_row, write_json_lines

WORDS = ReadSettings(count_tokens=lambda text: len(text.split()))


def read(folder: Path, name: str = "mrcr") -> QuestionSet:
    """Read one of the sets, counting words as tokens."""
    return BENCHMARKS[name].read(folder, WORDS)


def test_chat_is_sent_as_it_is_and_readable_as_text(tmp_path: Path) -> None:
    WRITERS["mrcr"](tmp_path)
    found = read(tmp_path)
    asked = found.ask(found.questions[0])
    assert [(message.role, message.content) for message in asked.history] == [
        (message["role"], message["content"]) for message in TAPIR_CHAT[:-1]
    ]
    assert asked.is_chat
    assert asked.message == asked.query == TAPIR_CHAT[-1]["content"]
    assert asked.context == (
        "User: Here are examples of such conversations.\n\n"
        "User: write a poem about tapirs\n\nAssistant: Tapirs wade where rivers bend.\n\n"
        "User: write a riddle about clouds\n\nAssistant: I weep and have no eyes.\n\n"
        "User: write a poem about tapirs\n\nAssistant: A tapir dreams of mango rain."
    )


def test_wanted_reply_is_evidence_with_its_depth(tmp_path: Path) -> None:
    WRITERS["mrcr"](tmp_path)
    found = read(tmp_path)
    (question, *_) = found.questions
    asked = found.ask(question)
    assert [asked.context[start:end] for start, end in asked.evidence] == [
        "A tapir dreams of mango rain."
    ]
    assert question.depths == (asked.evidence[0][0] / len(asked.context),)
    assert [q.facets for q in found.questions] == [
        {"needles": needles, "length": "0-8K"} for needles in "248"
    ]


def test_a_row_that_points_elsewhere_has_no_depth(tmp_path: Path) -> None:
    WRITERS["mrcr"](tmp_path)
    rows = [mrcr_row(2) | {"desired_msg_index": index} for index in (3, -9, 99)]
    write_json_lines(tmp_path / "2needle.jsonl", rows)
    assert [question.depths for question in read(tmp_path).questions[:3]] == [(), (), ()]


def test_scores_are_the_match_ratio_behind_the_prefix(tmp_path: Path) -> None:
    WRITERS["mrcr"](tmp_path)
    question = read(tmp_path).questions[0]
    score = BENCHMARKS["mrcr"].score
    assert score(question, "aB3dE5fG7hA tapir dreams of mango rain.").parity == 1.0
    assert score(question, "A tapir dreams of mango rain.").parity == 0.0
    other = "Tapirs wade where rivers bend."
    expected = difflib.SequenceMatcher(None, other, "A tapir dreams of mango rain.").ratio()
    assert score(question, "aB3dE5fG7h" + other).parity == pytest.approx(expected)


def test_rows_are_filed_by_tokens_of_prompt_and_answer(tmp_path: Path) -> None:
    WRITERS["mrcr"](tmp_path)
    for needles, num_words in ((2, 131_000), (4, 200_000), (8, 600_000)):
        rows = [mrcr_row(needles, filler="word " * num_words)]
        write_json_lines(tmp_path / f"{needles}needle.jsonl", rows)
    facets = {
        name: [question.facets for question in read(tmp_path, name).questions]
        for name in ("mrcr", "mrcr-512k", "mrcr-1m")
    }
    assert facets == {
        "mrcr": [{"needles": "2", "length": "64K-128K"}],
        "mrcr-512k": [{"needles": "4", "length": "128K-256K"}],
        "mrcr-1m": [{"needles": "8", "length": "512K-1M"}],
    }
    assert any("1 of 3 rows" in note for note in read(tmp_path).notes)
    assert any("12-05-2025" in note for note in read(tmp_path).notes)


def test_ids_are_of_the_content_and_apart(tmp_path: Path) -> None:
    WRITERS["mrcr"](tmp_path)
    before = [question.question_id for question in read(tmp_path).questions]
    write_json_lines(tmp_path / "2needle.jsonl", [mrcr_row(2), mrcr_row(2)])
    after = [question.question_id for question in read(tmp_path).questions]
    assert after == [before[0], f"{before[0]}-2", *before[1:]]
    assert len(set(before)) == 3


def test_parquet_shards_are_read_in_order(tmp_path: Path) -> None:
    for needles in (2, 4, 8):
        folder = tmp_path / f"{needles}needle"
        folder.mkdir()
        for part in (0, 1):
            rows = [mrcr_row(needles, filler=f"part {part}")]
            pq.write_table(pa.Table.from_pylist(rows), folder / f"{needles}needle_{part}.parquet")
    found = read(tmp_path)
    fillers = [found.ask(question).history[4].content for question in found.questions]
    assert fillers == ["part 0", "part 1"] * 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prompt": "[{"}, "'prompt' is no JSON"),
        ({"prompt": "[]"}, "'prompt' is empty; expected a list of messages"),
        ({"prompt": '{"role": "user"}'}, "'prompt' is of type dict"),
        ({"prompt": '[{"role": "tool", "content": "x"}]'}, "a `role` of system, user or assistant"),
        ({"prompt": '[{"role": "user", "content": "x"}]'}, "the chat of 1 messages"),
        ({"answer": "A tapir dreams"}, "does not begin with `random_string_to_prepend`"),
        ({"random_string_to_prepend": ""}, "does not begin with"),
        ({"n_needles": "2"}, "'n_needles' is of type str; expected a whole number"),
    ],
)
def test_damaged_rows_are_refused(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    WRITERS["mrcr"](tmp_path)
    path = write_json_lines(tmp_path / "2needle.jsonl", [mrcr_row(2) | changes])
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path)
    assert f"{path}, byte 0" in str(caught.value)


def test_tokens_are_counted_in_full_only_near_a_border() -> None:
    counted: list[int] = []

    def count(text: str) -> int:
        counted.append(len(text))
        return len(text) // 4

    text = "abcd" * 25_000
    assert estimated_tokens(text, count, (1_000, 40_000)) == 25_000
    assert counted == [2_000] * 3
    counted.clear()
    assert estimated_tokens(text, count, (27_000,)) == 25_000
    assert counted == [2_000] * 3 + [100_000]
    counted.clear()
    assert estimated_tokens("abcd" * 1_500, count, ()) == 1_500
    assert counted == [6_000]
