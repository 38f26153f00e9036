"""Nodes about the values of task dialogues: what is stated, how it changes, what is booked.

    Nth(Runs(Stated(TurnsOf("Dialogue 1_00013"), "time")), 2, "last", "said")

Their picks begin with a value instead of a turn, so all of `dialogue_recall.py` applies to them.
Values are compared by what they stand for (`the 8th` and `March 8th` are one date).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from typing import ClassVar

from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.programs.dialogue import (
    NO_CONSTANTS,
    Pick,
    Picking,
    by_conversation,
    picks_of,
    qualifier,
)
from longloom.synthesis.programs.dialogue_recall import answered, property_of
from longloom.synthesis.programs.node import NOTHING, Execution, Program
from longloom.synthesis.programs.world import World

SLOT = "dialogue.slot"
BOOKED = "dialogue.booked"
_PLAIN_NUMBER = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,6})?")


def meaning(fact: Fact) -> str:
    """Return what a value stands for: the annotated form, or the value itself."""
    return qualifier(fact, "canonical") or fact.value


@dataclass(frozen=True, slots=True)
class Stated(Picking):
    """The values of a slot that those turns state."""

    KIND: ClassVar[str] = "stated"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"label"})

    of: Program
    label: str

    def picks(self, world: World) -> tuple[Pick, ...]:
        """Return the values in order, with the turns that lead to them."""
        by_turn: dict[tuple[str, int], list[Fact]] = {}
        for fact in world.facts_with(SLOT):
            if fact.label == self.label:
                by_turn.setdefault((fact.subject, fact.position), []).append(fact)
        return tuple(
            (fact, *pick[1:])
            for pick in picks_of(self.of, world)
            for fact in by_turn.get((pick[0].subject, pick[0].position), ())
        )


@dataclass(frozen=True, slots=True)
class Runs(Picking):
    """One value for each run of the same value within a conversation: its changes."""

    KIND: ClassVar[str] = "runs"
    CONSTANTS: ClassVar[frozenset[str]] = NO_CONSTANTS

    of: Program

    def picks(self, world: World) -> tuple[Pick, ...]:
        """Return the last mention of each run."""
        found: list[Pick] = []
        for group in by_conversation(picks_of(self.of, world)):
            runs = groupby(group, key=lambda pick: meaning(pick[0]))
            found.extend(list(run)[-1] for _, run in runs)
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Changed(Picking):
    """Those values whose conversation gives at least two different ones."""

    KIND: ClassVar[str] = "changed"
    CONSTANTS: ClassVar[frozenset[str]] = NO_CONSTANTS

    of: Program

    def picks(self, world: World) -> tuple[Pick, ...]:
        """Return the values of the conversations that change them."""
        found: list[Pick] = []
        for group in by_conversation(picks_of(self.of, world)):
            if len({meaning(pick[0]) for pick in group}) > 1:
                found.extend(group)
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Booked(Picking):
    """What bookings with a service are made for, one slot of each."""

    KIND: ClassVar[str] = "booked"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"label", "service"})

    service: str
    label: str

    def picks(self, world: World) -> tuple[Pick, ...]:
        """Return the values in the order of the dialogues."""
        return tuple(
            (fact,)
            for fact in world.facts_with(BOOKED)
            if fact.label == self.label and qualifier(fact, "service") == self.service
        )


@dataclass(frozen=True, slots=True)
class BookedWith(Picking):
    """Those booked values whose booking has a given value in another slot."""

    KIND: ClassVar[str] = "booked_with"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"label", "value"})

    of: Program
    label: str
    value: str

    def picks(self, world: World) -> tuple[Pick, ...]:
        """Return the values of these bookings, with the value that admits them."""
        found: list[Pick] = []
        for pick in picks_of(self.of, world):
            beside = beside_booked(pick[0], self.label, world)
            if beside is not None and meaning(beside) == self.value:
                found.append((*pick, beside))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Among(Picking):
    """The values of some named conversations, if each of them has one."""

    KIND: ClassVar[str] = "among"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"subjects"})

    of: Program
    subjects: tuple[str, ...]

    def picks(self, world: World) -> tuple[Pick, ...]:
        """Return the values; each rests on all, because all are looked at."""
        picks = [pick for pick in picks_of(self.of, world) if pick[0].subject in self.subjects]
        if {pick[0].subject for pick in picks} != set(self.subjects):
            return ()
        every = tuple(pick[0] for pick in picks)
        return tuple((*pick, *every) for pick in picks)


def beside_booked(fact: Fact, label: str, world: World) -> Fact | None:
    """Return another slot of the same booking."""
    for other in world.facts_of(fact.subject, BOOKED):
        if other.label == label and other.position == fact.position:
            return other
    return None


@dataclass(frozen=True, slots=True)
class ExtremeBooking:
    """The booked value whose booking is the earliest, latest, smallest or greatest of them."""

    KIND: ClassVar[str] = "extreme_booking"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"by"})

    of: Program
    by: str
    """The slot that is compared."""
    side: str
    """`least` or `most`."""
    gives: str
    """`said` or `conversation`."""

    def execute(self, world: World) -> Execution:
        """Return the value of the booking that is strictly extreme; it rests on that one.

        Where the bookings are named one by one, it rests on all of them.
        """
        ranked: list[tuple[Decimal | str, Pick]] = []
        for pick in picks_of(self.of, world):
            beside = beside_booked(pick[0], self.by, world)
            if beside is not None:
                ranked.append((_rank(meaning(beside)), (*pick, beside)))
        if not ranked or len({type(rank) for rank, _ in ranked}) > 1:
            return NOTHING
        ranked.sort(key=lambda entry: entry[0], reverse=self.side == "most")
        if len(ranked) > 1 and ranked[0][0] == ranked[1][0]:
            return NOTHING
        winner = ranked[0][1]
        compared = {fact.subject for fact in winner}
        rest = [pick for _, pick in ranked if pick[0].subject in compared]
        return answered(property_of(winner[0], self.gives), [winner, *rest])


def _rank(value: str) -> Decimal | str:
    """Return a number as such; ISO dates and times sort as text."""
    return Decimal(value) if _PLAIN_NUMBER.fullmatch(value) else value


@dataclass(frozen=True, slots=True)
class SumOfValues:
    """The sum of those values."""

    KIND: ClassVar[str] = "sum_of_values"
    CONSTANTS: ClassVar[frozenset[str]] = NO_CONSTANTS

    of: Program

    def execute(self, world: World) -> Execution:
        """Return the sum of two or more numbers; nothing if one is no number."""
        picks = picks_of(self.of, world)
        numbers = _numbers(picks)
        return answered(f"{sum(numbers)}", picks) if len(numbers) > 1 else NOTHING


@dataclass(frozen=True, slots=True)
class RangeOfValues:
    """The difference between the greatest and the smallest of those values."""

    KIND: ClassVar[str] = "range_of_values"
    CONSTANTS: ClassVar[frozenset[str]] = NO_CONSTANTS

    of: Program

    def execute(self, world: World) -> Execution:
        """Return the difference; it rests on the two values if no others tie with them."""
        picks = picks_of(self.of, world)
        numbers = _numbers(picks)
        if len(numbers) < 2 or min(numbers) == max(numbers):
            return NOTHING
        ends = [picks[numbers.index(max(numbers))], picks[numbers.index(min(numbers))]]
        return answered(f"{max(numbers) - min(numbers)}", ends)


def _numbers(picks: Sequence[Pick]) -> list[Decimal]:
    """Return the values as numbers; nothing if one is none."""
    values = [meaning(pick[0]) for pick in picks]
    if not all(_PLAIN_NUMBER.fullmatch(value) for value in values):
        return []
    return [Decimal(value) for value in values]


NODES: tuple[type[Program], ...] = (
    Among,
    Booked,
    BookedWith,
    Changed,
    ExtremeBooking,
    RangeOfValues,
    Runs,
    Stated,
    SumOfValues,
)
