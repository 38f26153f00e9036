"""What a generator needs to know of the books in a context: chapters, good names, quotations."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random

from longloom.records import Document
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.facts.name_words import TITLES
from longloom.synthesis.programs.mentions import chapters_in_order
from longloom.synthesis.programs.world import World

_MIN_ALONE = 2
_MIN_ALONE_FRACTION = 0.2  # below it a name is mostly part of longer ones, or an ordinary word
_ORDINARY = re.compile(r"(?<![\w\u2019'])[a-z]{2,}")
_QUOTATION_CHARACTERS = range(25, 180)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotation:
    """Something said, with who says it where."""

    words: str
    """The words, as they stand."""
    speaker: str
    """The name beside them."""
    chapter: str
    """Display name of the chapter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BookView:
    """One book, as far as its chapters are in the context."""

    title: str
    """Title of the book."""
    chapters: tuple[str, ...]
    """Display names of all its chapters, in the order of the context."""
    numbers: tuple[tuple[str, int], ...]
    """The numbered ones with their numbers, in that order."""
    titles: dict[str, str]
    """Titles by chapter, for those that have one."""
    counts: dict[str, Counter[str]]
    """How often each good name is mentioned, by chapter."""
    names: tuple[str, ...]
    """The good names, most mentioned first."""
    quotations: tuple[Quotation, ...]
    """Quotations whose words stand once in the context."""

    def number_of(self, chapter: str) -> int | None:
        """Return a chapter's number, if it has one."""
        return dict(self.numbers).get(chapter)

    def called(self, chapter: str) -> str:
        """Return how a question names a chapter."""
        number = self.number_of(chapter)
        if number is not None:
            return f"chapter {number} of {self.title}"
        return f'"{self.titles.get(chapter, chapter)}" in {self.title}'

    def called_all(self, chapters: Sequence[str]) -> str:
        """Return how a question names several chapters."""
        numbers = [self.number_of(chapter) for chapter in chapters]
        if all(number is not None for number in numbers):
            shown, start = [str(number) for number in numbers], "chapters "
        else:
            shown, start = [f'"{self.titles.get(chapter, chapter)}"' for chapter in chapters], ""
        place = "of" if start else "in"
        return f"{start}{', '.join(shown[:-1])} and {shown[-1]} {place} {self.title}"

    def chapters_with(self, name: str) -> list[str]:
        """Return the chapters that mention a name."""
        return [chapter for chapter in self.chapters if self.counts[chapter][name]]

    def numbered_with(self, name: str) -> list[str]:
        """Return the numbered chapters that mention a name, in order."""
        return [chapter for chapter, _ in self.numbers if self.counts[chapter][name]]

    def unlike(self, names: Sequence[str], rng: Random, count: int) -> list[str]:
        """Draw names of which none lies within another."""
        kept: list[str] = []
        for name in rng.sample(names, len(names)):
            if not any(overlaps(name, other) for other in kept):
                kept.append(name)
            if len(kept) == count:
                break
        return kept


def overlaps(name: str, other: str) -> bool:
    """Say whether two names share a word other than a title: `Mr. Darcy` and `Miss Darcy`."""
    return bool(set(name.split()) & set(other.split()) - TITLES)


def books_in(world: World, documents: Mapping[str, Document]) -> list[BookView]:
    """Return the books of a context, in order of first appearance."""
    doc_ids = dict.fromkeys(fact.doc_id for fact in world.facts_with("chapter.book"))
    texts = [documents[doc_id].text for doc_id in doc_ids if doc_id in documents]
    ordinary = frozenset(word for text in texts for word in _ORDINARY.findall(text))
    titles = dict.fromkeys(fact.value for fact in world.facts_with("chapter.book"))
    return [_view(world, title, ordinary) for title in titles]


def _view(world: World, title: str, ordinary: frozenset[str]) -> BookView:
    chapters = tuple(fact.subject for fact in world.facts_naming("chapter.book", title))
    mentions = {chapter: world.facts_of(chapter, "chapter.mentions") for chapter in chapters}
    every = [fact for facts in mentions.values() for fact in facts]
    good = [
        name
        for name in _good_names(every)
        if not overlaps(name, title) and (" " in name or name.lower() not in ordinary)
    ]
    numbers = tuple((fact.subject, int(fact.value)) for fact in chapters_in_order(world, title))
    is_unambiguous = all(first[1] < second[1] for first, second in pairwise(numbers))
    return BookView(
        title=title,
        chapters=chapters,
        numbers=numbers if is_unambiguous else (),
        titles={
            fact.subject: fact.value
            for chapter in chapters
            for fact in world.facts_of(chapter, "chapter.title")[:1]
        },
        counts={
            chapter: Counter(fact.value for fact in facts if fact.value in good)
            for chapter, facts in mentions.items()
        },
        names=tuple(good),
        quotations=tuple(_quotations(world, chapters, title)),
    )


def _good_names(mentions: Sequence[Fact]) -> list[str]:
    """Return names that stand alone often enough to be names, most mentioned first."""
    every = Counter(fact.value for fact in mentions)
    alone = Counter(fact.value for fact in mentions if ("stands", "alone") in fact.qualifiers)
    return [
        name
        for name, count in every.most_common()
        if alone[name] >= _MIN_ALONE
        and alone[name] >= _MIN_ALONE_FRACTION * count
        and len(name) > 3
        and not name.endswith("ian")  # Belgian, Christian: whom it names is anyone
    ]


def _quotations(world: World, chapters: Sequence[str], book: str) -> list[Quotation]:
    found: list[Quotation] = []
    for chapter in chapters:
        for fact in world.facts_of(chapter, "chapter.says"):
            speakers = world.facts_of(fact.value, "chapter.speaker")
            is_single = len(world.facts_naming("chapter.says", fact.value)) == 1
            is_apt = len(fact.value) in _QUOTATION_CHARACTERS and "\n" not in fact.value
            if len(speakers) == 1 and is_single and is_apt:
                speaker = speakers[0].value
                if speaker not in fact.value and not overlaps(speaker, book):
                    found.append(Quotation(words=fact.value, speaker=speaker, chapter=chapter))
    return found
