"""Values of task dialogues: changes, bookings, sums and comparisons."""

import pytest

from longloom.synthesis.documents.dialogues import read_dialogues
from longloom.synthesis.documents.reader import SourceFile
from longloom.synthesis.facts.dialogues import extract
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.programs.dialogue import (
    AboutService,
    Beside,
    Doing,
    InConversationsWith,
    Turns,
    TurnsOf,
)
from longloom.synthesis.programs.dialogue_recall import Nth, NumDistinct, NumTurns, Only
from longloom.synthesis.programs.dialogue_state import (
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
from longloom.synthesis.programs.node import Program
from longloom.synthesis.programs.world import World
from synthesis.task_dialogue import three_bookings

WORLD = World(
    {
        reading.document.doc_id: extract(reading)
        for reading in read_dialogues(SourceFile(name="s.json", payload=three_bookings()))
    }
)
PLACES = Booked("restaurants", "restaurant")
SEATS = Booked("restaurants", "number of people")
IN_OSLO = BookedWith(PLACES, "city", "Oslo")
PHONE = Beside(Doing(Turns("dialogue"), "USER", "REQUEST", "phone number"), 1)


@pytest.mark.parametrize(
    ("program", "answer"),
    [
        (Nth(PLACES, 2, "first", "said"), "Red Pear"),
        (Nth(IN_OSLO, 2, "first", "said"), "Old Plum"),
        (NumTurns(IN_OSLO), "2"),
        (SumOfValues(SEATS), "9"),
        (SumOfValues(BookedWith(SEATS, "city", "Oslo")), "5"),
        (SumOfValues(PLACES), None),
        (RangeOfValues(Among(SEATS, ("Dialogue 9_1", "Dialogue 9_2"))), "2"),
        (RangeOfValues(Among(SEATS, ("Dialogue 9_1", "Dialogue 7"))), None),
        (NumDistinct(Booked("restaurants", "city"), "said"), "2"),
        (Only(BookedWith(PLACES, "number of people", "4"), "said"), "Red Pear"),
        (ExtremeBooking(PLACES, "time", "least", "said"), "Red Pear"),
        (ExtremeBooking(IN_OSLO, "number of people", "most", "conversation"), "Dialogue 9_3"),
        (ExtremeBooking(PLACES, "absent", "most", "said"), None),
        (Nth(Stated(PHONE, "phone number"), 3, "first", "said"), "555 320"),
        (
            Only(
                Stated(
                    InConversationsWith(
                        PHONE, BookedWith(PLACES, "restaurant", "Red Pear"), "with"
                    ),
                    "phone number",
                ),
                "said",
            ),
            "555 418",
        ),
        (NumTurns(AboutService(TurnsOf("Dialogue 9_1"), "restaurants")), "6"),
    ],
)
def test_state_nodes_answer_from_the_three_bookings(program: Program, answer: str | None) -> None:
    assert program.execute(WORLD).only_answer == answer


def test_a_comparison_of_named_dialogues_needs_each_of_them() -> None:
    subjects = ("Dialogue 9_1", "Dialogue 9_2")
    program = ExtremeBooking(Among(PLACES, subjects), "number of people", "most", "said")
    execution = program.execute(WORLD)
    assert execution.only_answer == "Red Pear"
    assert {fact.subject for fact in execution.evidence} == set(subjects)
    for doc_id in {fact.doc_id for fact in execution.evidence}:
        assert not program.execute(WORLD.without([doc_id])).answers


def _stated(number: int, value: str, meant: str) -> Fact:
    return Fact(
        subject="D",
        relation="dialogue.slot",
        value=value,
        value_kind="text",
        subject_kind="dialogue",
        doc_id="d",
        start=number,
        end=number + 1,
        certainty=1,
        label="date",
        qualifiers=(("canonical", meant),),
        position=number,
    )


def test_the_same_date_in_other_words_is_no_change() -> None:
    said = [
        ("the 8th", "03-08"),
        ("March 8th", "03-08"),
        ("the 9th", "03-09"),
        ("8 March", "03-08"),
    ]
    turns = [
        Fact(
            subject="D",
            relation="dialogue.turn",
            value=f"turn {number}",
            value_kind="text",
            subject_kind="dialogue",
            doc_id="d",
            start=number,
            end=number + 2,
            certainty=1,
            position=number,
        )
        for number in range(1, 5)
    ]
    slots = [_stated(number, *value) for number, value in enumerate(said, start=1)]
    world = World({"d": [*turns, *slots]})
    runs = Runs(Stated(TurnsOf("D"), "date"))
    assert [pick[0].value for pick in runs.picks(world)] == ["March 8th", "the 9th", "8 March"]
    assert len(Changed(runs).picks(world)) == 3
    assert Nth(runs, 2, "last", "said").execute(world).only_answer == "the 9th"
