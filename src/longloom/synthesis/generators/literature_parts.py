"""Pieces that questions on chapters are made of: wordings, and programs for what they name."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from longloom.records import RewardRule, TaskType
from longloom.synthesis.generators.book_view import BookView, Quotation
from longloom.synthesis.programs.choice import LETTERS, Choice
from longloom.synthesis.programs.mention_counts import (
    CountMentions,
    NumberOfChapter,
    TitleOfChapter,
)
from longloom.synthesis.programs.mentions import ChapterCalled, NameCalled
from longloom.synthesis.programs.node import Program

NUMBER_ONLY = "Answer with a number."
COUNTING = (
    "Count every appearance of exactly these words below the heading, also with 's or as part of a "
    "longer name. Answer with a number."
)
"""What counts as an appearance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question with its program, before it is executed."""

    question: str
    """The question."""
    program: Program
    """What answers it."""
    task_type: TaskType
    """Task type of the example."""
    ability: str
    """Question category."""
    reward_rule: RewardRule
    """How answers are scored."""
    num_hops: int
    """Steps to the answer."""
    min_documents: int
    """Documents that must be necessary."""


def named(name: str) -> str:
    """Return how a question speaks of a name as words."""
    return f'the name "{name}"'


def called_name(name: str) -> NameCalled:
    """Return the node of a name that the question states."""
    return NameCalled(name)


def quoted(quotation: Quotation, ending: str = ".") -> str:
    """Return a quotation word for word, followed by what ends the sentence unless it does."""
    ends = quotation.words[-1] in "?!."
    return f"\u201c{quotation.words}\u201d{'' if ends else ending}"


def count_of(chapter: str | Program, name: str | Program) -> CountMentions:
    """Return the node that counts a name in a chapter."""
    return CountMentions(
        ChapterCalled(chapter) if isinstance(chapter, str) else chapter,
        NameCalled(name) if isinstance(name, str) else name,
    )


def chapter_with(book: BookView, rng: Random, *, least: int, most: int) -> tuple[str, str] | None:
    """Draw a chapter and a name that it mentions so many times."""
    chapter = rng.choice(book.chapters)
    names = [name for name in book.names if least <= book.counts[chapter][name] <= most]
    return (chapter, rng.choice(names)) if names else None


def numerical(
    question: str, program: Program, ability: str, *, num_hops: int, min_documents: int
) -> Asked:
    """Return a question whose answer is counted or calculated."""
    return Asked(
        question=question,
        program=program,
        task_type=TaskType.NUMERICAL,
        ability=ability,
        reward_rule=RewardRule.NUMERIC,
        num_hops=num_hops,
        min_documents=min_documents,
    )


def ask_for_chapter(
    book: BookView,
    rng: Random,
    question: str,
    program: Program,
    ability: str,
    *,
    num_hops: int = 1,
    min_documents: int = 1,
) -> Asked | None:
    """Ask for the title of a chapter, or for its number; none if chapters have neither."""
    all_titled = len(book.titles) == len(book.chapters)
    by_title = all_titled and (not book.numbers or rng.random() < 0.5)
    if not by_title and len(book.numbers) < len(book.chapters) and not book.numbers:
        return None
    wish = "Give its title." if by_title else "Give its chapter number."
    return Asked(
        question=f"{question} {wish}",
        program=TitleOfChapter(program) if by_title else NumberOfChapter(program),
        task_type=TaskType.MULTI_HOP if min_documents > 1 else TaskType.READING_COMPREHENSION,
        ability=ability,
        reward_rule=RewardRule.COVER_EXACT_MATCH if by_title else RewardRule.NUMERIC,
        num_hops=num_hops,
        min_documents=min_documents,
    )


def choice(
    question: str,
    program: Program,
    options: Sequence[str],
    ability: str,
    rng: Random,
    *,
    num_hops: int,
    min_documents: int = 1,
) -> Asked:
    """Return a question with four lettered options in an order drawn at random."""
    shuffled = rng.sample(list(options), len(options))
    lines = "\n".join(
        f"{letter}. {option}" for letter, option in zip(LETTERS, shuffled, strict=True)
    )
    return Asked(
        question=f"{question}\n{lines}",
        program=Choice(program, tuple(shuffled)),
        task_type=TaskType.MULTIPLE_CHOICE,
        ability=ability,
        reward_rule=RewardRule.CHOICE,
        num_hops=num_hops,
        min_documents=min_documents,
    )
