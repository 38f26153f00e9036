"""Counts, shared values, sets of a stated size, disagreements and what is not stated."""

from longloom.synthesis.programs.graph import Described, Follow, Named
from longloom.synthesis.programs.graph_sets import (
    Count,
    Exactly,
    Intersection,
    LatestStatement,
    Unanswerable,
    Union,
)
from longloom.synthesis.programs.predicates import Equals
from synthesis.small_world import MEMOS, stated, world_of

BY_ADA = Described("memo", (Equals("memo.author", "Ada"),))


def test_count_rests_on_every_counted_thing() -> None:
    execution = Count(BY_ADA).execute(MEMOS)
    assert execution.only_answer == "2"
    assert {fact.doc_id for fact in execution.evidence} == {"Memo 1", "Memo 3"}
    assert Count(BY_ADA).execute(MEMOS.without(["Memo 3"])).only_answer == "1"
    assert not Count(BY_ADA).execute(MEMOS.only(["Memo 2"])).answers


def test_set_of_another_size_than_stated_is_nothing() -> None:
    assert Exactly(BY_ADA, 2).execute(MEMOS).answers == {"Memo 1", "Memo 3"}
    assert not Exactly(BY_ADA, 3).execute(MEMOS).answers


def test_intersection_needs_every_side() -> None:
    authors = tuple(Follow(Named(memo), "memo.author") for memo in ("Memo 1", "Memo 3"))
    execution = Intersection(authors).execute(MEMOS)
    assert execution.only_answer == "Ada"
    assert {fact.doc_id for fact in execution.evidence} == {"Memo 1", "Memo 3"}
    mixed = (authors[0], Follow(Named("Memo 2"), "memo.author"))
    assert not Intersection(mixed).execute(MEMOS).answers


def test_union_is_nothing_if_one_description_finds_nothing() -> None:
    assert Union((Named("Memo 1"), BY_ADA)).execute(MEMOS).answers == {"Memo 1", "Memo 3"}
    nobody = Described("memo", (Equals("memo.author", "Zoe"),))
    assert not Union((Named("Memo 1"), nobody)).execute(MEMOS).answers


def restatement(*dates: str) -> LatestStatement:
    return LatestStatement(Named("Oak Ltd"), "memo.staff", "", "memo.published")


def test_latest_document_wins_and_both_are_evidence() -> None:
    world = world_of(
        stated("Oak Ltd", "staff", "100", "number", doc_id="old"),
        stated("old", "published", "2019", "date", doc_id="old"),
        stated("Oak Ltd", "staff", "120", "number", doc_id="new"),
        stated("new", "published", "2021", "date", doc_id="new"),
    )
    execution = restatement().execute(world)
    assert execution.only_answer == "120"
    assert {fact.doc_id for fact in execution.evidence} == {"old", "new"}
    assert not restatement().execute(world.without(["old"])).answers


def test_statements_that_agree_or_have_no_single_latest_date_are_no_restatement() -> None:
    facts = [
        stated("Oak Ltd", "staff", "100", "number", doc_id="a"),
        stated("a", "published", "2019", "date", doc_id="a"),
        stated("b", "published", "2019", "date", doc_id="b"),
    ]
    same = stated("Oak Ltd", "staff", "100", "number", doc_id="b")
    other = stated("Oak Ltd", "staff", "120", "number", doc_id="b")
    assert not restatement().execute(world_of(*facts, same)).answers
    assert not restatement().execute(world_of(*facts, other)).answers


def test_not_stated_needs_the_anchor_and_no_answer() -> None:
    anchor = Follow(Named("Memo 3"), "memo.replaces")
    asked = Follow(anchor, "memo.editor")
    assert Unanswerable(asked, anchor).execute(MEMOS).only_answer == "not stated"
    answered = Follow(anchor, "memo.author")
    assert not Unanswerable(answered, anchor).execute(MEMOS).answers
    assert not Unanswerable(asked, anchor).execute(MEMOS.without(["Memo 3"])).answers
