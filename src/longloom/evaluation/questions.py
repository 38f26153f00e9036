"""The questions of a benchmark. What is long about them stays where it lies until it is asked.

A `Question` is small: its id, its gold answers, what it is filed under. The text that a model sees
(`Asked`) is made from the question's row when its turn comes, and forgotten after it. So a set of
questions about millions of tokens takes the memory of its ids.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from longloom.records import ChatMessage

NO_FACETS: Mapping[str, str] = MappingProxyType({})
"""For questions that are filed under nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question of a benchmark, without its text."""

    question_id: str
    """Unique in its benchmark, and the same in every run of it: runs are compared by it."""
    golds: tuple[str, ...]
    """Accepted answers; some benchmarks score against the first alone."""
    facets: Mapping[str, str] = field(default_factory=lambda: NO_FACETS)
    """What it is filed under: `task`, `difficulty`, `domain`, `needles`, ..."""
    scoring: Mapping[str, Any] = field(default_factory=dict)
    """What the scorer of its benchmark needs besides the golds; JSON values."""
    depths: tuple[float, ...] = ()
    """Where the evidence stands in the context, 0 at its start and 1 at its end; empty where the
    benchmark does not say."""
    max_new_tokens: int | None = None
    """Limit of its answer where the benchmark states one; else that of the suite."""
    group: str = ""
    """Questions of one group share a preparation (`Benchmark.prepare`); empty for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a model sees of one question: `before`, `context` and `after` are one user message."""

    context: str
    """The long text; empty if there is none."""
    query: str
    """The question alone with its options and the form of the answer, without any frame: what the
    memory agent is asked about `context`, and what a closed book is asked."""
    problem: str = ""
    """The bare question as a judge sees it, without the form of the answer; empty where `query` is
    just that."""
    before: str = ""
    """The frame ahead of the context, as the benchmark has it."""
    after: str = ""
    """The frame behind the context: question, options, form of the answer."""
    history: tuple[ChatMessage, ...] = ()
    """Messages ahead of the user message, for benchmarks that are chats. Where they are the context
    themselves, `context` is the same chat as text (for agents that read a text), and `is_chat`."""
    is_chat: bool = False
    """Whether a single pass sends `history` and `before + after` alone."""
    evidence: tuple[tuple[int, int], ...] = ()
    """Half-open spans of `context` that the answer rests on, where they are known."""

    @property
    def message(self) -> str:
        """The user message of a single pass."""
        return self.before + ("" if self.is_chat else self.context) + self.after


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionSet:
    """The questions of a benchmark that were found, and how to get at their texts."""

    questions: Sequence[Question]
    """In the benchmark's order."""
    ask: Callable[[Question], Asked]
    """Reads a question's row and makes its text; thread-safe; raises DataError."""
    source: Mapping[str, str]
    """Files by name with their SHA-256: what the results say they were computed from."""
    notes: tuple[str, ...] = ()
    """What a reader of the results should know: missing rows, a revision, prompts of ours."""
