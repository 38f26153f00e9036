"""Programs of answers that were agreed on."""

from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.programs.catalogue import read_program
from longloom.synthesis.programs.codec import shape_of, to_json
from longloom.synthesis.programs.voted import Voted, opening_of, quote_facts
from longloom.synthesis.programs.world import World

SPANS = [("d1", 4, 9, "first"), ("d2", 0, 6, "second")]
VOTED = Voted(
    question_id="q1", category="causal", opening="why did the", num_quotes=2, answer="a flood"
)


def world(*, answer: str = "a flood", leaves_out: str = "") -> World:
    facts: dict[str, list[Fact]] = {"d1": [], "d2": [], "d3": []}
    for fact in quote_facts("q1", answer, SPANS, votes="3 of 4"):
        if fact.doc_id != leaves_out:
            facts[fact.doc_id].append(fact)
    return World(facts)


def test_answer_stands_while_every_quotation_is_shown() -> None:
    execution = VOTED.execute(world())
    assert execution.only_answer == "a flood"
    assert [(fact.doc_id, fact.start, fact.end) for fact in execution.evidence] == [
        ("d1", 4, 9),
        ("d2", 0, 6),
    ]


def test_missing_quotation_takes_the_answer_away() -> None:
    assert VOTED.execute(world(leaves_out="d2")).answers == frozenset()
    assert VOTED.execute(world().without(["d1"])).answers == frozenset()
    assert VOTED.execute(World({})).answers == frozenset()


def test_answer_that_was_not_voted_on_is_no_answer() -> None:
    assert VOTED.execute(world(answer="a fire")).answers == frozenset()


def test_program_is_read_back_and_its_shape_is_how_the_question_opens() -> None:
    assert read_program(to_json(VOTED)) == VOTED
    assert "q1" not in shape_of(VOTED)
    assert "flood" not in shape_of(VOTED)
    assert opening_of("Why  did\nthe mill close?") == "why did the"
