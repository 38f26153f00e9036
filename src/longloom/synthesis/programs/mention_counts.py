"""Programs that count mentions, choose among names, and give the number or title of a chapter."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.programs.mentions import chapters_in_order, mentions_in
from longloom.synthesis.programs.node import NOTHING, Execution, Program, distinct
from longloom.synthesis.programs.world import World


def _found(answer: str, evidence: Sequence[Fact]) -> Execution:
    return Execution(frozenset((answer,)), distinct(evidence))


@dataclass(frozen=True, slots=True)
class CountMentions:
    """How often a chapter mentions a name; at least once."""

    KIND: ClassVar[str] = "count_mentions"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset()

    chapter: Program
    """Answers the chapter."""
    name: Program
    """Answers the name."""

    def execute(self, world: World) -> Execution:
        """Return the number of mentions."""
        chapter, name = self.chapter.execute(world), self.name.execute(world)
        mentions = mentions_in(world, chapter.only_answer or "", name.only_answer or "")
        if not mentions:
            return NOTHING
        return _found(str(len(mentions)), (*chapter.evidence, *name.evidence, *mentions))


@dataclass(frozen=True, slots=True)
class CountChaptersMentioning:
    """How many chapters of a book mention every one of some names."""

    KIND: ClassVar[str] = "count_chapters_mentioning"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"book"})

    book: str
    """Title of the book."""
    names: tuple[Program, ...]
    """Answer the names."""

    def execute(self, world: World) -> Execution:
        """Return the number of chapters."""
        runs = [name.execute(world) for name in self.names]
        evidence = [fact for run in runs for fact in run.evidence]
        count = 0
        for book in world.facts_naming("chapter.book", self.book):
            each = [mentions_in(world, book.subject, run.only_answer or "")[:1] for run in runs]
            if all(each):
                count += 1
                evidence += [fact for first in each for fact in first]
        return _found(str(count), evidence) if count else NOTHING


@dataclass(frozen=True, slots=True)
class MentionTotal:
    """The sum of several whole numbers."""

    KIND: ClassVar[str] = "mention_total"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset()

    of: tuple[Program, ...]
    """Answer the numbers."""

    def execute(self, world: World) -> Execution:
        """Return the sum."""
        return _arithmetic(world, self.of, sum)


@dataclass(frozen=True, slots=True)
class MentionDifference:
    """By how much two whole numbers differ, without sign."""

    KIND: ClassVar[str] = "mention_difference"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset()

    first: Program
    """Answers one number."""
    second: Program
    """Answers the other."""

    def execute(self, world: World) -> Execution:
        """Return the difference."""
        return _arithmetic(
            world, (self.first, self.second), lambda numbers: abs(numbers[0] - numbers[1])
        )


def _arithmetic(
    world: World, programs: Sequence[Program], combine: Callable[[list[int]], int]
) -> Execution:
    runs = [program.execute(world) for program in programs]
    answers = [run.only_answer or "" for run in runs]
    if not answers or not all(answer.isdecimal() for answer in answers):
        return NOTHING
    evidence = [fact for run in runs for fact in run.evidence]
    return _found(str(combine([int(answer) for answer in answers])), evidence)


@dataclass(frozen=True, slots=True)
class NumberOfChapter:
    """The number of a chapter."""

    KIND: ClassVar[str] = "number_of_chapter"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset()

    chapter: Program
    """Answers the chapter."""

    def execute(self, world: World) -> Execution:
        """Return the number."""
        return _of_chapter(world, self.chapter, "chapter.number")


@dataclass(frozen=True, slots=True)
class TitleOfChapter:
    """The title of a chapter, without book and number."""

    KIND: ClassVar[str] = "title_of_chapter"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset()

    chapter: Program
    """Answers the chapter."""

    def execute(self, world: World) -> Execution:
        """Return the title."""
        return _of_chapter(world, self.chapter, "chapter.title")


def _of_chapter(world: World, chapter: Program, relation: str) -> Execution:
    run = chapter.execute(world)
    facts = world.facts_of(run.only_answer or "", relation)
    return _found(facts[0].value, (*run.evidence, facts[0])) if facts else NOTHING


@dataclass(frozen=True, slots=True)
class MostMentioned:
    """Of several names the one that a chapter mentions most often."""

    KIND: ClassVar[str] = "most_mentioned"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"names"})

    chapter: Program
    """Answers the chapter."""
    names: tuple[str, ...]
    """The names to choose from."""

    def execute(self, world: World) -> Execution:
        """Return the name; nothing on a tie, or if a name is missing."""
        chapter = self.chapter.execute(world)
        mentions = [mentions_in(world, chapter.only_answer or "", name) for name in self.names]
        counts = sorted(map(len, mentions))
        if len(counts) < 2 or not counts[0] or counts[-1] == counts[-2]:
            return NOTHING
        most = max(zip(self.names, mentions, strict=True), key=lambda pair: len(pair[1]))
        evidence = [fact for each in mentions for fact in each]
        return _found(most[0], [*chapter.evidence, *evidence])


@dataclass(frozen=True, slots=True)
class FirstMentioned:
    """Of several names the one that appears first in a chapter."""

    KIND: ClassVar[str] = "first_mentioned"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"names"})

    chapter: Program
    """Answers the chapter."""
    names: tuple[str, ...]
    """The names to choose from."""

    def execute(self, world: World) -> Execution:
        """Return the name; nothing if one is missing or lies within another."""
        chapter = self.chapter.execute(world)
        each = [mentions_in(world, chapter.only_answer or "", name)[:1] for name in self.names]
        if len(each) < 2 or not all(each):
            return NOTHING
        first = sorted((mentions[0] for mentions in each), key=lambda fact: fact.start)
        if first[1].start < first[0].end:
            return NOTHING
        return _found(first[0].value, [*chapter.evidence, *first])


@dataclass(frozen=True, slots=True)
class LatestIntroduced:
    """Of several names the one whose first mention stands in the latest chapter of a book."""

    KIND: ClassVar[str] = "latest_introduced"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"book", "names"})

    book: str
    """Title of the book."""
    names: tuple[str, ...]
    """The names to choose from."""

    def execute(self, world: World) -> Execution:
        """Return the name; nothing on a tie, or if a name is missing."""
        numbers = chapters_in_order(world, self.book)
        first: list[tuple[int, Fact, Fact]] = []
        for name in self.names:
            found = next((n for n in numbers if mentions_in(world, n.subject, name)), None)
            if found is None:
                return NOTHING
            mention = mentions_in(world, found.subject, name)[0]
            first.append((int(found.value), mention, found))
        first.sort(key=lambda entry: (entry[0], entry[1].value))
        if len(first) < 2 or first[-1][0] == first[-2][0]:
            return NOTHING
        evidence = [fact for _, mention, number in first for fact in (mention, number)]
        return _found(first[-1][1].value, evidence)


@dataclass(frozen=True, slots=True)
class NameInAll:
    """Of several names the only one that each of some chapters mentions."""

    KIND: ClassVar[str] = "name_in_all"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"names"})

    chapters: tuple[Program, ...]
    """Answer the chapters."""
    names: tuple[str, ...]
    """The names to choose from."""

    def execute(self, world: World) -> Execution:
        """Return every name that all of the chapters mention."""
        runs = [chapter.execute(world) for chapter in self.chapters]
        if not runs or not all(run.only_answer for run in runs):
            return NOTHING
        evidence = [fact for run in runs for fact in run.evidence]
        answers: list[str] = []
        for name in self.names:
            each = [mentions_in(world, run.only_answer or "", name)[:1] for run in runs]
            if all(each):
                answers.append(name)
                evidence += [fact for first in each for fact in first]
        return Execution(frozenset(answers), distinct(evidence))


NODES: tuple[type[Program], ...] = (
    CountChaptersMentioning,
    CountMentions,
    FirstMentioned,
    LatestIntroduced,
    MentionDifference,
    MentionTotal,
    MostMentioned,
    NameInAll,
    NumberOfChapter,
    TitleOfChapter,
)
"""The node classes of this module."""
