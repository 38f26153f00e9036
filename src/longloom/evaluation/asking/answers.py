"""Answers on disk: one line each, written when it is there, so that no call is ever made twice.

The long texts that were asked about are not in it: a question's id finds them again.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from longloom.errors import ContextLengthError, DataError
from longloom.models.endpoint.errors import EndpointRefusedError, EndpointUnavailableError
from longloom.records import FinishReason, TokenUsage
from longloom.runlog import RecordSchema, RecordWriter, iterate_records
from longloom.runlog.closing import ClosesOnExit

ANSWERS_FILE = "answers.jsonl"
ANSWERS_SCHEMA = RecordSchema(name="longloom.answers", version=1)


class Failure(StrEnum):
    """Why there is no answer; all count as wrong, and each kind is listed apart."""

    AGENT = "agent_failed"
    EMPTY = "empty_answer"
    REFUSED = "refused"
    TOO_LONG = "prompt_too_long"
    UNAVAILABLE = "server_unavailable"
    UNFINISHED_THINKING = "unfinished_thinking"


CALL_FAILURES = frozenset({Failure.AGENT, Failure.REFUSED, Failure.TOO_LONG, Failure.UNAVAILABLE})
"""Failures without any reply; after the others there is a text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model replied to one question, once."""

    benchmark: str
    """The benchmark."""
    question_id: str
    """The question."""
    sample_index: int
    """0 .. k-1 for k answers per question."""
    text: str
    """The reply; a local model's thinking tags stay in it."""
    reasoning: str = ""
    """Thinking that the server kept apart."""
    finish_reason: str = FinishReason.STOP
    """`stop` or `length` of the last call; empty if it failed."""
    failure: str = ""
    """A `Failure`, or empty."""
    error: str = ""
    """The message of the failure."""
    usage: TokenUsage = field(default_factory=TokenUsage)
    """What all its calls took."""
    num_prompt_tokens: int = 0
    """Tokens of the whole question with its context, before anything was cut."""
    is_prompt_cut: bool = False
    """Whether the prompt lost its middle."""
    seconds: float = 0.0
    """From the first call to the end of the last."""

    @property
    def key(self) -> "AnswerKey":
        """What tells it apart from all others of a run."""
        return self.benchmark, self.question_id, self.sample_index

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Return what `as_json` gave.

        Raises:
            DataError: a field is missing or unknown.
        """
        try:
            return cls(**{**record, "usage": TokenUsage(**record["usage"])})
        except (KeyError, TypeError) as error:
            raise DataError(
                f"a line of {ANSWERS_FILE} is no answer: {error}; restore it or start afresh"
            ) from None


AnswerKey = tuple[str, str, int]
"""Benchmark, question, sample."""


class AnswerLog(ClosesOnExit):
    """The answers of a run, in its folder."""

    def __init__(self, folder: Path) -> None:
        """Open the answers of `folder`, or begin them.

        An answer that failed because the server was away is forgotten: it is asked for again.

        Raises:
            DataError: the file is damaged or cannot be written.
        """
        self._answers: dict[AnswerKey, Answer] = {}
        path = folder / ANSWERS_FILE
        if path.exists():
            for record in iterate_records(path, schema=ANSWERS_SCHEMA):
                if record is not None:
                    answer = Answer.from_json(record)
                    self._answers[answer.key] = answer
        self._answers = {
            key: answer
            for key, answer in self._answers.items()
            if answer.failure != Failure.UNAVAILABLE
        }
        self._writer = RecordWriter(path, schema=ANSWERS_SCHEMA)

    def __contains__(self, key: AnswerKey) -> bool:
        return key in self._answers

    def __getitem__(self, key: AnswerKey) -> Answer:
        return self._answers[key]

    def add(self, answer: Answer) -> None:
        """Keep an answer; it is on its way to the disk when this returns.

        Raises:
            DataError: the disk is full.
        """
        self._writer.append(answer.as_json())
        self._answers[answer.key] = answer

    def close(self) -> None:
        """Close the file."""
        self._writer.close()


def failure_of(error: BaseException) -> Failure:
    """Return the kind of a model's failure."""
    match error:
        case ContextLengthError():
            return Failure.TOO_LONG
        case EndpointRefusedError():
            return Failure.REFUSED
        case EndpointUnavailableError():
            return Failure.UNAVAILABLE
        case _:
            return Failure.AGENT
