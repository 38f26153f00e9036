"""Nodes that pick turns of conversations; `dialogue_recall.py` says something about them.

    Beside(Doing(Turns("dialogue"), "USER", "REQUEST", "phone number"), 1)

A selection gives picks: a turn with the facts it was picked for. The order is that of the context:
by document, then by turn. Ordinals therefore change when an earlier document with a match is
dropped. Executed by itself, a selection answers with all its utterances.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import ClassVar, Protocol, runtime_checkable

from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.programs.node import Execution, Program, distinct
from longloom.synthesis.programs.world import World

TURN = "dialogue.turn"
Pick = tuple[Fact, ...]
"""A turn, then the facts it was picked for."""
NO_CONSTANTS: frozenset[str] = frozenset()


@runtime_checkable
class Selection(Protocol):
    """A node that picks turns."""

    def picks(self, world: World) -> tuple[Pick, ...]:
        """Return the turns picked on `world`, in the order of the context."""
        ...


def picks_of(node: object, world: World) -> tuple[Pick, ...]:
    """Return what a node picks; nothing if it is no selection."""
    return node.picks(world) if isinstance(node, Selection) else ()


def qualifier(fact: Fact, key: str) -> str:
    """Return a qualifier of a fact, or an empty text."""
    # A loop: this is asked millions of times, and a generator costs twice as much.
    for name, said in fact.qualifiers:
        if name == key:
            return said
    return ""


class Picking(ABC):
    """What selections share: executed alone they answer with every utterance."""

    @abstractmethod
    def picks(self, world: World) -> tuple[Pick, ...]:
        """Return the turns picked on `world`, in the order of the context."""

    def execute(self, world: World) -> Execution:
        """Return every utterance."""
        picks = self.picks(world)
        facts = distinct(fact for pick in picks for fact in pick)
        return Execution(frozenset(pick[0].value for pick in picks), facts)


@dataclass(frozen=True, slots=True)
class Turns(Picking):
    """Every turn of the conversations of a kind."""

    KIND: ClassVar[str] = "turns"
    CONSTANTS: ClassVar[frozenset[str]] = NO_CONSTANTS

    subject_kind: str

    def picks(self, world: World) -> tuple[Pick, ...]:
        """Return the turns, by document."""
        return _turns_of_kind(world, self.subject_kind)


@lru_cache(maxsize=8)
def _turns_of_kind(world: World, subject_kind: str) -> tuple[Pick, ...]:
    """Collect the turns of a kind; worlds never change, and one is asked hundreds of times."""
    return tuple((fact,) for fact in world.facts_with(TURN) if fact.subject_kind == subject_kind)


@lru_cache(maxsize=256)
def _turn_by_place(world: World, subject: str) -> dict[int, Fact]:
    """Index the turns of a conversation; treated as read-only."""
    return {turn.position: turn for turn in world.facts_of(subject, TURN)}


@dataclass(frozen=True, slots=True)
class TurnsOf(Picking):
    """The turns of one conversation."""

    KIND: ClassVar[str] = "turns_of"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"subject"})

    subject: str

    def picks(self, world: World) -> tuple[Pick, ...]:
        """Return the turns in order."""
        return tuple((fact,) for fact in world.facts_of(self.subject, TURN))


@dataclass(frozen=True, slots=True)
class SpokenBy(Picking):
    """Those turns that a speaker says."""

    KIND: ClassVar[str] = "spoken_by"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"speaker"})

    of: Program
    speaker: str

    def picks(self, world: World) -> tuple[Pick, ...]:
        """Return the turns with this speaker."""
        picks = picks_of(self.of, world)
        return tuple(pick for pick in picks if qualifier(pick[0], "speaker") == self.speaker)


@dataclass(frozen=True, slots=True)
class Doing(Picking):
    """Those turns in which a speaker does something: asks for a slot, suggests, confirms."""

    KIND: ClassVar[str] = "doing"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"label"})

    of: Program
    speaker: str
    act: str
    label: str
    """The slot or intent in words; empty for any."""

    def picks(self, world: World) -> tuple[Pick, ...]:
        """Return the turns with this act."""
        wanted = f";{self.act}:{self.label};" if self.label else f";{self.act}:"
        return tuple(
            pick
            for pick in picks_of(self.of, world)
            if wanted in f";{qualifier(pick[0], 'acts')};"
            and qualifier(pick[0], "speaker") == self.speaker
        )


@dataclass(frozen=True, slots=True)
class AboutService(Picking):
    """Those turns that deal with a service: hotels, music."""

    KIND: ClassVar[str] = "about_service"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"service"})

    of: Program
    service: str

    def picks(self, world: World) -> tuple[Pick, ...]:
        """Return the turns of this service."""
        picks = picks_of(self.of, world)
        return tuple(pick for pick in picks if qualifier(pick[0], "service") == self.service)


@lru_cache(maxsize=512)
def _word_pattern(term: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(term)}(?!\w)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Mentioning(Picking):
    """Those turns that contain a word or phrase, whatever its case."""

    KIND: ClassVar[str] = "mentioning"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"term"})

    of: Program
    term: str

    def picks(self, world: World) -> tuple[Pick, ...]:
        """Return the turns that show the term as whole words."""
        pattern, lowered = _word_pattern(self.term), self.term.lower()
        return tuple(
            pick
            for pick in picks_of(self.of, world)
            if lowered in pick[0].value.lower() and pattern.search(pick[0].value)
        )


@dataclass(frozen=True, slots=True)
class EndingInQuestion(Picking):
    """Those turns that end in a question mark."""

    KIND: ClassVar[str] = "ending_in_question"
    CONSTANTS: ClassVar[frozenset[str]] = NO_CONSTANTS

    of: Program

    def picks(self, world: World) -> tuple[Pick, ...]:
        """Return the turns whose last character is a question mark."""
        return tuple(pick for pick in picks_of(self.of, world) if pick[0].value.endswith("?"))


@dataclass(frozen=True, slots=True)
class Beside(Picking):
    """The turns that stand some steps after (or before) those turns, in the same conversation."""

    KIND: ClassVar[str] = "beside"
    CONSTANTS: ClassVar[frozenset[str]] = NO_CONSTANTS

    of: Program
    steps: int

    def picks(self, world: World) -> tuple[Pick, ...]:
        """Return one neighbour for each turn that has one."""
        found: list[Pick] = []
        for pick in picks_of(self.of, world):
            turns = _turn_by_place(world, pick[0].subject)
            neighbour = turns.get(pick[0].position + self.steps)
            if neighbour is not None:
                found.append((neighbour, *pick))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class EndOfEach(Picking):
    """The first or last of those turns in each conversation."""

    KIND: ClassVar[str] = "end_of_each"
    CONSTANTS: ClassVar[frozenset[str]] = NO_CONSTANTS

    of: Program
    side: str
    """`first` or `last`."""

    def picks(self, world: World) -> tuple[Pick, ...]:
        """Return at most one turn a conversation."""
        place = -1 if self.side == "last" else 0
        return tuple(group[place] for group in by_conversation(picks_of(self.of, world)))


@dataclass(frozen=True, slots=True)
class Since(Picking):
    """Those turns that come after the first turn of a second selection, or before it."""

    KIND: ClassVar[str] = "since"
    CONSTANTS: ClassVar[frozenset[str]] = NO_CONSTANTS

    of: Program
    marker: Program
    side: str
    """`after` or `before`."""

    def picks(self, world: World) -> tuple[Pick, ...]:
        """Return the turns on that side in the conversations that have a marker."""
        first = {
            group[0][0].subject: group[0] for group in by_conversation(picks_of(self.marker, world))
        }
        found: list[Pick] = []
        for pick in picks_of(self.of, world):
            marker = first.get(pick[0].subject)
            if marker is None or pick[0].position == marker[0].position:
                continue
            if (pick[0].position > marker[0].position) == (self.side == "after"):
                found.append((*pick, *marker))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class InConversationsWith(Picking):
    """Those turns whose conversation has a turn of a second selection, or has none."""

    KIND: ClassVar[str] = "in_conversations_with"
    CONSTANTS: ClassVar[frozenset[str]] = NO_CONSTANTS

    of: Program
    having: Program
    polarity: str
    """`with` or `without`."""

    def picks(self, world: World) -> tuple[Pick, ...]:
        """Return the turns of these conversations, with the turn that admits them."""
        first = {
            group[0][0].subject: group[0] for group in by_conversation(picks_of(self.having, world))
        }
        if self.polarity == "without":
            picks = picks_of(self.of, world)
            return tuple(pick for pick in picks if pick[0].subject not in first)
        return tuple(
            (*pick, *first[pick[0].subject])
            for pick in picks_of(self.of, world)
            if pick[0].subject in first
        )


def by_conversation(picks: Iterable[Pick]) -> Iterator[list[Pick]]:
    """Yield the picks of one conversation after the other."""
    for _, group in groupby(picks, key=lambda pick: pick[0].subject):
        yield list(group)


NODES: tuple[type[Program], ...] = (
    AboutService,
    Beside,
    Doing,
    EndOfEach,
    EndingInQuestion,
    InConversationsWith,
    Mentioning,
    Since,
    SpokenBy,
    Turns,
    TurnsOf,
)
