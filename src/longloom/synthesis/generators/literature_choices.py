"""Multiple-choice questions on the chapters of books; the options are names of the same book."""

from collections.abc import Callable
from random import Random

from longloom.synthesis.generators.book_view import BookView, overlaps
from longloom.synthesis.generators.literature_parts import Asked, called_name, choice, named, quoted
from longloom.synthesis.programs.mention_counts import (
    FirstMentioned,
    LatestIntroduced,
    MostMentioned,
    NameInAll,
    NumberOfChapter,
    TitleOfChapter,
)
from longloom.synthesis.programs.mentions import (
    ChapterCalled,
    ChapterOfQuotation,
    FirstChapterMentioning,
    LastChapterMentioning,
    SpeakerOf,
)
from longloom.synthesis.programs.node import Program

_NUM_OPTIONS = 4


def most_mentioned(book: BookView, rng: Random) -> Asked | None:
    """Which of four names a chapter mentions most often."""
    chapter = rng.choice(book.chapters)
    return _most_in(book, rng, chapter, ChapterCalled(chapter), f"{book.called(chapter)}?", 1)


def most_mentioned_in_first(book: BookView, rng: Random) -> Asked | None:
    """Which of four names is mentioned most in the first chapter with a fifth."""
    if not book.numbers:
        return None
    name = rng.choice(book.names)
    if not book.numbered_with(name):
        return None
    program = FirstChapterMentioning(book.title, called_name(name))
    where = (
        f"the first of the given chapters of {book.title}, by chapter number, in which "
        f"{named(name)} appears?"
    )
    return _most_in(book, rng, book.numbered_with(name)[0], program, where, 2)


def most_mentioned_beside_quotation(book: BookView, rng: Random) -> Asked | None:
    """Which of four names is mentioned most in the chapter in which something is said."""
    if not book.quotations:
        return None
    quotation = rng.choice(book.quotations)
    program = ChapterOfQuotation(quotation.words)
    where = f"the chapter of {book.title} in which it is said: {quoted(quotation, '?')}"
    return _most_in(book, rng, quotation.chapter, program, where, 2)


def _most_in(
    book: BookView, rng: Random, chapter: str, program: Program, where: str, num_hops: int
) -> Asked | None:
    counts = book.counts[chapter]
    names = book.unlike([name for name in book.names if counts[name]], rng, _NUM_OPTIONS)
    ranked = sorted((counts[name] for name in names), reverse=True)
    # A margin of two, so that a reader who overlooks one appearance is still right.
    if len(names) < _NUM_OPTIONS or ranked[0] - ranked[1] < 2 or sum(ranked) > 60:
        return None
    question = f"Which of these names appears most often, alone or in longer names, in {where}"
    program = MostMentioned(program, tuple(names))
    return choice(question, program, names, "comparison", rng, num_hops=num_hops)


def first_in_chapter(book: BookView, rng: Random) -> Asked | None:
    """Which of four names appears first in a chapter."""
    chapter = rng.choice(book.chapters)
    heading = book.titles.get(chapter, "")
    present = [
        name for name in book.names if book.counts[chapter][name] and not overlaps(name, heading)
    ]
    names = book.unlike(present, rng, _NUM_OPTIONS)
    if len(names) < _NUM_OPTIONS:
        return None
    question = f"Which of these names appears first in the text of {book.called(chapter)}?"
    program = FirstMentioned(ChapterCalled(chapter), tuple(names))
    return choice(question, program, names, "temporal", rng, num_hops=1)


def latest_introduced(book: BookView, rng: Random) -> Asked | None:
    """Which of four names makes its first appearance last."""
    # Names of one chapter each: without that chapter the question has no answer.
    names = book.unlike([n for n in book.names if len(book.numbered_with(n)) == 1], rng, 4)
    if len(names) < _NUM_OPTIONS or len({book.numbered_with(name)[0] for name in names}) < 3:
        return None
    question = (
        f"For each of these names find the first of the given chapters of {book.title}, by chapter "
        "number, in which it appears. Which name makes its first appearance in the latest chapter?"
    )
    program = LatestIntroduced(book.title, tuple(names))
    return choice(question, program, names, "temporal", rng, num_hops=4, min_documents=2)


def name_in_all(book: BookView, rng: Random) -> Asked | None:
    """Which of four names two or three chapters have in common."""
    count = rng.choice((2, 3))
    if len(book.chapters) < count:
        return None
    chosen = rng.sample(book.chapters, count)
    in_all = [name for name in book.names if all(book.counts[c][name] for c in chosen)]
    in_some = [
        name
        for name in book.names
        if name not in in_all and any(book.counts[chapter][name] for chapter in chosen)
    ]
    if not in_all:
        return None
    right = rng.choice(in_all)
    others = [name for name in in_some if not overlaps(name, right)]
    names = [right, *book.unlike(others, rng, _NUM_OPTIONS - 1)]
    if len(names) < _NUM_OPTIONS:
        return None
    each = "both of" if count == 2 else "all of"
    question = f"Which of these names appears in {each} {book.called_all(chosen)}?"
    program = NameInAll(tuple(map(ChapterCalled, chosen)), tuple(names))
    return choice(question, program, names, "multi_fact", rng, num_hops=count, min_documents=count)


def speaker(book: BookView, rng: Random) -> Asked | None:
    """Which of four people says something."""
    speakers = list(dict.fromkeys(quotation.speaker for quotation in book.quotations))
    if len(speakers) < 2:
        return None
    quotation = rng.choice(book.quotations)
    others = [n for n in (*speakers, *book.names[:12]) if n.split()[-1] not in quotation.speaker]
    apt = [name for name in dict.fromkeys(others) if quotation.speaker.split()[-1] not in name]
    names = [quotation.speaker, *book.unlike(apt, rng, _NUM_OPTIONS - 1)]
    if len(names) < _NUM_OPTIONS:
        return None
    question = f"Who says, in the given chapters of {book.title}: {quoted(quotation, '?')}"
    program = SpeakerOf(quotation.words)
    return choice(question, program, names, "viewpoint", rng, num_hops=1)


def chapter_of_quotation(book: BookView, rng: Random) -> Asked | None:
    """In which of four chapters something is said."""
    if not book.quotations:
        return None
    quotation = rng.choice(book.quotations)
    question = f"In which chapter of {book.title} is it said: {quoted(quotation, '?')}"
    program = ChapterOfQuotation(quotation.words)
    return _among_chapters(book, rng, question, program, quotation.chapter)


def end_of_name(book: BookView, rng: Random) -> Asked | None:
    """Which of four chapters is the first or last with a name."""
    name = rng.choice(book.names)
    chapters = book.numbered_with(name)
    if len(chapters) < 2:
        return None
    is_first = rng.random() < 0.5
    node = FirstChapterMentioning if is_first else LastChapterMentioning
    question = (
        f"Which is the {'first' if is_first else 'last'} of all the given chapters of {book.title} "
        f"in which {named(name)} appears?"
    )
    program = node(book.title, called_name(name))
    return _among_chapters(book, rng, question, program, chapters[0 if is_first else -1])


def _among_chapters(
    book: BookView, rng: Random, question: str, program: Program, right: str
) -> Asked | None:
    """Ask with titles as options where the chapters have them, else with numbers."""
    shown = book.titles
    if right not in shown or len(shown) < _NUM_OPTIONS:
        shown = {chapter: str(number) for chapter, number in book.numbers}
        program = NumberOfChapter(program)
        question = question.replace("Which is", "Which is, by number,").replace(
            "In which chapter", "In which chapter, by number,"
        )
    else:
        program = TitleOfChapter(program)
    others = sorted({text for text in shown.values() if text != shown.get(right)})
    if right not in shown or len(others) < _NUM_OPTIONS - 1:
        return None
    options = [shown[right], *rng.sample(others, _NUM_OPTIONS - 1)]
    return choice(question, program, options, "multi_fact", rng, num_hops=2)


CHOICE_MAKERS: tuple[Callable[[BookView, Random], Asked | None], ...] = (
    chapter_of_quotation,
    end_of_name,
    first_in_chapter,
    latest_introduced,
    most_mentioned,
    most_mentioned_beside_quotation,
    most_mentioned_in_first,
    name_in_all,
    speaker,
)
"""Every kind of multiple-choice question."""
