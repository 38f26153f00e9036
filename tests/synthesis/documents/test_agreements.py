from longloom.synthesis.documents.agreements import (
    agreement_title,
    company_name,
    kind_of_agreement,
    parties_of,
)


def test_parties_are_found_with_their_roles_and_places() -> None:
    text = (
        'between WET WORKS, INC., a Texas corporation ("WETWORKS"), on behalf of itself and its '
        'Affiliates and Dry Dock LLC, a company (the "Buyer" or "Dry Dock"). Each is a "Party".'
    )
    first, second = parties_of(text)
    assert (first.name, first.role) == ("Wet Works, Inc.", "Wetworks")
    assert (second.name, second.role) == ("Dry Dock LLC", "Buyer")
    assert text[second.start : second.end] == "Dry Dock LLC"
    assert text[first.role_start : first.role_end] == "WETWORKS"


def test_a_role_that_follows_the_name_at_once_is_found() -> None:
    text = (
        'among (a) Wet, S.A. ("Wet"), a company of Spain; (b) Dry Limited ("Dry"), a company of '
        "Malta."
    )
    assert [party.name for party in parties_of(text)] == ["Wet, S.A.", "Dry Limited"]


def test_one_named_party_is_not_enough() -> None:
    assert parties_of('between Wet Inc., a company ("Wet"), and whoever signs below') == ()


def test_a_single_company_still_names_the_agreement() -> None:
    text = "This Franchise Agreement is made between Wet Time, Inc., a company, and the signatory."
    assert agreement_title(text) == "Franchise Agreement of Wet Time, Inc."


def test_capitals_become_a_title() -> None:
    assert kind_of_agreement("THIS LICENSE AND HOSTING AGREEMENT is") == (
        "License and Hosting Agreement"
    )


def test_company_names_keep_their_acronyms() -> None:
    assert company_name("IAC") == "IAC"
    assert company_name("BIG PUMP CORPORATION") == "Big Pump Corporation"
