"""Comparisons need one comparable value of each, and refuse ties."""

from longloom.synthesis.programs.comparison import GREATEST, LEAST, Compare, OrderOf, SameAs
from longloom.synthesis.programs.graph import Follow, Named, Values
from synthesis.small_world import MEMOS, stated, world_of

ALL = Values(("Memo 2", "Memo 3", "Memo 1"))


def test_dates_and_numbers_compare_either_way() -> None:
    assert Compare(ALL, "memo.created", LEAST).execute(MEMOS).only_answer == "Memo 1"
    assert Compare(ALL, "memo.created", GREATEST).execute(MEMOS).only_answer == "Memo 3"
    # As text, "12" < "40" < "9".
    assert Compare(ALL, "memo.pages", LEAST).execute(MEMOS).only_answer == "Memo 3"


def test_every_named_entity_is_needed() -> None:
    compare = Compare(ALL, "memo.created", LEAST)
    assert len({fact.doc_id for fact in compare.execute(MEMOS).evidence}) == 3
    assert not compare.execute(MEMOS.without(["Memo 3"])).answers


def test_ties_have_no_first_and_no_order() -> None:
    world = world_of(
        stated("Memo 1", "created", "2011", "date"),
        stated("Memo 2", "created", "2011-07", "date"),
    )
    pair = Values(("Memo 1", "Memo 2"))
    assert not Compare(pair, "memo.created", LEAST).execute(world).answers
    assert not OrderOf(pair, "memo.created", LEAST).execute(world).answers


def test_values_of_different_kind_unit_or_number_do_not_compare() -> None:
    pair = Values(("Memo 1", "Memo 2"))
    euro = stated("Memo 2", "cost", "5", "number", unit="EUR")
    dollar = stated("Memo 1", "cost", "4", "number", unit="USD")
    assert not Compare(pair, "memo.cost", LEAST).execute(world_of(dollar, euro)).answers
    twice = stated("Memo 1", "cost", "6", "number", unit="EUR")
    both = world_of(stated("Memo 1", "cost", "4", "number", unit="EUR"), twice, euro)
    assert not Compare(pair, "memo.cost", LEAST).execute(both).answers
    assert not Compare(pair, "memo.author", LEAST).execute(MEMOS).answers


def test_order_lists_all_of_them() -> None:
    order = OrderOf(ALL, "memo.created", GREATEST)
    assert order.execute(MEMOS).only_answer == "Memo 3; Memo 2; Memo 1"


def test_same_as_says_yes_or_no_or_nothing() -> None:
    authors = [Follow(Named(memo), "memo.author") for memo in ("Memo 1", "Memo 2", "Memo 3")]
    assert SameAs(authors[0], authors[2]).execute(MEMOS).only_answer == "yes"
    assert SameAs(authors[0], authors[1]).execute(MEMOS).only_answer == "no"
    unknown = Follow(Named("Memo 9"), "memo.author")
    assert not SameAs(authors[0], unknown).execute(MEMOS).answers
