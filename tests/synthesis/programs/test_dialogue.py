"""Selections of turns, and what is said about them."""

import pytest

from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.programs import dialogue, dialogue_recall, dialogue_state
from longloom.synthesis.programs.codec import from_json, shape_of, to_json
from longloom.synthesis.programs.dialogue import (
    Beside,
    Doing,
    EndingInQuestion,
    EndOfEach,
    InConversationsWith,
    Mentioning,
    Since,
    SpokenBy,
    Turns,
    TurnsOf,
)
from longloom.synthesis.programs.dialogue_recall import (
    CountDifference,
    EarliestTerm,
    Longest,
    MostTurns,
    Nth,
    NumConversations,
    NumTurns,
)
from longloom.synthesis.programs.node import Program
from longloom.synthesis.programs.world import World

TALKS = {
    "A": [
        ("Ann", "A kettle?"),
        ("Bo", "The red kettle."),
        ("Ann", "No, the blue cup."),
        ("Bo", "So?"),
    ],
    "B": [("Bo", "My cup is gone."), ("Cy", "Which cup, Bo?"), ("Bo", "Kettle-shaped.")],
    "C": [("Cy", "Tea."), ("Ann", "A teacup.")],
}
ACTS = {("A", 1): "REQUEST:colour", ("B", 2): "REQUEST:colour;THANK_YOU:"}


def _turn(subject: str, number: int, speaker: str, value: str) -> Fact:
    acts = ACTS.get((subject, number), "")
    return Fact(
        subject=subject,
        relation="dialogue.turn",
        value=value,
        value_kind="text",
        subject_kind="meeting",
        doc_id=subject.lower(),
        start=100 * number,
        end=100 * number + len(value),
        certainty=1,
        qualifiers=(("acts", acts), ("speaker", speaker)),
        position=number,
    )


WORLD = World(
    {
        subject.lower(): [
            _turn(subject, number, *said) for number, said in enumerate(turns, start=1)
        ]
        for subject, turns in TALKS.items()
    }
)
ALL = Turns("meeting")
NODES = {
    node.KIND: node
    for module in (dialogue, dialogue_recall, dialogue_state)
    for node in module.NODES
}


def _said(selection: dialogue.Selection) -> list[str]:
    return [pick[0].value for pick in selection.picks(WORLD)]


@pytest.mark.parametrize(
    ("selection", "said"),
    [
        (TurnsOf("C"), ["Tea.", "A teacup."]),
        (SpokenBy(TurnsOf("A"), "Bo"), ["The red kettle.", "So?"]),
        (
            Mentioning(ALL, "cup"),
            ["No, the blue cup.", "My cup is gone.", "Which cup, Bo?"],
        ),
        (Mentioning(ALL, "KETTLE"), ["A kettle?", "The red kettle.", "Kettle-shaped."]),
        (EndingInQuestion(ALL), ["A kettle?", "So?", "Which cup, Bo?"]),
        (Doing(ALL, "Ann", "REQUEST", "colour"), ["A kettle?"]),
        (Doing(ALL, "Cy", "THANK_YOU", ""), ["Which cup, Bo?"]),
        (Beside(EndingInQuestion(ALL), 1), ["The red kettle.", "Kettle-shaped."]),
        (Beside(Mentioning(ALL, "cup"), -1), ["The red kettle.", "My cup is gone."]),
        (EndOfEach(SpokenBy(ALL, "Bo"), "last"), ["So?", "Kettle-shaped."]),
        (
            Since(ALL, Mentioning(ALL, "cup"), "after"),
            ["So?", "Which cup, Bo?", "Kettle-shaped."],
        ),
        (Since(ALL, Mentioning(ALL, "cup"), "before"), ["A kettle?", "The red kettle."]),
        (
            InConversationsWith(SpokenBy(ALL, "Ann"), SpokenBy(ALL, "Bo"), "without"),
            ["A teacup."],
        ),
        (
            InConversationsWith(SpokenBy(ALL, "Ann"), SpokenBy(ALL, "Bo"), "with"),
            ["A kettle?", "No, the blue cup."],
        ),
    ],
)
def test_selections_pick_turns_in_the_order_of_the_context(
    selection: dialogue.Selection, said: list[str]
) -> None:
    assert _said(selection) == said


@pytest.mark.parametrize(
    ("program", "answer"),
    [
        (Nth(Mentioning(ALL, "cup"), 2, "first", "said"), "My cup is gone."),
        (Nth(Mentioning(ALL, "cup"), 3, "last", "said"), "No, the blue cup."),
        (Nth(Mentioning(ALL, "cup"), 1, "last", "speaker"), "Cy"),
        (Nth(Mentioning(ALL, "kettle"), 3, "first", "conversation"), "B"),
        (Nth(ALL, 99, "first", "said"), None),
        (Nth(ALL, 0, "last", "said"), None),
        (Longest(SpokenBy(ALL, "Ann"), "said"), "No, the blue cup."),
        (Longest(TurnsOf("nowhere"), "said"), None),
        (NumTurns(Mentioning(ALL, "cup")), "3"),
        (NumConversations(Mentioning(ALL, "cup")), "2"),
        (NumTurns(Mentioning(ALL, "absent")), None),
        (MostTurns(TurnsOf("B"), "speaker"), "Bo"),
        (MostTurns(TurnsOf("A"), "speaker"), None),
        (CountDifference(SpokenBy(ALL, "Bo"), SpokenBy(ALL, "Cy")), "2"),
        (CountDifference(SpokenBy(ALL, "Cy"), SpokenBy(ALL, "Bo")), None),
        (EarliestTerm(ALL, ("cup", "tea")), "cup"),
        (EarliestTerm(ALL, ("cup", "absent")), None),
        (EarliestTerm(ALL, ("cup", "blue")), None),
    ],
)
def test_recall_nodes_answer_by_hand_counted_turns(program: Program, answer: str | None) -> None:
    assert program.execute(WORLD).only_answer == answer
    assert from_json(to_json(program), NODES) == program


def test_an_ordinal_needs_every_conversation_it_counts() -> None:
    program = Nth(Mentioning(ALL, "cup"), 2, "first", "said")
    execution = program.execute(WORLD)
    assert {fact.doc_id for fact in execution.evidence} == {"a", "b"}
    assert program.execute(WORLD.without(["c"])).answers == execution.answers
    assert program.execute(WORLD.without(["a"])).only_answer == "Which cup, Bo?"


def test_a_reply_rests_on_the_turn_it_replies_to() -> None:
    execution = Nth(Beside(EndingInQuestion(TurnsOf("B")), 1), 1, "first", "said").execute(WORLD)
    assert [fact.value for fact in execution.evidence] == ["Kettle-shaped.", "Which cup, Bo?"]


def test_shapes_differ_in_constants_only() -> None:
    first = Nth(SpokenBy(TurnsOf("A"), "Ann"), 1, "first", "said")
    second = Nth(SpokenBy(TurnsOf("B"), "Bo"), 4, "first", "said")
    assert shape_of(first) == shape_of(second)
    assert shape_of(first) != shape_of(Nth(SpokenBy(TurnsOf("A"), "Ann"), 1, "last", "said"))


def test_a_node_in_the_place_of_a_selection_picks_nothing() -> None:
    assert Nth(NumTurns(ALL), 1, "first", "said").execute(WORLD).only_answer is None
