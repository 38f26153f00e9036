from random import Random

from longloom.records import BlockKind, Document, DocumentKind, TaskType
from longloom.synthesis.documents.building import DocumentBuilder, Reading
from longloom.synthesis.facts import mentions
from longloom.synthesis.generators.book_view import books_in, overlaps
from longloom.synthesis.generators.draft import Draft, Setting
from longloom.synthesis.generators.literature import generate
from longloom.synthesis.programs.codec import shape_of
from longloom.synthesis.programs.world import World

PEOPLE = ["Mr. Reed", "Ann Marsh", "Captain Bold", "Dorset", "Tom", "Winterton", "Mrs. Vane"]


def chapter(number: int, rng: Random) -> Reading:
    """A chapter with some of the people, each a few times, and something said."""
    builder = DocumentBuilder(
        title=f"Salt, chapter {number}: Part {'ABCDEFGHI'[number]}",
        kind=DocumentKind.GENERAL,
        genre="novel",
        source="x",
        licence="none",
    )
    builder.begin(BlockKind.HEADING, 1)
    builder.mark("header", builder.add("Salt"), field="book")
    builder.add(", chapter ")
    builder.mark("header", builder.add(str(number)), field="number")
    builder.add(": ")
    builder.mark("header", builder.add(f"Part {'ABCDEFGHI'[number]}"), field="title")
    for name in rng.sample(PEOPLE, 5):
        for _ in range(rng.randint(1, 4)):
            builder.block(BlockKind.PARAGRAPH, f"On that day they saw {name} by the sea.")
    speaker = rng.choice(PEOPLE)
    words = f"There were {number} ships in the bay that night"
    builder.block(BlockKind.PARAGRAPH, f"\u201c{words},\u201d said {speaker}.")
    return builder.build()


def setting() -> Setting:
    rng = Random(5)
    readings = [chapter(number, rng) for number in range(1, 9)]
    facts = {reading.document.doc_id: mentions.extract(reading) for reading in readings}
    documents: dict[str, Document] = {r.document.doc_id: r.document for r in readings}
    return Setting(world=World(facts), documents=documents)


def drafts(seed: int = 1) -> list[Draft]:
    return list(generate(setting(), Random(seed)))


def test_many_shapes_of_four_task_types_are_drawn() -> None:
    found = drafts()
    assert len({shape_of(draft.program) for draft in found}) >= 25
    assert {draft.task_type for draft in found} == {
        TaskType.MULTI_HOP,
        TaskType.MULTIPLE_CHOICE,
        TaskType.NUMERICAL,
        TaskType.READING_COMPREHENSION,
    }


def test_every_answer_is_the_only_one_of_its_program() -> None:
    world = setting().world
    for draft in drafts():
        assert draft.program.execute(world).only_answer == draft.answer


def test_no_question_is_asked_twice() -> None:
    questions = [draft.question for draft in drafts()]
    assert len(set(questions)) == len(questions)


def test_questions_depend_on_the_seed_alone() -> None:
    assert drafts(3) == drafts(3)
    assert drafts(3) != drafts(4)


def test_choices_end_with_four_lettered_options() -> None:
    for draft in drafts():
        if draft.task_type is TaskType.MULTIPLE_CHOICE:
            letters = [line[:3] for line in draft.question.split("\n")[-4:]]
            assert letters == ["A. ", "B. ", "C. ", "D. "]
            assert draft.answer in "ABCD"


def test_most_questions_on_several_chapters_need_each() -> None:
    world = setting().world
    several = [draft for draft in drafts() if draft.min_documents > 1]
    needed = 0
    for draft in several:
        gold = {fact.doc_id for fact in draft.program.execute(world).evidence}
        left = [draft.program.execute(world.without([doc])).only_answer for doc in gold]
        needed += len(gold) >= draft.min_documents and draft.answer not in left
    assert needed > 0.8 * len(several) > 8


def test_a_context_without_books_gives_nothing() -> None:
    assert list(generate(Setting(world=World({}), documents={}), Random(1))) == []


def test_names_that_share_a_word_overlap_unless_it_is_a_title() -> None:
    assert overlaps("Mr. Reed", "Ann Reed")
    assert not overlaps("Mr. Reed", "Mr. Bold")


def test_names_in_the_title_of_the_book_are_left_out() -> None:
    given = setting()
    (book,) = books_in(given.world, given.documents)
    assert "Salt" not in book.names
    assert "Captain Bold" in book.names
