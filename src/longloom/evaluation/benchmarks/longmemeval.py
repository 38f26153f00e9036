"""LongMemEval (Wu et al., arXiv 2410.10813): 500 questions about a user's earlier chats.

Facts of xiaowu0162/LongMemEval, `run_generation.py` and `evaluate_qa.py` (MIT): all sessions in the
order of their dates, each as JSON; marks `has_answer` are taken out; questions whose id holds
`_abs` cannot be answered. A judge decides alone.

Departure: a history that is too long loses its middle like every other prompt here; the official
script cuts its end and so loses the latest sessions.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from longloom.errors import DataError
from longloom.evaluation.benchmark import Benchmark, HubFiles, JudgeRule, ReadSettings, Source
from longloom.evaluation.benchmarks.files import find_files, questions_of_rows
from longloom.evaluation.questions import Asked, Question, QuestionSet
from longloom.evaluation.rows import Row, RowPlace, describe, text_of, texts_of
from longloom.evaluation.scoring.judging import (
    LongMemEvalKind,
    longmemeval_kind,
    longmemeval_prompt,
    read_longmemeval,
)
from longloom.evaluation.scoring.score import JudgePrompt, Score
from longloom.rewards.rules import cover_exact_match

NUM_QUESTIONS = 500
_BEFORE = (
    "I will give you several history chats between you and a user. Please answer the question "
    "based on the relevant chat history.\n\n\nHistory Chats:\n\n"
)
_ASKED = "\nQuestion: "
_NOTES = ("histories that are too long lose their middle; the official script cuts their end",)


def _reader(name: str) -> Callable[[Path, ReadSettings], QuestionSet]:
    def read(folder: Path, settings: ReadSettings) -> QuestionSet:
        """Read the questions; raises DataError."""
        return questions_of_rows(
            find_files(folder, BENCHMARKS[name]), question=_question, ask=_ask, notes=_NOTES
        )

    return read


def _question(row: Row, place: RowPlace) -> Question:
    question_id = text_of(row, "question_id", place)
    question_type = text_of(row, "question_type", place)
    if row.get("answer") is None:
        raise DataError(f"{describe(place)}: question {question_id!r} has no answer")
    is_abstention = "_abs" in question_id
    try:
        kind = longmemeval_kind(question_type, is_abstention=is_abstention)
    except DataError as error:
        raise DataError(f"{describe(place)}: {error}; give the official file") from None
    sessions = _sessions(row, place)
    marked = [number for number, session in enumerate(sessions) if session.is_evidence]
    return Question(
        question_id=question_id,
        golds=(str(row["answer"]),),  # some are numbers
        facets={"type": question_type, "abstention": "yes" if is_abstention else "no"},
        scoring={"kind": str(kind)},
        depths=tuple((number + 0.5) / len(sessions) for number in marked),
    )


def _ask(row: Row, place: RowPlace) -> Asked:
    pieces: list[str] = []
    evidence: list[tuple[int, int]] = []
    length = 0
    for number, session in enumerate(_sessions(row, place), start=1):
        piece = (
            f"\n### Session {number}:\nSession Date: {session.date}\nSession Content:\n"
            f"\n{json.dumps(session.turns)}\n"
        )
        if session.is_evidence:
            evidence.append((length, length + len(piece)))
        pieces.append(piece)
        length += len(piece)
    question = text_of(row, "question", place)
    date = text_of(row, "question_date", place)
    return Asked(
        before=_BEFORE,
        context="".join(pieces),
        after=f"\n\nCurrent Date: {date}{_ASKED}{question}\nAnswer:",
        query=f"Current Date: {date}{_ASKED}{question}",
        evidence=tuple(evidence),
    )


def _score(question: Question, text: str) -> Score:
    """Say whether the gold answer is in the reply; the benchmark has no rule but its judge."""
    is_there = float(cover_exact_match(text, question.golds[0]))
    return Score(parity=is_there, strict=is_there, parts={"cover_exact_match": is_there})


def _judge_prompt(question: Question, asked: Asked, score: Score, text: str) -> JudgePrompt:
    kind = LongMemEvalKind(question.scoring["kind"])
    return longmemeval_prompt(kind, asked.query.partition(_ASKED)[2], text, question.golds[0])


class _Session:
    """One chat of the user."""

    def __init__(self, date: str, turns: list[dict[str, Any]], *, is_evidence: bool) -> None:
        self.date = date
        self.turns = [
            {name: value for name, value in turn.items() if name != "has_answer"} for turn in turns
        ]
        self.is_evidence = is_evidence


def _sessions(row: Row, place: RowPlace) -> list[_Session]:
    """Return the sessions in the order of their dates."""
    dates = texts_of(row, "haystack_dates", place)
    stated = row.get("haystack_sessions")
    if not isinstance(stated, list) or len(stated) != len(dates) or not stated:
        raise DataError(
            f"{describe(place)}: {len(dates)} dates for the sessions of 'haystack_sessions'; "
            "expected one for each; give the official file"
        )
    ids = row.get("haystack_session_ids")
    names = ids if isinstance(ids, list) and len(ids) == len(dates) else [None] * len(dates)
    gold_ids = set(map(str, row.get("answer_session_ids") or ()))
    sessions: list[_Session] = []
    for date, name, turns in zip(dates, names, stated, strict=True):
        if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
            raise DataError(
                f"{describe(place)}: session {name!r} is no list of messages; give the official "
                "file"
            )
        is_marked = any(turn.get("has_answer") for turn in turns)
        sessions.append(_Session(date, turns, is_evidence=is_marked or str(name) in gold_ids))
    return sorted(sessions, key=lambda session: session.date)


def _benchmark(kind: str, file: str, title: str) -> Benchmark:
    name = f"longmemeval-{kind}"
    return Benchmark(
        name=name,
        title=title,
        measure="accuracy by a judge",
        source=Source(
            files=(file,),
            address="https://huggingface.co/datasets/xiaowu0162/longmemeval-cleaned",
            licence="MIT",
            num_questions=NUM_QUESTIONS,
            hub=HubFiles(repository="xiaowu0162/longmemeval-cleaned", files=(file,)),
        ),
        read=_reader(name),
        score=_score,
        judge=JudgeRule(
            name="longmemeval",
            prompt=_judge_prompt,
            parse=read_longmemeval,
            combine="alone",
        ),
        facets=("type", "abstention"),
    )


BENCHMARKS: Mapping[str, Benchmark] = {
    benchmark.name: benchmark
    for benchmark in (
        _benchmark("m", "longmemeval_m_cleaned.json", "LongMemEval (medium)"),
        _benchmark("oracle", "longmemeval_oracle.json", "LongMemEval (evidence alone)"),
        _benchmark("s", "longmemeval_s_cleaned.json", "LongMemEval (small)"),
    )
}
"""By name: about 1.5M, 20K and 115K tokens a question."""
