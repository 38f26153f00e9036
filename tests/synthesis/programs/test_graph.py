"""Walks over facts answer what a reader would find, with the evidence of each answer alone."""

import pytest

from longloom.synthesis.programs import graph, predicates
from longloom.synthesis.programs.codec import from_json, shape_of, to_json
from longloom.synthesis.programs.graph import (
    Described,
    Filter,
    Follow,
    Inverse,
    Named,
    Only,
    Other,
    Values,
)
from longloom.synthesis.programs.node import Program
from longloom.synthesis.programs.predicates import (
    After,
    Before,
    Equals,
    InBand,
    InMonth,
    InYears,
    Role,
)
from synthesis.small_world import MEMOS, stated, world_of

BY_ADA = Equals("memo.author", "Ada")


def subjects(program: Program) -> set[str]:
    return set(program.execute(MEMOS).answers)


def test_chain_follows_relations_and_inverses_and_collects_its_evidence() -> None:
    successor = Only(Inverse(Named("Memo 1"), "memo.replaces"))
    execution = Follow(successor, "memo.author").execute(MEMOS)
    assert execution.only_answer == "Bea"
    assert [(fact.relation, fact.doc_id) for fact in execution.evidence] == [
        ("memo.replaces", "Memo 2"),
        ("memo.author", "Memo 2"),
    ]


def test_only_refuses_a_description_that_fits_two() -> None:
    assert subjects(Described("memo", (BY_ADA,))) == {"Memo 1", "Memo 3"}
    assert not subjects(Only(Described("memo", (BY_ADA,))))
    later = After("memo.created", "2015")
    assert subjects(Only(Described("memo", (BY_ADA, later)))) == {"Memo 3"}


def test_description_is_of_one_kind_only() -> None:
    assert not subjects(Described("letter", (BY_ADA,)))


def test_filter_keeps_the_evidence_of_those_that_stay() -> None:
    kept = Filter(Described("memo", (BY_ADA,)), (InYears("memo.created", 2010, 5),))
    execution = kept.execute(MEMOS)
    assert execution.answers == {"Memo 1"}
    assert {fact.doc_id for fact in execution.evidence} == {"Memo 1"}


def test_other_leaves_out_where_the_walk_came_from() -> None:
    by_same = Inverse(Only(Follow(Named("Memo 1"), "memo.author")), "memo.author")
    assert subjects(Other(by_same, Named("Memo 1"))) == {"Memo 3"}


@pytest.mark.parametrize(
    ("predicate", "expected"),
    [
        (InMonth("memo.created", "2013-07"), {"Memo 2"}),
        (InYears("memo.created", 2010, 10), {"Memo 1", "Memo 2", "Memo 3"}),
        (InYears("memo.created", 2015, 5), {"Memo 3"}),
        (Before("memo.created", "2013"), {"Memo 1"}),
        (After("memo.created", "2013-07"), {"Memo 3"}),
        (InBand("memo.pages", "10", "20"), {"Memo 1"}),
        (InBand("memo.pages", "ten", "20"), set()),
        (Role("memo.author", Only(Follow(Named("Memo 1"), "memo.author"))), {"Memo 1", "Memo 3"}),
    ],
)
def test_predicate_answers_the_subjects_it_is_true_of(
    predicate: Program, expected: set[str]
) -> None:
    assert subjects(predicate) == expected


def test_date_less_precise_than_the_question_is_not_taken_for_earlier() -> None:
    vague = world_of(stated("Memo 9", "created", "2013", "date"))
    assert not Before("memo.created", "2013-06").execute(vague).answers
    assert not After("memo.created", "2013-06").execute(vague).answers


def test_steps_that_find_nothing_answer_nothing() -> None:
    assert not subjects(Follow(Named("Memo 8"), "memo.author"))
    assert not subjects(Described("memo", ()))
    assert subjects(Values(("Memo 1", "Memo 8"))) == {"Memo 1", "Memo 8"}


def test_programs_survive_json_and_shapes_leave_names_out() -> None:
    program = Follow(Only(Described("memo", (BY_ADA, InYears("memo.created", 2010, 5)))), "memo.x")
    classes = {node.KIND: node for node in (*graph.NODES, *predicates.NODES)}
    assert from_json(to_json(program), classes) == program
    other = Follow(
        Only(Described("memo", (Equals("memo.author", "Bea"), InYears("memo.created", 1990, 5)))),
        "memo.x",
    )
    assert shape_of(program) == shape_of(other)
    assert "Ada" not in shape_of(program)
