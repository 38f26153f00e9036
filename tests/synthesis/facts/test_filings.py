"""Facts of filings: amounts with their wording, and what is stated about the company."""

from collections.abc import Mapping

from longloom.records import BlockKind, DocumentKind
from longloom.synthesis.documents.building import DocumentBuilder, Reading
from longloom.synthesis.facts import filings
from longloom.synthesis.facts.fact import Fact

Entry = tuple[str, str, Mapping[str, str]]


def number(shown: str, value: str, **said: str) -> Entry:
    """Return a tagged number as the reader marks it."""
    attributes = {
        "concept": "us-gaap:Revenues",
        "value": value,
        "unit": "USD",
        "scale": "6",
        "decimals": "-6",
        "period_start": "2024-01-01",
        "period_end": "2024-12-31",
        "dimensions": "",
    }
    return shown, "number", attributes | said


def stated(shown: str, concept: str, value: str = "", dimensions: str = "") -> Entry:
    """Return a tagged statement as the reader marks it."""
    said = {"concept": concept, "value": value or shown, "dimensions": dimensions}
    return shown, "stated", said


def facts_of(*entries: Entry, genre: str = "filing") -> tuple[Reading, list[Fact]]:
    """Extract from a filing of Acme that shows these texts."""
    builder = DocumentBuilder(
        title="Acme 10-K",
        kind=DocumentKind.PROFESSIONAL,
        genre=genre,
        source="acme.htm",
        licence="public SEC filing",
    )
    for shown, name, attributes in (stated("ACME", "EntityRegistrantName", "Acme Inc."), *entries):
        builder.begin(BlockKind.PARAGRAPH)
        builder.mark(name, builder.add(shown), **attributes)
    reading = builder.build()
    return reading, filings.extract(reading)


def test_an_amount_is_a_fact_of_its_company() -> None:
    reading, (fact,) = facts_of(number("1,234", "1234000000", row="Total net sales"))
    assert (fact.subject, fact.relation) == ("Acme Inc.", "filing.Revenues")
    assert (fact.value, fact.unit, fact.scale) == ("1234000000", "USD", 6)
    assert (fact.period_start, fact.period_end) == ("2024-01-01", "2024-12-31")
    assert fact.label == "Total net sales"
    assert reading.document.text[fact.start : fact.end] == "1,234"


def test_dimensions_become_qualifiers_in_words() -> None:
    _, (fact,) = facts_of(number("5", "5000000", dimensions="ProductOrService=HomeToys"))
    assert fact.qualifiers == (("Product or service", "Home toys"),)


def test_one_amount_at_two_spans_is_two_facts() -> None:
    _, facts = facts_of(number("7", "7000000"), number("7", "7000000"))
    assert len(facts) == 2


def test_a_key_with_two_values_is_dropped() -> None:
    _, facts = facts_of(number("7", "7000000"), number("9", "9000000"))
    assert facts == []


def test_a_rounded_mention_does_not_contradict_and_is_left_out() -> None:
    exact = number("1,234", "1234000000")
    rounded = number("1.2", "1200000000", decimals="-8")
    _, (fact,) = facts_of(exact, rounded)
    assert fact.value == "1234000000"


def test_a_loss_whose_sign_is_not_shown_is_left_out() -> None:
    _, facts = facts_of(number("56", "-56000000"))
    assert facts == []
    _, facts = facts_of(number("(56)", "-56000000"))
    assert [fact.value for fact in facts] == ["-56000000"]


def test_a_row_shared_by_two_concepts_is_worded_by_its_section() -> None:
    _, facts = facts_of(
        number("1", "1000000", concept="us-gaap:CurrentTax", row="Foreign", section="Current:"),
        number("2", "2000000", concept="us-gaap:DeferredTax", row="Foreign", section="Deferred:"),
    )
    assert [fact.label for fact in facts] == ["Current: Foreign", "Deferred: Foreign"]


def test_a_concept_without_a_row_is_worded_by_its_name() -> None:
    _, (fact,) = facts_of(number("1", "1000000", concept="us-gaap:IncomeTaxExpenseBenefit"))
    assert fact.label == "Income tax expense (benefit)"


def test_a_concept_of_the_company_itself_needs_a_row() -> None:
    _, facts = facts_of(number("1", "1000000", concept="acme:RocketsSoldtoCoyotes"))
    assert facts == []


def test_footnotes_and_times_are_no_part_of_a_wording() -> None:
    _, (fact,) = facts_of(number("1", "1000000", row="Cash held, end of year (Note 3)"))
    assert fact.label == "Cash held"


def test_a_row_that_words_the_opposite_is_not_used() -> None:
    entry = number("7", "7000000", row="Benefit (provision) for income taxes")
    builder = DocumentBuilder(
        title="Acme", kind=DocumentKind.PROFESSIONAL, genre="filing", source="a", licence="b"
    )
    builder.begin(BlockKind.PARAGRAPH)
    builder.mark(
        "stated", builder.add("Acme "), concept="EntityRegistrantName", value="Acme", dimensions=""
    )
    builder.add("(")
    builder.mark("number", builder.add(entry[0]), **entry[2])
    (fact,) = filings.extract(builder.build())
    assert fact.label == "Revenues"


def test_the_cover_gives_relations_of_the_company() -> None:
    _, facts = facts_of(
        stated("Ernst & Young LLP", "AuditorName"),
        stated("DECEMBER 31", "CurrentFiscalYearEndDate"),
        stated("Common Stock, $1 par", "Security12bTitle", dimensions="Class=A"),
        stated("ACM", "TradingSymbol", dimensions="Class=A"),
        stated("The NASDAQ Stock Market LLC", "SecurityExchangeName", dimensions="Class=A"),
        stated("2.5% Notes due 2030", "Security12bTitle", dimensions="Class=B"),
        stated("ACM30", "TradingSymbol", dimensions="Class=B"),
    )
    assert {(fact.subject, fact.relation, fact.value) for fact in facts} == {
        ("Acme Inc.", "company.auditor", "Ernst & Young LLP"),
        ("Acme Inc.", "company.fiscal_year_end", "December 31"),
        ("Acme Inc.", "company.trading_symbol", "ACM"),
        ("Acme Inc.", "company.stock_exchange", "Nasdaq"),
        ("2.5% Notes due 2030 of Acme Inc.", "security.trading_symbol", "ACM30"),
    }


def test_every_relation_that_is_used_is_declared() -> None:
    declared = {relation.name for relation in filings.RELATIONS}
    kinds = {kind.name for kind in filings.KINDS}
    _, facts = facts_of(stated("Delaware", "EntityIncorporationStateCountryCode"))
    assert {fact.relation for fact in facts} <= declared
    assert {fact.value_kind for fact in facts} <= kinds


def test_other_documents_give_nothing() -> None:
    assert facts_of(number("1", "1000000"), genre="report")[1] == []
