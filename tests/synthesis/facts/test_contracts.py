from pathlib import Path

import pytest

from longloom.synthesis.documents import markdown, plain
from longloom.synthesis.documents.building import Reading
from longloom.synthesis.documents.reader import SourceFile
from longloom.synthesis.facts import contracts
from longloom.synthesis.facts.contract_terms import counted, iso_date
from longloom.synthesis.facts.fact import Fact

REAL = Path(__file__).parents[4] / "shared/data/corpus-contracts"
NAME = "Pump Supply Agreement between Wet Works Ltd. and Dry Dock, Inc."
CONTRACT = """PUMP SUPPLY AGREEMENT

This Pump Supply Agreement (the "Agreement") is made as of May 6, 2019 (the "Effective Date") by
and between Wet Works Ltd., a company of Malta ("Maker"), and Dry Dock, Inc., an Ohio corporation
("Customer").

1.1 "Pump" means a machine that lifts water by suction or pressure.

1.2 "Defect" has the meaning set forth in Section 3.2.

3.1 Orders. The Customer orders under Sections 3.2 and 4.1 and pays a deposit of $2,500.00 first.

3.2 Returns. A Pump with a defect goes back under Section 12 of the Sale of Goods Act.

4.1 Term. This Agreement shall continue in effect for an initial term of five (5) years. It shall
be renewed for successive one (1) year periods.

4.2 Termination. Either party may terminate this Agreement for convenience on ninety (90) days
prior written notice. Either may terminate if a breach of it is not cured within thirty days.

5.1 Law. This Agreement is governed by the laws of the State of New York without regard to more.
"""


def read(text: str) -> Reading:
    (reading,) = plain.read(SourceFile(name="c/pumps.txt", payload=text.encode()))
    return reading


def facts_of(text: str) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for fact in contracts.extract(read(text)):
        found.setdefault((fact.subject, fact.relation.removeprefix("contract.")), []).append(
            fact.value
        )
    return found


def test_what_the_opening_and_the_terms_state_is_found() -> None:
    found = facts_of(CONTRACT)
    assert found[NAME, "party"] == ["Wet Works Ltd.", "Dry Dock, Inc."]
    assert found["Wet Works Ltd.", "role"] == ["Maker"]
    assert found[NAME, "effective_date"] == ["2019-05-06"]
    assert found[NAME, "term"] == ["5 years"]
    assert found[NAME, "renewal"] == ["1 year"]
    assert found[NAME, "notice_days"] == ["90"]
    assert found[NAME, "cure_days"] == ["30"]
    assert found[NAME, "governing_law"] == ["New York"]


def test_sections_have_headings_references_and_amounts() -> None:
    found = facts_of(CONTRACT)
    section = f"Section 3.1 of the {NAME}"
    assert found[section, "section_title"] == ["Orders"]
    assert found[section, "section_refers"] == [
        f"Section 3.2 of the {NAME}",
        f"Section 4.1 of the {NAME}",
    ]
    assert found[section, "section_amount"] == ["2500"]


def test_a_reference_into_a_law_is_none() -> None:
    assert (f"Section 3.2 of the {NAME}", "section_refers") not in facts_of(
        CONTRACT + "\n12. Sales."
    )


def test_definitions_have_their_term_as_label() -> None:
    (fact,) = [f for f in contracts.extract(read(CONTRACT)) if f.relation == "contract.definition"]
    assert fact.label == "Pump"
    assert fact.value == "a machine that lifts water by suction or pressure"
    assert fact.qualifiers == (("section", "1.1"),)


def test_a_term_defined_elsewhere_sends_on_to_the_section() -> None:
    found = facts_of(CONTRACT)
    assert found[f'the term "Defect" in the {NAME}', "term_section"] == [
        f"Section 3.2 of the {NAME}"
    ]


def test_two_different_terms_give_none() -> None:
    other = CONTRACT + "\n4.3 More. The initial term shall be for a period of two (2) years.\n"
    assert (NAME, "term") not in facts_of(other)


def test_a_number_that_stands_twice_is_no_section() -> None:
    assert (f"Section 3.1 of the {NAME}", "section_title") not in facts_of(
        CONTRACT + "\n3.1 Annex. A."
    )


def test_a_table_of_contents_gives_no_sections() -> None:
    listed = "PUMP TERMS AND AGREEMENT\n\n2.1 Scope of Agreement ........ 5\n\n2.2 Price 6\n"
    assert not facts_of(listed)


def test_other_documents_give_nothing() -> None:
    (reading,) = markdown.read(SourceFile(name="a.md", payload=b"# Pumps\n\n1.1 Use. Pump it."))
    assert contracts.extract(reading) == []


@pytest.mark.parametrize(
    ("words", "date"),
    [
        ("May 6, 2019", "2019-05-06"),
        ("14th day of March, 2011", "2011-03-14"),
        ("Nov. 02, 2019", "2019-11-02"),
        ("2020-01-31", "2020-01-31"),
        ("12 23 2019", ""),
    ],
)
def test_dates_in_words_become_iso(words: str, date: str) -> None:
    assert iso_date(words) == date


def test_numbers_in_words_and_digits_are_counted() -> None:
    assert [counted(words) for words in ("thirty (30)", "sixty", "45", "few")] == [30, 60, 45, -1]


def shows(fact: Fact, text: str) -> bool:
    """Whether the span shows the value, by the loosest reading that is still a check."""
    shown = " ".join(text[fact.start : fact.end].split())
    last = fact.value.split()[-1] if fact.value_kind != "section" else shown
    digits = "".join(filter(str.isdigit, shown))
    return shown.lower() == fact.value.lower() or last[:3].lower() in shown.lower() or bool(digits)


@pytest.mark.slow
def test_real_agreements_give_facts_whose_spans_show_them() -> None:
    if not REAL.is_dir():
        pytest.skip("the real contracts are not on this machine")
    with_law = 0
    for path in sorted(REAL.glob("*.*")):
        reader = markdown if path.suffix == ".md" else plain
        (reading,) = reader.read(SourceFile(name=path.name, payload=path.read_bytes()))
        facts = contracts.extract(reading)
        assert all(shows(fact, reading.document.text) for fact in facts)
        with_law += any(fact.relation == "contract.governing_law" for fact in facts)
    assert with_law >= 20
