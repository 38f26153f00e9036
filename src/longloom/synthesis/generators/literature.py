"""Questions on the chapters of books: mentions of names, and who says what.

Each maker draws one question of its shape on one book, or none if the book has nothing for it; the
generator goes round the makers until they are exhausted. What is asked is exact: names are asked
for as words that appear, never as who somebody is. Which chapters there are is what the context
holds, and every question that depends on it says so.
"""

from collections.abc import Callable, Iterator
from random import Random

from longloom.records import RewardRule, TaskType
from longloom.synthesis.generators.book_view import BookView, books_in
from longloom.synthesis.generators.draft import Draft, Setting
from longloom.synthesis.generators.literature_choices import CHOICE_MAKERS
from longloom.synthesis.generators.literature_parts import (
    COUNTING,
    NUMBER_ONLY,
    Asked,
    ask_for_chapter,
    called_name,
    chapter_with,
    count_of,
    named,
    numerical,
    quoted,
)
from longloom.synthesis.programs.mention_counts import (
    CountChaptersMentioning,
    MentionDifference,
    MentionTotal,
    NumberOfChapter,
)
from longloom.synthesis.programs.mentions import (
    ChapterCalled,
    ChapterOfQuotation,
    ChapterWithMostMentions,
    EarlierChapter,
    FirstChapterMentioning,
    FirstChapterWithBoth,
    LastChapterMentioning,
    NextChapterMentioning,
    SpeakerOf,
)
from longloom.synthesis.programs.world import World

Maker = Callable[[BookView, Random], Asked | None]

_MAX_ROUNDS = 60
_PATIENCE = 4
"""How often in a row a maker may find nothing before it is left out."""


def generate(setting: Setting, rng: Random) -> Iterator[Draft]:
    """Yield questions on the books of a context, going round the shapes."""
    books = [book for book in books_in(setting.world, setting.documents) if len(book.names) >= 4]
    misses = {(place, maker): 0 for place in range(len(books)) for maker in MAKERS}
    seen: set[str] = set()
    for _ in range(_MAX_ROUNDS):
        waiting = [key for key, missed in misses.items() if missed < _PATIENCE]
        if not waiting:
            return
        for key in rng.sample(waiting, len(waiting)):
            place, maker = key
            draft = _drafted(maker(books[place], rng), setting.world)
            if draft is None or draft.question in seen:
                misses[key] += 1
                continue
            misses[key] = 0
            seen.add(draft.question)
            yield draft


def _drafted(asked: Asked | None, world: World) -> Draft | None:
    """Execute a question's program to get its answer."""
    if asked is None:
        return None
    answer = asked.program.execute(world).only_answer
    if answer is None or (asked.reward_rule is RewardRule.NUMERIC and answer == "0"):
        return None
    return Draft(
        task_type=asked.task_type,
        ability=asked.ability,
        question=asked.question,
        program=asked.program,
        answer=answer,
        reward_rule=asked.reward_rule,
        num_hops=asked.num_hops,
        min_documents=asked.min_documents,
    )


def count_in_chapter(book: BookView, rng: Random) -> Asked | None:
    """How often a name appears in one chapter."""
    found = chapter_with(book, rng, least=2, most=15)
    if found is None:
        return None
    chapter, name = found
    question = f"How many times does {named(name)} appear in {book.called(chapter)}? {COUNTING}"
    return numerical(question, count_of(chapter, name), "aggregation", num_hops=1, min_documents=1)


def total_over_chapters(book: BookView, rng: Random) -> Asked | None:
    """How often a name appears in two or three chapters together."""
    name = rng.choice(book.names)
    apt = [chapter for chapter in book.chapters if 1 <= book.counts[chapter][name] <= 12]
    count = rng.choice((2, 3))
    if len(apt) < count:
        return None
    chosen = rng.sample(apt, count)
    question = (
        f"How many times does {named(name)} appear in {book.called_all(chosen)} taken together? "
        f"{COUNTING}"
    )
    program = MentionTotal(tuple(count_of(chapter, name) for chapter in chosen))
    return numerical(question, program, "aggregation", num_hops=count, min_documents=count)


def difference_between_chapters(book: BookView, rng: Random) -> Asked | None:
    """By how much two chapters differ in mentions of a name."""
    name = rng.choice(book.names)
    apt = [chapter for chapter in book.chapters if 1 <= book.counts[chapter][name] <= 15]
    if len(apt) < 2:
        return None
    first, second = rng.sample(apt, 2)
    more, fewer = sorted((first, second), key=lambda chapter: -book.counts[chapter][name])
    question = (
        f"How many more times does {named(name)} appear in {book.called(more)} than in "
        f"{book.called(fewer)}? {COUNTING}"
    )
    program = MentionDifference(count_of(more, name), count_of(fewer, name))
    return numerical(question, program, "comparison", num_hops=2, min_documents=2)


def chapters_mentioning(book: BookView, rng: Random) -> Asked | None:
    """How many chapters mention a name, or two names."""
    names = book.unlike(book.names, rng, rng.choice((1, 2)))
    with_all = set(book.chapters).intersection(*(book.chapters_with(name) for name in names))
    if not 2 <= len(with_all) <= 12:
        return None
    both = " and ".join(named(name) for name in names)
    start = f"In how many of the given chapters of {book.title}"
    ending = f"do {both} both appear" if len(names) == 2 else f"does {both} appear at least once"
    question = f"{start} {ending}? {NUMBER_ONLY}"
    program = CountChaptersMentioning(book.title, tuple(map(called_name, names)))
    return numerical(question, program, "aggregation", num_hops=2, min_documents=2)


def chapters_between(book: BookView, rng: Random) -> Asked | None:
    """How far the first and the last chapter with a name lie apart."""
    name = rng.choice(book.names)
    if len(book.numbered_with(name)) < 2:
        return None
    question = (
        f"Among the given chapters of {book.title}, take the first and the last in which "
        f"{named(name)} appears. By how much do their chapter numbers differ? {NUMBER_ONLY}"
    )
    program = MentionDifference(
        NumberOfChapter(FirstChapterMentioning(book.title, called_name(name))),
        NumberOfChapter(LastChapterMentioning(book.title, called_name(name))),
    )
    return numerical(question, program, "temporal", num_hops=2, min_documents=2)


def first_appearances_apart(book: BookView, rng: Random) -> Asked | None:
    """How far the first appearances of two names lie apart."""
    names = book.unlike([name for name in book.names if book.numbered_with(name)], rng, 2)
    if len(names) < 2 or len({book.numbered_with(name)[0] for name in names}) < 2:
        return None
    question = (
        f"Among the given chapters of {book.title}, find the first in which {named(names[0])} "
        f"appears and the first in which {named(names[1])} appears. By how much do their chapter "
        f"numbers differ? {NUMBER_ONLY}"
    )
    firsts = [FirstChapterMentioning(book.title, called_name(name)) for name in names]
    program = MentionDifference(NumberOfChapter(firsts[0]), NumberOfChapter(firsts[1]))
    return numerical(question, program, "temporal", num_hops=2, min_documents=2)


def first_or_last_chapter(book: BookView, rng: Random) -> Asked | None:
    """The first or last chapter with a name."""
    name = rng.choice(book.names)
    if not 2 <= len(book.numbered_with(name)) < len(book.numbers):
        return None
    is_first = rng.random() < 0.5
    node = FirstChapterMentioning if is_first else LastChapterMentioning
    which = "first" if is_first else "last"
    question = (
        f"Which is the {which} of the given chapters of {book.title}, by chapter number, in which "
        f"{named(name)} appears?"
    )
    return ask_for_chapter(book, rng, question, node(book.title, called_name(name)), "temporal")


def first_with_both(book: BookView, rng: Random) -> Asked | None:
    """The first chapter in which two names appear."""
    names = book.unlike(book.names[:40], rng, 2)
    if len(names) < 2 or not set(book.numbered_with(names[0])) & set(book.numbered_with(names[1])):
        return None
    question = (
        f"Which is the first of the given chapters of {book.title}, by chapter number, in which "
        f"both {named(names[0])} and {named(names[1])} appear?"
    )
    program = FirstChapterWithBoth(book.title, called_name(names[0]), called_name(names[1]))
    return ask_for_chapter(book, rng, question, program, "multi_fact", num_hops=2)


def next_after_chapter(book: BookView, rng: Random) -> Asked | None:
    """The next chapter with a name after a given chapter."""
    name = rng.choice(book.names)
    later = book.numbered_with(name)
    if len(later) < 2 or len(book.numbers) < 3:
        return None
    after = rng.choice(book.numbers[:-1])[0]
    question = (
        f"Which is the first of the given chapters after {book.called(after)} in which "
        f"{named(name)} appears?"
    )
    program = NextChapterMentioning(ChapterCalled(after), called_name(name))
    return ask_for_chapter(book, rng, question, program, "temporal", num_hops=2, min_documents=2)


def next_after_first(book: BookView, rng: Random) -> Asked | None:
    """The next chapter with one name after the first with another."""
    names = book.unlike(book.names[:60], rng, 2)
    if len(names) < 2:
        return None
    question = (
        f"Among the given chapters of {book.title}, find the first in which {named(names[0])} "
        f"appears. Which is the next given chapter after it in which {named(names[1])} appears?"
    )
    program = NextChapterMentioning(
        FirstChapterMentioning(book.title, called_name(names[0])), called_name(names[1])
    )
    return ask_for_chapter(book, rng, question, program, "temporal", num_hops=3, min_documents=2)


def next_after_quotation(book: BookView, rng: Random) -> Asked | None:
    """The next chapter with a name after the one in which something is said."""
    if not book.quotations:
        return None
    quotation, name = rng.choice(book.quotations), rng.choice(book.names[:60])
    question = (
        f"In one of the given chapters of {book.title} it is said: {quoted(quotation)} Which is "
        f"the next given chapter after that one in which {named(name)} appears?"
    )
    program = NextChapterMentioning(ChapterOfQuotation(quotation.words), called_name(name))
    return ask_for_chapter(book, rng, question, program, "multi_fact", num_hops=2, min_documents=2)


def chapter_with_most(book: BookView, rng: Random) -> Asked | None:
    """Which of three chapters mentions a name most often."""
    name = rng.choice(book.names)
    apt = [chapter for chapter in book.chapters if 1 <= book.counts[chapter][name] <= 25]
    if len(apt) < 3:
        return None
    chosen = tuple(rng.sample(apt, 3))
    question = (
        f"In which of {book.called_all(chosen)} does {named(name)} appear most often? "
        "Count every appearance of exactly these words."
    )
    program = ChapterWithMostMentions(chosen, called_name(name))
    return ask_for_chapter(book, rng, question, program, "comparison", num_hops=3, min_documents=3)


def who_says(book: BookView, rng: Random) -> Asked | None:
    """Who says something."""
    if not book.quotations:
        return None
    quotation = rng.choice(book.quotations)
    question = (
        f"Who says, in the given chapters of {book.title}: {quoted(quotation, '?')} Give the "
        "name that stands beside these words."
    )
    return Asked(
        question=question,
        program=SpeakerOf(quotation.words),
        task_type=TaskType.READING_COMPREHENSION,
        ability="viewpoint",
        reward_rule=RewardRule.COVER_EXACT_MATCH,
        num_hops=1,
        min_documents=1,
    )


def where_said(book: BookView, rng: Random) -> Asked | None:
    """In which chapter something is said."""
    if not book.quotations:
        return None
    quotation = rng.choice(book.quotations)
    question = (
        f"In which of the given chapters of {book.title} is it said: {quoted(quotation, '?')}"
    )
    program = ChapterOfQuotation(quotation.words)
    return ask_for_chapter(book, rng, question, program, "multi_fact")


def earlier_quotation(book: BookView, rng: Random) -> Asked | None:
    """The earlier of the chapters in which two things are said."""
    if len({quotation.chapter for quotation in book.quotations}) < 2:
        return None
    first, second = rng.sample(book.quotations, 2)
    if first.chapter == second.chapter:
        return None
    question = (
        f"Two things are said in different chapters of {book.title} given here: "
        f"{quoted(first, '')} and {quoted(second)} Which chapter holds the one "
        "that is said earlier in the book?"
    )
    program = EarlierChapter(ChapterOfQuotation(first.words), ChapterOfQuotation(second.words))
    return ask_for_chapter(book, rng, question, program, "temporal", num_hops=3, min_documents=2)


def first_with_speaker(book: BookView, rng: Random) -> Asked | None:
    """The first chapter that names whoever says something."""
    if not book.quotations:
        return None
    quotation = rng.choice(book.quotations)
    if book.numbered_with(quotation.speaker)[:1] in ([], [quotation.chapter]):
        return None
    question = (
        f"Find who says, in the given chapters of {book.title}: {quoted(quotation)} Take the "
        "speaker's name as it stands beside these words. Which is the first of the given chapters, "
        "by chapter number, in which that name appears?"
    )
    program = FirstChapterMentioning(book.title, SpeakerOf(quotation.words))
    return ask_for_chapter(book, rng, question, program, "multi_fact", num_hops=2, min_documents=2)


def mentions_of_speaker(book: BookView, rng: Random) -> Asked | None:
    """How often another chapter names whoever says something."""
    if not book.quotations:
        return None
    quotation = rng.choice(book.quotations)
    others = [
        chapter
        for chapter in book.chapters
        if chapter != quotation.chapter and 1 <= book.counts[chapter][quotation.speaker] <= 15
    ]
    if not others:
        return None
    chapter = rng.choice(others)
    question = (
        f"Find who says, in the given chapters of {book.title}: {quoted(quotation)} How many times "
        f"does the speaker's name, as it stands beside these words, appear in "
        f"{book.called(chapter)}? {COUNTING}"
    )
    program = count_of(chapter, SpeakerOf(quotation.words))
    return numerical(question, program, "aggregation", num_hops=2, min_documents=2)


def count_in_first_chapter(book: BookView, rng: Random) -> Asked | None:
    """How often a name appears in the first chapter with another."""
    names = book.unlike(book.names[:60], rng, 2)
    if len(names) < 2 or not book.numbered_with(names[0]):
        return None
    chapter = book.numbered_with(names[0])[0]
    if not 1 <= book.counts[chapter][names[1]] <= 15:
        return None
    question = (
        f"Find the first of the given chapters of {book.title}, by chapter number, in which "
        f"{named(names[0])} appears. How many times does {named(names[1])} appear in that chapter? "
        f"{COUNTING}"
    )
    first = FirstChapterMentioning(book.title, called_name(names[0]))
    program = count_of(first, names[1])
    return numerical(question, program, "aggregation", num_hops=2, min_documents=1)


MAKERS: tuple[Maker, ...] = (
    chapter_with_most,
    chapters_between,
    chapters_mentioning,
    count_in_chapter,
    count_in_first_chapter,
    difference_between_chapters,
    earlier_quotation,
    first_appearances_apart,
    first_or_last_chapter,
    first_with_both,
    first_with_speaker,
    mentions_of_speaker,
    next_after_chapter,
    next_after_first,
    next_after_quotation,
    total_over_chapters,
    where_said,
    who_says,
    *CHOICE_MAKERS,
)
"""Every kind of question."""
