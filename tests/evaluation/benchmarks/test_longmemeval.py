"""LongMemEval: sessions by date, marks taken out, and a judge for every kind of question."""

import json
from pathlib import Path

import pytest

from longloom.errors import DataError
from longloom.evaluation.benchmark import ReadSettings
from longloom.evaluation.benchmarks.longmemeval import BENCHMARKS
from longloom.evaluation.questions import QuestionSet
from longloom.rewards.judge import Verdict

SMALL = BENCHMARKS["longmemeval-s"]
ROW = {
    "question_id": "lake_1",
    "question_type": "single-session-user",
    "question": "Which lake did I swim in?",
    "answer": "Lake Orrin",
    "question_date": "2023/05/30 (Tue) 10:00",
    "haystack_dates": ["2023/05/20 (Sat) 02:21", "2023/04/02 (Sun) 17:00"],
    "haystack_session_ids": ["later", "answer_early"],
    "haystack_sessions": [
        [{"role": "user", "content": "Caf\u00e9?"}, {"role": "assistant", "content": "Yes."}],
        [
            {"role": "user", "content": "I swam in Lake Orrin.", "has_answer": True},
            {"role": "assistant", "content": "Nice.", "has_answer": False},
        ],
    ],
    "answer_session_ids": ["answer_early"],
}
EARLY = [
    {"role": "user", "content": "I swam in Lake Orrin."},
    {"role": "assistant", "content": "Nice."},
]


def read(folder: Path, *rows: dict) -> QuestionSet:
    (folder / "longmemeval_s_cleaned.json").write_text(json.dumps(rows), "utf-8")
    return SMALL.read(folder, ReadSettings(count_tokens=len))


def test_the_prompt_has_the_official_form(tmp_path: Path) -> None:
    found = read(tmp_path, ROW)
    asked = found.ask(found.questions[0])
    assert asked.message == (
        "I will give you several history chats between you and a user. Please answer the question "
        "based on the relevant chat history.\n\n\nHistory Chats:\n\n"
        "\n### Session 1:\nSession Date: 2023/04/02 (Sun) 17:00\nSession Content:\n\n"
        f"{json.dumps(EARLY)}\n"
        "\n### Session 2:\nSession Date: 2023/05/20 (Sat) 02:21\nSession Content:\n\n"
        '[{"role": "user", "content": "Caf\\u00e9?"}, {"role": "assistant", "content": "Yes."}]\n'
        "\n\nCurrent Date: 2023/05/30 (Tue) 10:00\nQuestion: Which lake did I swim in?\nAnswer:"
    )
    assert "has_answer" not in asked.message
    ((start, end),) = asked.evidence
    assert "Lake Orrin" in asked.context[start:end]
    assert "Session 2" not in asked.context[start:end]
    assert any("lose their middle" in note for note in found.notes)


def test_facets_depths_and_kinds(tmp_path: Path) -> None:
    rows = [
        ROW,
        {**ROW, "question_id": "lake_2_abs", "answer": "That was never said."},
        {**ROW, "question_id": "n", "question_type": "temporal-reasoning", "answer": 18},
        {**ROW, "question_id": "p", "question_type": "single-session-preference"},
        {**ROW, "question_id": "u", "question_type": "knowledge-update"},
    ]
    questions = read(tmp_path, *rows).questions
    assert questions[0].facets == {"type": "single-session-user", "abstention": "no"}
    assert questions[0].depths == (0.25,)
    assert questions[1].facets["abstention"] == "yes"
    assert questions[2].golds == ("18",)
    assert [one.scoring["kind"] for one in questions] == [
        "answer",
        "abstention",
        "temporal",
        "preference",
        "update",
    ]


def test_a_judge_decides_alone(tmp_path: Path) -> None:
    found = read(tmp_path, ROW, {**ROW, "question_id": "x_abs", "answer": "Never said."})
    assert SMALL.judge is not None
    assert SMALL.judge.combine == "alone"
    one = found.questions[0]
    score = SMALL.score(one, "You swam in lake Orrin.")
    assert (score.parity, score.strict) == (1.0, 1.0)
    assert SMALL.score(one, "In the sea.").parity == 0.0
    prompt = SMALL.judge.prompt(one, found.ask(one), score, "You swam in lake Orrin.")
    assert "Which lake did I swim in?" in prompt.user
    assert "Current Date" not in prompt.user
    assert "You swam in lake Orrin." in prompt.user
    assert "Lake Orrin" in prompt.user
    other = found.questions[1]
    unanswerable = SMALL.judge.prompt(other, found.ask(other), score, "You never said.")
    assert unanswerable.user.splitlines()[0] != prompt.user.splitlines()[0]
    yes = SMALL.judge.parse("Yes.")
    assert (yes.parity, yes.strict) == (True, Verdict.YES)
    assert SMALL.judge.parse("No.").strict == Verdict.NO


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"question_type": "riddle"}, "question_type 'riddle' is not of LongMemEval"),
        ({"answer": None}, "'lake_1' has no answer"),
        ({"haystack_dates": ["2023/05/20 (Sat) 02:21"]}, "1 dates for the sessions"),
        ({"haystack_sessions": ["a", "b"]}, "session 'later' is no list of messages"),
        ({"question_id": 3}, "field 'question_id' is of type int"),
    ],
)
def test_damaged_rows_are_refused(tmp_path: Path, change: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, {**ROW, **change})


def test_every_revision_has_its_file(tmp_path: Path) -> None:
    for name, file in (
        ("longmemeval-m", "longmemeval_m_cleaned.json"),
        ("longmemeval-oracle", "longmemeval_oracle.json"),
    ):
        with pytest.raises(DataError, match=f"needs {file} in"):
            BENCHMARKS[name].read(tmp_path, ReadSettings(count_tokens=len))
        (tmp_path / file).write_text(json.dumps([ROW]))
        assert len(BENCHMARKS[name].read(tmp_path, ReadSettings(count_tokens=len)).questions) == 1
