"""Descriptions read as English and say what their programs say."""

import pytest

from longloom.synthesis.generators.vocabulary import Vocabulary, agreed, plural_of
from longloom.synthesis.generators.wording import (
    Phraser,
    date_text,
    joined_clauses,
    listed,
    number_text,
    years_text,
)
from longloom.synthesis.programs.graph import (
    Described,
    Filter,
    Follow,
    Inverse,
    Named,
    Only,
    Other,
)
from longloom.synthesis.programs.node import Program
from longloom.synthesis.programs.predicates import Equals, InBand, InYears, Role
from synthesis.small_relations import KINDS, RELATIONS
from synthesis.small_world import MEMOS, stated, world_of

PHRASER = Phraser(Vocabulary(RELATIONS, KINDS, MEMOS))
BY_ADA = Only(Described("memo", (Equals("memo.author", "Ada"), InYears("memo.created", 2015, 5))))


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (Named("Memo 1"), "Memo 1"),
        (BY_ADA, "the memo written by Ada and created in the second half of the 2010s"),
        (Only(Follow(Named("Memo 1"), "memo.author")), "the author of Memo 1"),
        (Only(Inverse(Named("Memo 1"), "memo.replaces")), "the memo that replaces Memo 1"),
        (
            Only(Filter(Follow(BY_ADA, "memo.replaces"), (InBand("memo.pages", "10", "2000"),))),
            "the memo with between 10 and 2,000 pages that the memo written by Ada and created in "
            "the second half of the 2010s replaces",
        ),
        (
            Only(
                Other(
                    Inverse(Only(Follow(Named("Memo 1"), "memo.author")), "memo.author"),
                    Named("Memo 1"),
                )
            ),
            "the other memo written by the author of Memo 1",
        ),
        (
            Only(
                Described(
                    "memo", (Role("memo.author", Only(Follow(Named("Memo 1"), "memo.author"))),)
                )
            ),
            "the memo written by the author of Memo 1",
        ),
        (Described("memo", (Equals("memo.author", "Ada"),)), None),
        (Only(Described("memo", (Equals("memo.colour", "red"),))), None),
    ],
)
def test_description_of_a_program(program: Program, expected: str | None) -> None:
    assert PHRASER.noun_phrase(program, {}) == expected


def test_what_an_earlier_sentence_introduced_is_called_by_a_pronoun() -> None:
    successor = Only(Inverse(BY_ADA, "memo.replaces"))
    assert PHRASER.noun_phrase(successor, {BY_ADA: "that memo"}) == (
        "the memo that replaces that memo"
    )


def test_description_whose_last_clause_could_belong_to_two_things_is_refused() -> None:
    nested = Role("memo.author", Only(Follow(BY_ADA, "memo.author")))
    program = Only(Described("memo", (nested, Equals("memo.replaces", "Memo 2"))))
    assert PHRASER.noun_phrase(program, {}) is None


def test_open_relation_is_worded_by_its_label_if_all_facts_share_it() -> None:
    one = stated("Memo 1", "colour", "red", label="Colour of paper")
    vocabulary = Vocabulary({}, {}, world_of(one))
    relation = vocabulary.relation("memo.colour")
    assert relation is not None
    assert relation.noun == 'the "Colour of paper" of {x}'
    other = stated("Memo 2", "colour", "blue", label="Colour of ink")
    assert Vocabulary({}, {}, world_of(one, other)).relation("memo.colour") is None


def test_verbs_agree_with_one_and_with_several() -> None:
    assert agreed("that mention Ada", is_plural=False) == "that mentions Ada"
    assert agreed("that mentions Ada", is_plural=True) == "that mention Ada"
    assert agreed("that is Final", is_plural=True) == "that are Final"
    assert agreed("that took effect in 1977", is_plural=False) == "that took effect in 1977"
    assert agreed("written by Ada", is_plural=True) == "written by Ada"


def test_dates_numbers_and_lists_read_as_english() -> None:
    assert [date_text(value) for value in ("2019", "2019-05", "2019-05-03", "soon")] == [
        "in 2019",
        "in May 2019",
        "on 3 May 2019",
        "soon",
    ]
    assert years_text(2010, 5) == "in the first half of the 2010s"
    assert years_text(2010, 10) == "in the 2010s"
    assert number_text("-1200.50") == "-1,200.50"
    assert listed(["a", "b", "c"], "or") == "a, b or c"
    assert plural_of("country") == "countries"
    assert plural_of("law") == "laws"


def test_relative_clauses_come_last() -> None:
    clauses = ["that replace Memo 1", "written by Ada", "created in 2019"]
    assert joined_clauses(clauses, is_plural=False) == (
        "written by Ada and created in 2019 that replaces Memo 1"
    )
