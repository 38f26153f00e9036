"""Facts of filings: tagged amounts (`filing.CONCEPT`) and what is stated about the company.

    number mark -> filing.Revenues(NVIDIA Corporation) = 130497000000 USD, 2024-01-29 to 2025-01-26
    stated mark -> company.auditor(NVIDIA Corporation) = PricewaterhouseCoopers LLP

An amount is worded as its row calls it (`label`); a wording that stands for two concepts of one
filing is replaced by the name of the concept in words. Amounts without `qualifiers` speak of the
whole company.
"""

import re
from collections import defaultdict
from decimal import Decimal
from functools import lru_cache

from longloom.synthesis.documents.building import Mark, Reading
from longloom.synthesis.documents.ixbrl_numbers import split_words
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.facts.filing_labels import label_by_concept
from longloom.synthesis.facts.relation import EntityKind, Relation

KINDS: tuple[EntityKind, ...] = (
    EntityKind(name="company", plural="companies"),
    EntityKind(name="audit firm", plural="audit firms", article="an"),
    EntityKind(name="security", plural="securities"),
    EntityKind(name="state", plural="states"),
    EntityKind(name="city", plural="cities"),
    EntityKind(name="stock exchange", plural="stock exchanges"),
)

PREFIX = "filing."
"""Prefix of the open family of tagged amounts; the rest is the concept without its namespace."""


def _of_company(
    name: str, value_kind: str, question: str, noun: str, clause: str, is_key: bool = False
) -> Relation:
    return Relation(
        name=f"company.{name}",
        subject_kind="company",
        value_kind=value_kind,
        question=question,
        noun=noun,
        clause=clause,
        is_key=is_key,
    )


RELATIONS: tuple[Relation, ...] = (
    _of_company(
        "auditor",
        "audit firm",
        "Which firm audited the financial statements of {x}?",
        "the auditor of {x}",
        "audited by {v}",
    ),
    _of_company(
        "auditor_location",
        "text",
        "From which place did the auditor of {x} sign its report?",
        "the place from which the auditor of {x} signed its report",
        "whose auditor signed its report in {v}",
    ),
    _of_company(
        "state_of_incorporation",
        "state",
        "In which state is {x} incorporated?",
        "the state in which {x} is incorporated",
        "incorporated in {v}",
    ),
    _of_company(
        "headquarters_city",
        "city",
        "In which city are the principal executive offices of {x}?",
        "the city of the principal executive offices of {x}",
        "whose principal executive offices are in {v}",
    ),
    _of_company(
        "headquarters_street",
        "text",
        "At which street address are the principal executive offices of {x}?",
        "the street address of the principal executive offices of {x}",
        "with principal executive offices at {v}",
        is_key=True,
    ),
    _of_company(
        "headquarters_zip_code",
        "text",
        "What is the zip code of the principal executive offices of {x}?",
        "the zip code of the principal executive offices of {x}",
        "whose principal executive offices have the zip code {v}",
        is_key=True,
    ),
    _of_company(
        "tax_number",
        "text",
        "What is the I.R.S. employer identification number of {x}?",
        "the I.R.S. employer identification number of {x}",
        "with the I.R.S. employer identification number {v}",
        is_key=True,
    ),
    _of_company(
        "file_number",
        "text",
        "What is the commission file number of {x}?",
        "the commission file number of {x}",
        "with the commission file number {v}",
        is_key=True,
    ),
    _of_company(
        "trading_symbol",
        "text",
        "Under which symbol does the common stock of {x} trade?",
        "the trading symbol of the common stock of {x}",
        "whose common stock trades under the symbol {v}",
        is_key=True,
    ),
    _of_company(
        "stock_exchange",
        "stock exchange",
        "On which exchange is the common stock of {x} registered?",
        "the exchange on which the common stock of {x} is registered",
        "whose common stock is registered on {v}",
    ),
    _of_company(
        "fiscal_year_end",
        "text",
        "On which day of the year did the fiscal year of {x} end?",
        "the day of the year on which the fiscal year of {x} ended",
        "whose fiscal year ended on {v}",
    ),
    Relation(
        name="security.trading_symbol",
        subject_kind="security",
        value_kind="text",
        question="Under which symbol do the {x} trade?",
        noun="the trading symbol of the {x}",
        clause="that trade under the symbol {v}",
        is_key=True,
    ),
)

_RELATION_BY_CONCEPT = {
    "AuditorName": "company.auditor",
    "AuditorLocation": "company.auditor_location",
    "EntityIncorporationStateCountryCode": "company.state_of_incorporation",
    "EntityAddressCityOrTown": "company.headquarters_city",
    "EntityAddressAddressLine1": "company.headquarters_street",
    "EntityAddressPostalZipCode": "company.headquarters_zip_code",
    "EntityTaxIdentificationNumber": "company.tax_number",
    "EntityFileNumber": "company.file_number",
    "CurrentFiscalYearEndDate": "company.fiscal_year_end",
}
_VALUE_KIND = {relation.name: relation.value_kind for relation in RELATIONS}
_COMMON_STOCK = re.compile(r"common (?:stock|shares)|capital stock|ordinary shares", re.IGNORECASE)
_EXCHANGES = (
    (re.compile(r"nasdaq", re.IGNORECASE), "Nasdaq"),
    (re.compile(r"new york stock exchange|nyse", re.IGNORECASE), "New York Stock Exchange"),
)

_Key = tuple[str, str, str, str, str]


def extract(reading: Reading) -> list[Fact]:
    """Return the facts of a filing; none if it does not state its company."""
    numbers = [mark for mark in reading.marks if mark.name == "number"]
    stated = [mark for mark in reading.marks if mark.name == "stated"]
    names = [mark for mark in stated if mark.attributes["concept"] == "EntityRegistrantName"]
    if reading.document.genre != "filing" or not names:
        return []
    company = names[0].attributes["value"]
    facts = _stated_facts(reading, stated, company)
    facts += _securities(reading, stated, company)
    facts += _amounts(reading, numbers, company)
    return facts


def _stated_facts(reading: Reading, stated: list[Mark], company: str) -> list[Fact]:
    facts = []
    for mark in stated:
        relation = _RELATION_BY_CONCEPT.get(mark.attributes["concept"])
        if relation and not mark.attributes["dimensions"]:
            facts.append(_stated_fact(reading, mark, company, relation))
    return _without_contradictions(facts)


def _stated_fact(reading: Reading, mark: Mark, subject: str, relation: str) -> Fact:
    value = mark.attributes["value"]
    start, end = mark.start, mark.end
    if relation == "company.fiscal_year_end":
        value = value.title()
    for pattern, name in _EXCHANGES if relation == "company.stock_exchange" else ():
        match = pattern.search(reading.document.text, start, end)
        if match:
            value, start, end = name, match.start(), match.end()
    return Fact(
        subject=subject,
        relation=relation,
        value=value,
        value_kind=_VALUE_KIND[relation],
        subject_kind=relation.partition(".")[0],
        doc_id=reading.document.doc_id,
        start=start,
        end=end,
        certainty=1,
    )


def _securities(reading: Reading, stated: list[Mark], company: str) -> list[Fact]:
    """Return the symbols of securities, which the cover lists by class."""
    by_class: dict[str, dict[str, Mark]] = defaultdict(dict)
    for mark in stated:
        by_class[mark.attributes["dimensions"]].setdefault(mark.attributes["concept"], mark)
    facts = []
    for marks in by_class.values():
        title, symbol = marks.get("Security12bTitle"), marks.get("TradingSymbol")
        if title is None:
            continue
        exchange = marks.get("SecurityExchangeName")
        if _COMMON_STOCK.search(title.attributes["value"]):
            for said, name in ((symbol, "trading_symbol"), (exchange, "stock_exchange")):
                if said is not None:
                    facts.append(_stated_fact(reading, said, company, f"company.{name}"))
        elif symbol is not None and symbol.attributes["value"].isascii():
            subject = f"{title.attributes['value']} of {company}"
            facts.append(_stated_fact(reading, symbol, subject, "security.trading_symbol"))
    return _without_contradictions(facts)


def _without_contradictions(facts: list[Fact]) -> list[Fact]:
    values: dict[tuple[str, str], set[str]] = defaultdict(set)
    for fact in facts:
        values[fact.key].add(fact.value)
    return [fact for fact in facts if len(values[fact.key]) == 1]


def _amounts(reading: Reading, numbers: list[Mark], company: str) -> list[Fact]:
    text = reading.document.text
    by_key: dict[_Key, list[Mark]] = defaultdict(list)
    for mark in numbers:
        said = mark.attributes
        if said["value"] and said["period_end"] and _shows_sign(text, mark):
            key = (
                said["concept"],
                said["unit"],
                said["period_start"],
                said["period_end"],
                said["dimensions"],
            )
            by_key[key].append(mark)
    labels = label_by_concept(text, numbers)
    facts = []
    for (concept, *_), marks in by_key.items():
        label = labels[concept]
        if not label:
            continue
        for mark in _agreeing(marks):
            facts.append(_amount(reading.document.doc_id, mark, company, label))
    return facts


def _amount(doc_id: str, mark: Mark, company: str, label: str) -> Fact:
    said = mark.attributes
    return Fact(
        subject=company,
        relation=PREFIX + said["concept"].rpartition(":")[2],
        value=said["value"],
        value_kind="number",
        subject_kind="company",
        doc_id=doc_id,
        start=mark.start,
        end=mark.end,
        certainty=1,
        label=label,
        unit=said["unit"],
        scale=int(said["scale"]),
        period_start=said["period_start"],
        period_end=said["period_end"],
        qualifiers=_qualifiers(said["dimensions"]),
    )


@lru_cache(maxsize=4096)
def _qualifiers(dimensions: str) -> tuple[tuple[str, str], ...]:
    if not dimensions:
        return ()
    pairs = (pair.partition("=") for pair in dimensions.split("; "))
    return tuple((split_words(axis), split_words(member)) for axis, _, member in pairs)


def _shows_sign(text: str, mark: Mark) -> bool:
    """Say whether a negative value is seen as such: `loss of $3` tagged -3 is not."""
    return not mark.attributes["value"].startswith("-") or not text[mark.start].isdigit()


def _agreeing(marks: list[Mark]) -> list[Mark]:
    """Return the marks of a key that give its most exact value; none if they contradict.

    Prose rounds what a table gives to the million; the rounded spans are left out.
    """
    values = {mark.attributes["value"] for mark in marks}
    if len(values) == 1:
        return marks
    exact = max(marks, key=lambda mark: _num_decimals(mark.attributes["decimals"]))
    value = Decimal(exact.attributes["value"])
    for mark in marks:
        decimals = min(_num_decimals(mark.attributes["decimals"]), 20)
        unit = Decimal(1).scaleb(-max(decimals, -20))
        if abs(Decimal(mark.attributes["value"]) - value) > unit / 2:
            return []
    return [mark for mark in marks if mark.attributes["value"] == exact.attributes["value"]]


def _num_decimals(decimals: str) -> int:
    if decimals == "INF":
        return 20
    return int(decimals) if decimals.removeprefix("-").isdigit() and len(decimals) < 4 else -20
