"""A book of four chapters, of which chapter 1 is given last.

chapter 1: Reed Reed Tom    chapter 2: Reed    chapter 5: Ann Ann Ann Tom    chapter 9: Tom Reed
"""

import pytest

from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.programs import mention_counts, mentions
from longloom.synthesis.programs.codec import from_json, to_json
from longloom.synthesis.programs.mention_counts import (
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
from longloom.synthesis.programs.mentions import (
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
from longloom.synthesis.programs.node import Program
from longloom.synthesis.programs.world import World

NAMES = {2: "Reed", 5: "Ann Ann Ann Tom", 9: "Tom Reed", 1: "Reed Reed Tom"}
SAID = {2: ("Go north", "Reed"), 9: ("Go south", "Tom")}


def fact(subject: str, relation: str, value: str, number: int, start: int) -> Fact:
    return Fact(
        subject=subject,
        relation=f"chapter.{relation}",
        value=value,
        value_kind="text",
        subject_kind="chapter",
        doc_id=f"d{number}",
        start=start,
        end=start + 1,
        certainty=2,
    )


def chapter(number: int) -> list[Fact]:
    name = f"Salt, chapter {number}"
    found = [
        fact(name, "book", "Salt", number, 0),
        fact(name, "number", str(number), number, 1),
        fact(name, "title", f"Title {number}", number, 2),
    ]
    for place, mentioned in enumerate(NAMES[number].split()):
        found.append(fact(name, "mentions", mentioned, number, 10 + place))
    if number in SAID:
        words, speaker = SAID[number]
        found.append(fact(name, "says", words, number, 50))
        found.append(fact(words, "speaker", speaker, number, 51))
    return found


WORLD = World({f"d{number}": chapter(number) for number in NAMES})
REED, TOM, ANN = NameCalled("Reed"), NameCalled("Tom"), NameCalled("Ann")
FIVE, NINE = ChapterCalled("Salt, chapter 5"), ChapterCalled("Salt, chapter 9")

ANSWERS: list[tuple[Program, str | None]] = [
    (FirstChapterMentioning("Salt", REED), "Salt, chapter 1"),
    (FirstChapterMentioning("Salt", NameCalled("Bob")), None),
    (FirstChapterMentioning("Pepper", REED), None),
    (LastChapterMentioning("Salt", REED), "Salt, chapter 9"),
    (LastChapterMentioning("Salt", ANN), "Salt, chapter 5"),
    (FirstChapterWithBoth("Salt", TOM, ANN), "Salt, chapter 5"),
    (FirstChapterWithBoth("Salt", REED, ANN), None),
    (NextChapterMentioning(FirstChapterMentioning("Salt", REED), TOM), "Salt, chapter 5"),
    (NextChapterMentioning(NINE, TOM), None),
    (ChapterWithMostMentions(("Salt, chapter 1", "Salt, chapter 2"), REED), "Salt, chapter 1"),
    (ChapterWithMostMentions(("Salt, chapter 9", "Salt, chapter 2"), REED), None),
    (ChapterWithMostMentions(("Salt, chapter 1", "Salt, chapter 5"), REED), None),
    (ChapterOfQuotation("Go north"), "Salt, chapter 2"),
    (
        EarlierChapter(ChapterOfQuotation("Go south"), ChapterOfQuotation("Go north")),
        "Salt, chapter 2",
    ),
    (EarlierChapter(FIVE, FIVE), None),
    (SpeakerOf("Go south"), "Tom"),
    (SpeakerOf("Go west"), None),
    (ChapterCalled("Salt, chapter 3"), None),
    (CountMentions(FIVE, ANN), "3"),
    (CountMentions(FIVE, REED), None),
    (CountMentions(NINE, SpeakerOf("Go north")), "1"),
    (CountChaptersMentioning("Salt", (TOM,)), "3"),
    (CountChaptersMentioning("Salt", (TOM, REED)), "2"),
    (MentionTotal((CountMentions(FIVE, ANN), CountMentions(NINE, TOM))), "4"),
    (MentionDifference(CountMentions(NINE, TOM), CountMentions(FIVE, ANN)), "2"),
    (NumberOfChapter(LastChapterMentioning("Salt", TOM)), "9"),
    (TitleOfChapter(FIVE), "Title 5"),
    (MostMentioned(FIVE, ("Ann", "Tom")), "Ann"),
    (MostMentioned(NINE, ("Reed", "Tom")), None),
    (FirstMentioned(NINE, ("Reed", "Tom")), "Tom"),
    (FirstMentioned(NINE, ("Reed", "Ann")), None),
    (LatestIntroduced("Salt", ("Reed", "Ann")), "Ann"),
    (LatestIntroduced("Salt", ("Reed", "Tom")), None),
    (NameInAll((FIVE, NINE), ("Reed", "Tom", "Ann")), "Tom"),
]


@pytest.mark.parametrize(("program", "answer"), ANSWERS, ids=lambda value: str(value)[:60])
def test_programs_answer_as_worked_by_hand(program: Program, answer: str | None) -> None:
    assert program.execute(WORLD).only_answer == answer


@pytest.mark.parametrize("program", [program for program, answer in ANSWERS if answer])
def test_the_documents_of_the_evidence_alone_give_the_same_answer(program: Program) -> None:
    execution = program.execute(WORLD)
    gold = {evidence.doc_id for evidence in execution.evidence}
    assert gold
    assert program.execute(WORLD.only(gold)).answers == execution.answers


def test_without_a_chapter_that_is_compared_there_is_no_answer() -> None:
    program = MentionDifference(CountMentions(NINE, TOM), CountMentions(FIVE, ANN))
    assert program.execute(WORLD.without(["d9"])).only_answer is None
    assert program.execute(WORLD.without(["d2"])).only_answer == "2"


def test_programs_are_written_and_read_back() -> None:
    classes = {node.KIND: node for node in (*mentions.NODES, *mention_counts.NODES)}
    assert len(classes) == len(mentions.NODES) + len(mention_counts.NODES)
    for program, _ in ANSWERS:
        assert from_json(to_json(program), classes) == program
