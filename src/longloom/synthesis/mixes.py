"""Mixes: how long contexts are, and which questions a set holds, as typed records.

A mix has quotas. A quota has kinds of questions, which fill in for each other where one runs
short; quotas do not, so a set says what it lacks instead of holding more of something else.

qwenlong-l15    Fig. 3 of QwenLong-L1.5; shares of the task types, filling in for each other
docqa-rl        the training set of QwenLong-L1: three quotas, shorter contexts
uniform         as qwenlong-l15, all lengths alike

The bins of 6,000 tokens were digitised from Fig. 3 of QwenLong-L1.5, section 3 (L1's set is shown
beside it); the quotas are those of QwenLong-L1, section 3.1. Not known is how its multiple choice
is shared among the four domains (here equally), and which documents insurance and production
texts are: here whatever a title calls so, and standards, guidelines and manuals.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from longloom.records import TaskType
from longloom.synthesis.task_weights import TaskWeights

BIN_TOKENS = 6_000
"""Width of a bin of lengths."""

_QWENLONG_L15 = (
    2296, 1211, 1669, 2401, 694, 1141, 458, 533, 565, 293,
    227, 722, 297, 294, 265, 212, 181, 197, 449, 69,
)  # fmt: skip
_QWENLONG_L1 = (720, 418, 132, 85, 65, 57, 39, 29, 24, 22)

_FINANCIAL = frozenset({"filing"})
_LEGAL = frozenset({"contract", "law"})
_GENERAL = frozenset({"article", "encyclopedia", "text", "web page"})
_PRODUCTION = frozenset({"control catalogue", "guideline", "manual", "report", "standard"})
_INSURANCE_WORDS = ("annuity", "insurance", "insurer", "reinsurance", "underwriting")


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionKind:
    """Questions of one task about documents of some kind."""

    name: str
    """What summaries call it."""
    task_type: TaskType
    """Their task."""
    weight: float = 1.0
    """Share within the quota; only proportions count."""
    genres: frozenset[str] = frozenset()
    """Genres of the documents that answer; empty accepts all."""
    title_words: tuple[str, ...] = ()
    """One of these stands in the title of a document that answers; empty accepts all."""
    min_gold_documents: int = 0
    """Documents that the answer needs at least."""

    def accepts(
        self, task_type: TaskType, genres: Sequence[str], gold_documents: Sequence[str]
    ) -> bool:
        """Tell whether a question with these gold documents (titles) is of the kind."""
        return (
            task_type is self.task_type
            and len(gold_documents) >= self.min_gold_documents
            and (not self.genres or (bool(genres) and self.genres.issuperset(genres)))
            and (not self.title_words or any(self.names(title) for title in gold_documents))
        )

    def names(self, title: str) -> bool:
        """Tell whether a title has one of the words, or none is asked for."""
        lowered = title.lower()
        return not self.title_words or any(word in lowered for word in self.title_words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """A share of the set; its kinds fill in for each other."""

    name: str
    """What summaries call it."""
    weight: float
    """Share of the set; only proportions count."""
    kinds: tuple[QuestionKind, ...]
    """Kinds of questions; a question is of the first that accepts it."""


def quota_of_tasks(weights: TaskWeights) -> Quota:
    """Return one quota of all tasks that count, filling in for each other."""
    kinds = tuple(
        QuestionKind(name=task.value, task_type=task, weight=weights.weight_of(task))
        for task in TaskType
        if weights.weight_of(task)
    )
    return Quota(name="tasks", weight=1.0, kinds=kinds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """Lengths of contexts and quotas of questions."""

    name: str
    """Its name."""
    length_weights: tuple[int, ...]
    """Weight of each bin of `BIN_TOKENS`, shortest first."""
    num_examples: int
    """Questions wanted if nobody says how many."""
    quotas: tuple[Quota, ...] = ()
    """What the set is made of; empty: one quota of all tasks by the task weights."""

    def quotas_by(self, weights: TaskWeights) -> tuple[Quota, ...]:
        """Return the quotas, or one of all tasks by `weights`."""
        return self.quotas or (quota_of_tasks(weights),)

    def weights_for(self, genre: str, weights: TaskWeights) -> TaskWeights:
        """Return the tasks asked about documents of `genre`; `weights` if no quota names it."""
        by_task = dict.fromkeys(TaskType, 0.0)
        for quota in self.quotas:
            for kind in quota.kinds:
                if not kind.genres or genre in kind.genres:
                    by_task[kind.task_type] += quota.weight * kind.weight
        if not any(by_task.values()):
            return weights
        return TaskWeights(**{task.value: weight for task, weight in by_task.items()})


def _choices(name: str, genres: frozenset[str], words: tuple[str, ...] = ()) -> QuestionKind:
    return QuestionKind(
        name=f"multiple choice, {name} texts",
        task_type=TaskType.MULTIPLE_CHOICE,
        genres=genres,
        title_words=words,
    )


def _chains(name: str, genres: frozenset[str]) -> QuestionKind:
    return QuestionKind(
        name=f"multi-hop, several {name} texts",
        task_type=TaskType.MULTI_HOP,
        genres=genres,
        min_gold_documents=2,
    )


_DOCQA_RL_QUOTAS = (
    Quota(
        name="financial numerical",
        weight=600,
        kinds=(
            QuestionKind(
                name="numerical, filings", task_type=TaskType.NUMERICAL, genres=_FINANCIAL
            ),
        ),
    ),
    Quota(
        name="professional multiple choice",
        weight=600,
        kinds=(
            # First, because it is told by titles: an insurer's filing is an insurance text.
            _choices("insurance", _FINANCIAL | _LEGAL | _PRODUCTION, _INSURANCE_WORDS),
            _choices("legal", _LEGAL),
            _choices("financial", _FINANCIAL),
            _choices("production", _PRODUCTION),
        ),
    ),
    Quota(
        name="cross-document",
        weight=400,
        kinds=(
            # L1 asks about news and encyclopedia articles; other documents fill in where these
            # are few.
            _chains("general", _GENERAL),
            _chains("other", frozenset()),
        ),
    ),
)

MIXES: Mapping[str, Mix] = {
    mix.name: mix
    for mix in (
        Mix(
            name="docqa-rl",
            length_weights=_QWENLONG_L1,
            num_examples=1_600,
            quotas=_DOCQA_RL_QUOTAS,
        ),
        Mix(name="qwenlong-l15", length_weights=_QWENLONG_L15, num_examples=12_000),
        Mix(name="uniform", length_weights=(1,) * 20, num_examples=12_000),
    )
}
"""Every mix by its name."""
