"""What every generator yields, and the order in which candidates are tried."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from longloom.records import RewardRule, TaskType
from longloom.synthesis.miniature.contexts import Request
from longloom.synthesis.miniature.facts.relations import looks_like_number
from longloom.synthesis.miniature.index import Path, Piece, View
from longloom.synthesis.miniature.programs import Program


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A question without its context."""

    task_type: TaskType
    """Task type of the example."""
    ability: str
    """Question category of the example."""
    reward_rule: RewardRule
    """How answers are scored."""
    program: Program
    """The program that answers it."""
    answer: str
    """The expected answer; accepted only if execution on the context gives it alone."""
    request: Request
    """What the context must hold."""


Generator = Callable[[View, Random], Iterator[Draft]]
"""Yields drafts, distinct questions first; ends when the view holds no more."""

CandidateT = TypeVar("CandidateT")


def interleaved(
    candidates: Iterable[CandidateT], kind_of: Callable[[CandidateT], object], rng: Random
) -> list[CandidateT]:
    """Return candidates shuffled, taking kinds in turn so that common ones do not crowd out."""
    by_kind: dict[object, list[CandidateT]] = defaultdict(list)
    for candidate in candidates:
        by_kind[kind_of(candidate)].append(candidate)
    for members in by_kind.values():
        rng.shuffle(members)
    # A kind's members are spread evenly: ranked by place, ties by a drawn order of kinds.
    kinds = list(by_kind)
    rng.shuffle(kinds)
    longest = max((len(members) for members in by_kind.values()), default=0)
    return [
        by_kind[kind][place]
        for place in range(longest)
        for kind in kinds
        if place < len(by_kind[kind])
    ]


def ordered_paths(view: View, hops: Sequence[int], rng: Random) -> list[Path]:
    """Return the paths a split may ask for, relation patterns taken in turn."""
    paths = [path for num_hops in hops for path in view.answer_paths(num_hops)]
    return interleaved(paths, lambda path: path.relations, rng)


def passes(view: View) -> range:
    """Return the passes a generator makes over its candidates."""
    return range(view.index.config.max_questions_per_answer)


def distinct_pieces(path: Path) -> tuple[Piece, ...]:
    """Return the pieces of a path, each once."""
    return tuple(dict.fromkeys(path.pieces))


def rule_for(answer: str) -> RewardRule:
    """Return how a short answer is scored: containment would find 1 within 12."""
    return RewardRule.NUMERIC if looks_like_number(answer) else RewardRule.COVER_EXACT_MATCH
