"""Names are merged where they surely mean the same, and nowhere else."""

from longloom.synthesis.facts.clustering import canonical_names
from longloom.synthesis.facts.fact import Fact


def named(*names: str, kind: str = "person", relation: str = "memo.author") -> list[Fact]:
    return [
        Fact(
            subject=f"Memo {place}",
            relation=relation,
            value=name,
            value_kind=kind,
            subject_kind="memo",
            doc_id=f"{place}",
            start=0,
            end=1,
            certainty=1,
        )
        for place, name in enumerate(names)
    ]


def test_case_accents_and_full_stops_do_not_make_another_person() -> None:
    facts = named(
        "Ada Van Holm", "Ada van Holm", "Ada van Holm", "J.K. Poe", "J. K. Poe", "J. K. Poe"
    )
    assert canonical_names(facts) == {"Ada Van Holm": "Ada van Holm", "J.K. Poe": "J. K. Poe"}
    assert canonical_names(named("Zoe Nunez", "Zo\u00e9 N\u00fa\u00f1ez")) == {
        "Zoe Nunez": "Zo\u00e9 N\u00fa\u00f1ez"
    }


def test_middle_initial_is_left_out_only_if_there_is_one_such_person() -> None:
    assert canonical_names(named("Ada Holm", "Ada Holm", "Ada K. Holm")) == {
        "Ada K. Holm": "Ada Holm"
    }
    assert canonical_names(named("Ada Holm", "Ada K. Holm", "Ada B. Holm")) == {}


def test_initial_and_surname_need_one_full_name_of_the_same_genre() -> None:
    assert canonical_names(named("A. Holm", "Ada Holm")) == {"A. Holm": "Ada Holm"}
    assert canonical_names(named("A. Holm", "Ada Holm", "Alan Holm")) == {}
    other = named("Ada Holm", relation="letter.author")
    assert canonical_names([*named("A. Holm"), *other]) == {}


def test_company_suffixes_and_case_are_one_company() -> None:
    facts = named("OAK & ELM, INC.", "Oak & Elm Inc.", "Oak & Elm Inc", kind="company")
    found = canonical_names(facts)
    assert set(found.values()) == {"Oak & Elm Inc"}
    assert set(found) == {"OAK & ELM, INC.", "Oak & Elm Inc."}


def test_identifiers_titles_and_single_words_are_left_alone() -> None:
    assert canonical_names(named("list.Sort", "list.sort", kind="function")) == {}
    assert canonical_names(named("Amsterdam", "AMSTERDAM", kind="city")) == {}


def test_stated_alias_is_followed_unless_two_entities_claim_it() -> None:
    alias = named("The Oak", kind="text", relation="article.alias")
    assert canonical_names(alias) == {"The Oak": "Memo 0"}
    claimed = named("The Oak", "The Oak", kind="text", relation="article.alias")
    assert canonical_names(claimed) == {}


def test_order_of_facts_does_not_matter() -> None:
    facts = named("Ada Van Holm", "Ada van Holm", "A. van Holm", "J.K. Poe", "J. K. Poe")
    assert canonical_names(facts) == canonical_names(reversed(facts))
