"""HotpotQA: numbered paragraphs with the supporting sentences as evidence, in three layouts."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from longloom.errors import DataError
from longloom.evaluation.benchmark import ReadSettings
from longloom.evaluation.benchmarks.hotpotqa import BENCHMARK
from longloom.evaluation.questions import Asked, Question
from official_files import HOTPOT_ROWS, HOTPOT_SAMPLE_ROWS, WRITERS, write_json, write_json_lines

SETTINGS = ReadSettings(count_tokens=len)
SAMPLE = Path(__file__).parents[4] / "shared/data/bench-hotpot-sample"


def only(folder: Path) -> tuple[Question, Asked]:
    """Return the one question of a folder and its text."""
    found = BENCHMARK.read(folder, SETTINGS)
    (question,) = found.questions
    return question, found.ask(question)


def evidence(asked: Asked) -> list[str]:
    """Return the texts of the evidence."""
    return [asked.context[start:end] for start, end in asked.evidence]


def test_prompt_of_the_official_layout(tmp_path: Path) -> None:
    WRITERS["hotpotqa-distractor"](tmp_path)
    question, asked = only(tmp_path)
    assert asked.message == (
        "Please read the following text and answer the question below.\n\n<text>\n"
        "Passage 1:\nElm\nElms are trees. They are tall.\n\n"
        "Passage 2:\nOld Mill\nThe Old Mill is in Elmsby. It is red.\n\n"
        "Passage 3:\nBo Rask\nBo Rask was a baker. He bought the Old Mill.\n</text>\n\n"
        "Which town has the mill that Bo Rask bought?\n\n"
        'Format your response as follows: "Therefore, the answer is (insert answer here)".'
    )
    assert evidence(asked) == ["The Old Mill is in Elmsby.", " He bought the Old Mill."]
    size = len(asked.context)
    assert question.depths == tuple(start / size for start, _ in asked.evidence)
    assert question.facets == {"type": "bridge", "level": "hard"}


def test_columns_of_the_hub_are_the_same_question(tmp_path: Path) -> None:
    WRITERS["hotpotqa-distractor"](tmp_path)
    _, official = only(tmp_path)
    row = HOTPOT_ROWS[0]
    on_hub = {
        "id": row["_id"],
        **{name: row[name] for name in ("question", "answer", "type", "level")},
        "supporting_facts": {
            "title": [title for title, _ in row["supporting_facts"]],
            "sent_id": [number for _, number in row["supporting_facts"]],
        },
        "context": {
            "title": [title for title, _ in row["context"]],
            "sentences": [sentences for _, sentences in row["context"]],
        },
    }
    folder = tmp_path / "hub" / "distractor"
    folder.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist([on_hub]), folder / "validation-00000-of-00001.parquet")
    _, asked = only(tmp_path / "hub")
    assert asked == official


def test_sample_mixes_gold_and_other_paragraphs_always_alike(tmp_path: Path) -> None:
    write_json_lines(tmp_path / "dev.jsonl", HOTPOT_SAMPLE_ROWS)
    found = BENCHMARK.read(tmp_path, SETTINGS)
    (question,) = found.questions
    asked = found.ask(question)
    assert sorted(evidence(asked)) == [" He bought the Old Mill.", "The Old Mill is in Elmsby."]
    assert asked.context.count("Passage ") == 4
    assert asked == BENCHMARK.read(tmp_path, SETTINGS).ask(question)
    assert "order of the paragraphs is ours" in found.notes[0]


def test_scores_of_a_right_and_a_wrong_answer(tmp_path: Path) -> None:
    WRITERS["hotpotqa-distractor"](tmp_path)
    question, _ = only(tmp_path)
    right = BENCHMARK.score(question, "Therefore, the answer is the town of Elmsby.")
    wrong = BENCHMARK.score(question, "Therefore, the answer is Oslo.")
    assert (right.parity, right.strict, wrong.parity, wrong.strict) == (1.0, 1.0, 0.0, 0.0)


@pytest.mark.parametrize(
    "changes",
    [
        {"context": [["Elm", [1]]]},
        {"context": [["Elm"]]},
        {"context": 3},
        {"supporting_facts": [["Elm", "x"]]},
        {"supporting_facts": None},
        {"context": {"title": ["Elm"], "sentences": []}},
    ],
)
def test_damaged_paragraphs_are_refused(tmp_path: Path, changes: dict[str, object]) -> None:
    path = write_json(tmp_path / "hotpot_dev_distractor_v1.json", [HOTPOT_ROWS[0] | changes])
    with pytest.raises(DataError, match="its paragraphs cannot be read") as caught:
        BENCHMARK.read(tmp_path, SETTINGS)
    assert f"{path}, byte 4" in str(caught.value)


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="../shared/data is not there")
def test_real_sample_has_its_evidence_in_every_context() -> None:
    found = BENCHMARK.read(SAMPLE, SETTINGS)
    assert len(found.questions) == 100
    for question in found.questions:
        asked = found.ask(question)
        assert len(asked.evidence) >= 2
        answer = question.golds[0].lower()
        assert answer in ("yes", "no") or answer in asked.context.lower()
