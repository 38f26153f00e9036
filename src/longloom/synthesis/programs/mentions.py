"""Programs over the chapters of books: who is mentioned where, first, last and how often.

A chapter is answered by its display name, a name as it is written. What a book's chapters are is
what the context holds; their order is that of their numbers, and chapters without a number take no
part where order matters. Evidence is the mentions an answer rests on and the numbers it compares.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.programs.node import NOTHING, Execution, Program, distinct
from longloom.synthesis.programs.world import World


def chapters_in_order(world: World, book: str) -> tuple[Fact, ...]:
    """Return the number facts of a book's numbered chapters, in their order."""
    numbers: list[Fact] = []
    for fact in world.facts_naming("chapter.book", book):
        numbers += world.facts_of(fact.subject, "chapter.number")[:1]
    return tuple(sorted(numbers, key=lambda fact: (int(fact.value), fact.subject)))


def mentions_in(world: World, chapter: str, name: str) -> tuple[Fact, ...]:
    """Return the mentions of a name in a chapter, in order."""
    mentions = world.facts_of(chapter, "chapter.mentions")
    return tuple(fact for fact in mentions if fact.value == name)


def _first_mentions(world: World, name: str) -> dict[str, Fact]:
    first: dict[str, Fact] = {}
    for fact in world.facts_naming("chapter.mentions", name):
        first.setdefault(fact.subject, fact)
    return first


def _found(answer: str, evidence: Iterable[Fact]) -> Execution:
    return Execution(frozenset((answer,)), distinct(evidence))


@dataclass(frozen=True, slots=True)
class NameCalled:
    """A name that the question states."""

    KIND: ClassVar[str] = "name_called"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"name"})

    name: str
    """The name."""

    def execute(self, world: World) -> Execution:
        """Return the name; a statement of the question needs no evidence."""
        return Execution(frozenset((self.name,)))


@dataclass(frozen=True, slots=True)
class ChapterCalled:
    """A chapter that the question names; it must be among the documents."""

    KIND: ClassVar[str] = "chapter_called"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"chapter"})

    chapter: str
    """Display name of the chapter."""

    def execute(self, world: World) -> Execution:
        """Return the chapter, shown by the book its heading names."""
        shown = world.facts_of(self.chapter, "chapter.book")
        return _found(self.chapter, shown[:1]) if shown else NOTHING


@dataclass(frozen=True, slots=True)
class FirstChapterMentioning:
    """The chapter of a book, by number, in which a name is mentioned first."""

    KIND: ClassVar[str] = "first_chapter_mentioning"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"book"})

    book: str
    """Title of the book."""
    name: Program
    """Answers the name."""

    def execute(self, world: World) -> Execution:
        """Return the first chapter with the name."""
        return _chapter_with(world, self.book, (self.name,), is_last=False)


@dataclass(frozen=True, slots=True)
class LastChapterMentioning:
    """The chapter of a book, by number, in which a name is mentioned last."""

    KIND: ClassVar[str] = "last_chapter_mentioning"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"book"})

    book: str
    """Title of the book."""
    name: Program
    """Answers the name."""

    def execute(self, world: World) -> Execution:
        """Return the last chapter with the name."""
        return _chapter_with(world, self.book, (self.name,), is_last=True)


@dataclass(frozen=True, slots=True)
class FirstChapterWithBoth:
    """The first chapter of a book that mentions two names."""

    KIND: ClassVar[str] = "first_chapter_with_both"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"book"})

    book: str
    """Title of the book."""
    first: Program
    """Answers one name."""
    second: Program
    """Answers the other."""

    def execute(self, world: World) -> Execution:
        """Return the first chapter with both names."""
        return _chapter_with(world, self.book, (self.first, self.second), is_last=False)


def _chapter_with(
    world: World, book: str, names: Sequence[Program], *, is_last: bool, above: int = -1
) -> Execution:
    """Return the first or last chapter, numbered above a limit, that mentions every name."""
    runs = [name.execute(world) for name in names]
    mentions = [_first_mentions(world, run.only_answer or "") for run in runs]
    numbers = chapters_in_order(world, book)
    for number in reversed(numbers) if is_last else numbers:
        is_mentioned = all(number.subject in first for first in mentions)
        if is_mentioned and int(number.value) > above:
            shown = [first[number.subject] for first in mentions]
            leading = [fact for run in runs for fact in run.evidence]
            return _found(number.subject, [*leading, *shown, number])
    return NOTHING


@dataclass(frozen=True, slots=True)
class NextChapterMentioning:
    """The first chapter after another one, in the same book, that mentions a name."""

    KIND: ClassVar[str] = "next_chapter_mentioning"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset()

    after: Program
    """Answers the chapter after which to look."""
    name: Program
    """Answers the name."""

    def execute(self, world: World) -> Execution:
        """Return the next chapter with the name."""
        before = self.after.execute(world)
        books = world.facts_of(before.only_answer or "", "chapter.book")
        numbers = world.facts_of(before.only_answer or "", "chapter.number")
        if not books or not numbers:
            return NOTHING
        above = int(numbers[0].value)
        found = _chapter_with(world, books[0].value, (self.name,), is_last=False, above=above)
        if not found.answers:
            return NOTHING
        evidence = (*before.evidence, numbers[0], *found.evidence)
        return Execution(found.answers, distinct(evidence))


@dataclass(frozen=True, slots=True)
class ChapterWithMostMentions:
    """Of several chapters, each of which mentions a name, the one that does so most often."""

    KIND: ClassVar[str] = "chapter_with_most_mentions"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"chapters"})

    chapters: tuple[str, ...]
    """Display names of the chapters."""
    name: Program
    """Answers the name."""

    def execute(self, world: World) -> Execution:
        """Return the chapter; nothing on a tie, or if one lacks the name."""
        name = self.name.execute(world)
        mentions = [
            mentions_in(world, chapter, name.only_answer or "") for chapter in self.chapters
        ]
        counts = sorted(map(len, mentions))
        if len(counts) < 2 or not counts[0] or counts[-1] == counts[-2]:
            return NOTHING
        most = max(zip(self.chapters, mentions, strict=True), key=lambda pair: len(pair[1]))
        return _found(most[0], [*name.evidence, *(fact for each in mentions for fact in each)])


@dataclass(frozen=True, slots=True)
class EarlierChapter:
    """Of two different chapters of a book the one with the lower number."""

    KIND: ClassVar[str] = "earlier_chapter"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset()

    first: Program
    """Answers one chapter."""
    second: Program
    """Answers the other."""

    def execute(self, world: World) -> Execution:
        """Return the earlier chapter."""
        runs = [self.first.execute(world), self.second.execute(world)]
        numbers = [world.facts_of(run.only_answer or "", "chapter.number")[:1] for run in runs]
        if not all(numbers) or numbers[0][0].subject == numbers[1][0].subject:
            return NOTHING
        earlier = min((each[0] for each in numbers), key=lambda fact: int(fact.value))
        evidence = [fact for run in runs for fact in run.evidence]
        return _found(earlier.subject, [*evidence, numbers[0][0], numbers[1][0]])


@dataclass(frozen=True, slots=True)
class ChapterOfQuotation:
    """The chapter in which something is said."""

    KIND: ClassVar[str] = "chapter_of_quotation"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"quotation"})

    quotation: str
    """The words, as they stand."""

    def execute(self, world: World) -> Execution:
        """Return the chapter, or all of them if there are several."""
        facts = world.facts_naming("chapter.says", self.quotation)
        return Execution(frozenset(fact.subject for fact in facts), distinct(facts))


@dataclass(frozen=True, slots=True)
class SpeakerOf:
    """Who says something, by the name that stands beside the words."""

    KIND: ClassVar[str] = "speaker_of"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"quotation"})

    quotation: str
    """The words, as they stand."""

    def execute(self, world: World) -> Execution:
        """Return the speaker."""
        facts = world.facts_of(self.quotation, "chapter.speaker")
        return Execution(frozenset(fact.value for fact in facts), distinct(facts))


NODES: tuple[type[Program], ...] = (
    ChapterCalled,
    ChapterOfQuotation,
    ChapterWithMostMentions,
    EarlierChapter,
    FirstChapterMentioning,
    FirstChapterWithBoth,
    LastChapterMentioning,
    NameCalled,
    NextChapterMentioning,
    SpeakerOf,
)
"""The node classes of this module."""
