"""Nodes that say something about picked turns: which is the n-th, the longest, how many there are.

They work on the values of `dialogue_state.py` as well: a pick's first fact is then a value.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.programs.dialogue import (
    NO_CONSTANTS,
    Mentioning,
    Pick,
    picks_of,
    qualifier,
)
from longloom.synthesis.programs.node import NOTHING, Execution, Program, distinct
from longloom.synthesis.programs.world import World

_WORD = re.compile(r"\w+")


def answered(answer: str, picks: Iterable[Pick]) -> Execution:
    """Return an execution with one answer that rests on some picks."""
    return Execution(frozenset((answer,)), distinct(fact for pick in picks for fact in pick))


def property_of(fact: Fact, gives: str) -> str:
    """Return what is said, who says it, or the conversation it is said in."""
    match gives:
        case "speaker":
            return qualifier(fact, "speaker")
        case "conversation":
            return fact.subject
        case _:
            return fact.value


@dataclass(frozen=True, slots=True)
class Nth:
    """The n-th of those turns, counted from the first or from the last."""

    KIND: ClassVar[str] = "nth_turn"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"ordinal"})

    of: Program
    ordinal: int
    side: str
    """`first` or `last`: where counting begins."""
    gives: str
    """`said`, `speaker` or `conversation`."""

    def execute(self, world: World) -> Execution:
        """Return one property of the turn; it rests on every turn that is counted."""
        picks = picks_of(self.of, world)
        if not 1 <= self.ordinal <= len(picks):
            return NOTHING
        counted = picks[: self.ordinal] if self.side == "first" else picks[-self.ordinal :]
        turn = counted[-1 if self.side == "first" else 0]
        return answered(property_of(turn[0], self.gives), [turn, *counted])


@dataclass(frozen=True, slots=True)
class Only:
    """What the turns give if they all give the same."""

    KIND: ClassVar[str] = "only_turn"
    CONSTANTS: ClassVar[frozenset[str]] = NO_CONSTANTS

    of: Program
    gives: str

    def execute(self, world: World) -> Execution:
        """Return the property of every turn."""
        picks = picks_of(self.of, world)
        facts = distinct(fact for pick in picks for fact in pick)
        return Execution(frozenset(property_of(pick[0], self.gives) for pick in picks), facts)


@dataclass(frozen=True, slots=True)
class Longest:
    """The turn of the most words, if one has more than all others."""

    KIND: ClassVar[str] = "longest_turn"
    CONSTANTS: ClassVar[frozenset[str]] = NO_CONSTANTS

    of: Program
    gives: str

    def execute(self, world: World) -> Execution:
        """Return a property of the longest turn; it rests on that turn."""
        picks = picks_of(self.of, world)
        lengths = [len(_WORD.findall(pick[0].value)) for pick in picks]
        if not lengths or lengths.count(max(lengths)) > 1:
            return NOTHING
        pick = picks[lengths.index(max(lengths))]
        return answered(property_of(pick[0], self.gives), [pick])


@dataclass(frozen=True, slots=True)
class NumTurns:
    """How many turns there are."""

    KIND: ClassVar[str] = "num_turns"
    CONSTANTS: ClassVar[frozenset[str]] = NO_CONSTANTS

    of: Program

    def execute(self, world: World) -> Execution:
        """Return the count; nothing instead of zero."""
        picks = picks_of(self.of, world)
        return answered(str(len(picks)), picks) if picks else NOTHING


@dataclass(frozen=True, slots=True)
class NumConversations:
    """How many conversations have such a turn."""

    KIND: ClassVar[str] = "num_conversations"
    CONSTANTS: ClassVar[frozenset[str]] = NO_CONSTANTS

    of: Program

    def execute(self, world: World) -> Execution:
        """Return the count; it rests on one turn of each conversation."""
        first: dict[str, Pick] = {}
        for pick in picks_of(self.of, world):
            first.setdefault(pick[0].subject, pick)
        return answered(str(len(first)), first.values()) if first else NOTHING


@dataclass(frozen=True, slots=True)
class NumDistinct:
    """How many different values, speakers or conversations those turns give."""

    KIND: ClassVar[str] = "num_distinct"
    CONSTANTS: ClassVar[frozenset[str]] = NO_CONSTANTS

    of: Program
    gives: str

    def execute(self, world: World) -> Execution:
        """Return the count; it rests on one turn for each."""
        first: dict[str, Pick] = {}
        for pick in picks_of(self.of, world):
            said = property_of(pick[0], self.gives)
            key = qualifier(pick[0], "canonical") if self.gives == "said" else ""
            first.setdefault(key or said, pick)
        return answered(str(len(first)), first.values()) if first else NOTHING


@dataclass(frozen=True, slots=True)
class MostTurns:
    """The speaker, conversation or value with the most of those turns, if there is one such."""

    KIND: ClassVar[str] = "most_turns"
    CONSTANTS: ClassVar[frozenset[str]] = NO_CONSTANTS

    of: Program
    gives: str

    def execute(self, world: World) -> Execution:
        """Return the most frequent one; it rests on every turn."""
        picks = picks_of(self.of, world)
        counts = Counter(property_of(pick[0], self.gives) for pick in picks)
        ranked = counts.most_common(2)
        if not ranked or (len(ranked) > 1 and ranked[0][1] == ranked[1][1]):
            return NOTHING
        return answered(ranked[0][0], picks)


@dataclass(frozen=True, slots=True)
class CountDifference:
    """How many more turns the first selection has than the second."""

    KIND: ClassVar[str] = "count_difference"
    CONSTANTS: ClassVar[frozenset[str]] = NO_CONSTANTS

    more: Program
    fewer: Program

    def execute(self, world: World) -> Execution:
        """Return the difference; nothing unless both have turns and it is positive."""
        more, fewer = picks_of(self.more, world), picks_of(self.fewer, world)
        if not fewer or len(more) <= len(fewer):
            return NOTHING
        return answered(str(len(more) - len(fewer)), [*more, *fewer])


@dataclass(frozen=True, slots=True)
class EarliestTerm:
    """Which of some words those turns mention first."""

    KIND: ClassVar[str] = "earliest_term"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"terms"})

    of: Program
    terms: tuple[str, ...]

    def execute(self, world: World) -> Execution:
        """Return the word of the earliest turn; it rests on the first mention of each."""
        order = {pick[0]: place for place, pick in enumerate(picks_of(self.of, world))}
        first = [
            (order[picks[0][0]], term, picks[0])
            for term in self.terms
            if isinstance(term, str) and (picks := Mentioning(self.of, term).picks(world))
        ]
        places = [place for place, _, _ in first]
        if len(first) != len(self.terms) or places.count(min(places, default=0)) != 1:
            return NOTHING
        winner = min(first, key=lambda entry: entry[0])
        return answered(winner[1], [winner[2], *(pick for _, _, pick in first)])


NODES: tuple[type[Program], ...] = (
    CountDifference,
    EarliestTerm,
    Longest,
    MostTurns,
    Nth,
    NumConversations,
    NumDistinct,
    NumTurns,
    Only,
)
