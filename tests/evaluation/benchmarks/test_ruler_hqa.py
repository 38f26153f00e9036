"""RULER-HQA is made of a HotpotQA file, or read as MemAgent published it."""

import json
from pathlib import Path

import pytest

from longloom.errors import DataError
from longloom.evaluation.benchmark import ReadSettings
from longloom.evaluation.benchmarks.ruler_hqa import BENCHMARKS, NUM_QUESTIONS, SIZES
from longloom.evaluation.questions import QuestionSet

SHARED = Path(__file__).parents[4] / "shared/data/bench-hotpot-sample"
SMALL = BENCHMARKS["ruler-hqa-50"]
NUM_ROWS = 8


def row(number: int) -> dict:
    """Return a question in the official layout: two gold paragraphs and eight others."""
    paragraphs = [
        [f"Ship {number}-{place}", [f"It was built in {1800 + 10 * number + place}.", " It sank."]]
        for place in range(10)
    ]
    return {
        "_id": f"q{number}",
        "question": f"When was ship {number}-3 built?",
        "answer": str(1803 + 10 * number),
        "type": "bridge",
        "supporting_facts": [[f"Ship {number}-3", 0], [f"Ship {number}-7", 1]],
        "context": paragraphs,
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [row(number) for number in range(NUM_ROWS)]
    (tmp_path / "hotpot_dev_distractor_v1.json").write_text(json.dumps(rows))
    return tmp_path


def read(folder: Path, **settings: int) -> QuestionSet:
    return SMALL.read(folder, ReadSettings(count_tokens=len, **settings))


def test_a_context_has_its_size_and_every_gold_paragraph_once(folder: Path) -> None:
    found = read(folder)
    assert [one.question_id for one in found.questions] == [f"q{n}" for n in range(NUM_ROWS)]
    for number, one in enumerate(found.questions):
        asked = found.ask(one)
        documents = asked.context.split("\n\n")
        assert len(documents) == 50
        assert [one.partition("\n")[0] for one in documents] == [
            f"Document {place}:" for place in range(1, 51)
        ]
        assert len({one.partition("\n")[2] for one in documents}) == 50
        spans = {asked.context[start:end] for start, end in asked.evidence}
        assert spans == {
            f"Ship {number}-{place}\nIt was built in {1800 + 10 * number + place}. It sank."
            for place in (3, 7)
        }
        for span, depth in zip(sorted(asked.evidence), sorted(one.depths), strict=True):
            place = asked.context[: span[0]].count("\n\n")
            assert depth == pytest.approx((place + 0.5) / 50)


def test_the_prompt_has_the_frame_of_the_papers(folder: Path) -> None:
    found = read(folder)
    asked = found.ask(found.questions[2])
    assert asked.message == (
        "Please read the following text and answer the question below.\n\n<text>\n"
        + asked.context
        + "\n</text>\n\nWhen was ship 2-3 built?\n\nFormat your response as follows: "
        '"Therefore, the answer is (insert answer here)".'
    )


def test_answers_are_scored_as_l1_does(folder: Path) -> None:
    one = read(folder).questions[2]
    right = SMALL.score(one, "It sailed. Therefore, the answer is 1823.")
    assert (right.parity, right.strict) == (1.0, 1.0)
    wrong = SMALL.score(one, "Therefore, the answer is 1824.")
    assert (wrong.parity, wrong.strict) == (0.0, 0.0)


def test_seeds_and_numbers(folder: Path) -> None:
    first, again = read(folder), read(folder)
    assert first.questions == again.questions
    assert first.ask(first.questions[0]) == again.ask(again.questions[0])
    other = read(folder, seed=1, max_questions=3)
    assert len(other.questions) == 3
    assert other.ask(other.questions[0]) != first.ask(first.questions[0])


def test_too_few_paragraphs_are_told(folder: Path) -> None:
    larger = BENCHMARKS["ruler-hqa-100"]
    with pytest.raises(DataError, match=r"has 80 paragraphs; ruler-hqa-100 needs 100"):
        larger.read(folder, ReadSettings(count_tokens=len))


def test_published_contexts_are_taken_as_they_are(folder: Path) -> None:
    official = {
        "index": 0,
        "input": "When was ship 1 built?",
        "context": "Document 1:\nShip 1\nBuilt in 1900.",
        "answers": ["1900"],
        "num_docs": 50,
    }
    (folder / "eval_50.json").write_text(json.dumps([official]))
    found = read(folder)
    assert [one.golds for one in found.questions] == [("1900",)]
    assert found.ask(found.questions[0]).context == official["context"]
    assert list(found.source) == ["eval_50.json"]
    (folder / "eval_50.json").write_text(json.dumps([{**official, "context": [1, 2]}]))
    with pytest.raises(DataError, match="paragraphs by number"):
        read(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"context": [["Ship"]]}, "its paragraphs cannot be read"),
        ({"context": "Ship"}, "its paragraphs cannot be read"),
        ({"supporting_facts": []}, "named by 'supporting_facts'"),
        ({"answer": 3}, "field 'answer' is of type int"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, change: dict, message: str) -> None:
    (tmp_path / "dev.json").write_text(json.dumps([{**row(0), **change}]))
    with pytest.raises(DataError, match=message):
        read(tmp_path)


def test_sizes_are_those_of_the_paper() -> None:
    assert SIZES[0] * 2**9 == SIZES[-1] == 25_600
    assert NUM_QUESTIONS == 128


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is not there")
def test_the_sample_is_read() -> None:
    found = read(SHARED)
    assert len(found.questions) == 100
    # The layout puts gold paragraphs first; their depths must not be the same everywhere.
    assert len({one.depths for one in found.questions}) > 10
    asked = found.ask(found.questions[0])
    assert found.questions[0].golds[0] in "".join(
        asked.context[start:end] for start, end in asked.evidence
    )
