"""Facts of agreements, found by grammar: parties, dates, terms, definitions, sections, amounts.

    This Supply Agreement is made as of May 6, 2019 by and between A Ltd. ("A"), and ...

gives `contract.party(Supply Agreement between ...) = A Ltd.`. Every pattern is anchored to words
that state the fact and no more; where an agreement states two different values for what should be
one, none is given. An agreement is called by the title of its document. Certainty is 2 throughout.
"""

import re
from collections.abc import Iterable, Iterator

from longloom.synthesis.documents.agreements import OPENING_LIMIT, Party, parties_of
from longloom.synthesis.documents.building import Reading
from longloom.synthesis.facts.contract_sections import section_facts
from longloom.synthesis.facts.contract_terms import DATE, iso_date, term_facts
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.facts.relation import EntityKind, Relation

KINDS: tuple[EntityKind, ...] = (
    EntityKind(name="agreement", plural="agreements", article="an", is_document=True),
    EntityKind(name="company", plural="companies"),
    EntityKind(name="jurisdiction", plural="jurisdictions"),
    EntityKind(name="section", plural="sections"),
)


def _relation(name: str, value_kind: str, question: str, noun: str, clause: str) -> Relation:
    return Relation(
        name=f"contract.{name}",
        subject_kind="agreement",
        value_kind=value_kind,
        question=question,
        noun=noun,
        clause=clause,
        is_functional=name != "party",
    )


RELATIONS: tuple[Relation, ...] = (
    _relation(
        "party",
        "company",
        "Which company is a party to {x}?",
        "a party to {x}",
        "to which {v} is a party",
    ),
    _relation(
        "effective_date",
        "date",
        "When did {x} take effect, by its own definition of its effective date?",
        "the effective date of {x}",
        "that took effect {v}",
    ),
    _relation("date", "date", "What is {x} dated?", "the date of {x}", "dated {v}"),
    _relation(
        "governing_law",
        "jurisdiction",
        "Which jurisdiction's law governs {x}?",
        "the jurisdiction whose law governs {x}",
        "governed by the law of {v}",
    ),
    _relation(
        "term",
        "text",
        "How long is the initial term of {x}? Give number and unit, as in `2 years`.",
        "the initial term of {x}",
        "with an initial term of {v}",
    ),
    _relation(
        "renewal",
        "text",
        "For how long does {x} renew itself each time? Give number and unit, as in `2 years`.",
        "the renewal period of {x}",
        "that renews itself for {v} at a time",
    ),
    _relation(
        "notice_days",
        "number",
        "How many days' notice does {x} require for termination without cause?",
        "the number of days' notice for terminating {x} without cause",
        "that can be terminated without cause on {v} days' notice",
    ),
    _relation(
        "cure_days",
        "number",
        "How many days does {x} give for curing a breach before it may be terminated?",
        "the number of days for curing a breach of {x}",
        "that gives {v} days for curing a breach",
    ),
    Relation(
        name="contract.role",
        subject_kind="company",
        value_kind="text",
        question="By what name does the agreement refer to {x}?",
        noun="the name by which the agreement refers to {x}",
        clause="referred to as {v}",
    ),
    Relation(
        name="contract.term_section",
        subject_kind="defined term",
        value_kind="section",
        question="To which section is the reader sent for the meaning of {x}?",
        noun="the section that gives the meaning of {x}",
        clause="whose meaning is given in {v}",
    ),
    Relation(
        name="contract.section_title",
        subject_kind="section",
        value_kind="text",
        question="What is the heading of {x}?",
        noun="the heading of {x}",
        clause="headed {v}",
        is_key=True,
    ),
    Relation(
        name="contract.section_refers",
        subject_kind="section",
        value_kind="section",
        question="Which other section of the agreement does {x} refer to?",
        noun="the section that {x} refers to",
        clause="that refer to {v}",
        is_functional=False,
    ),
    Relation(
        name="contract.section_amount",
        subject_kind="section",
        value_kind="number",
        question="Which amount in dollars does {x} state?",
        noun="the amount in dollars in {x}",
        clause="that state an amount of {v} dollars",
    ),
)
"""`contract.definition` is an open family: its label is the defined term, its value the meaning."""

_LABELLED_DATE = re.compile(
    rf"({DATE})\s*,?\s*(?:\d{{4}}\s*)?\((?:the\s+|hereinafter[^()\"“]{{0,30}})?[\"“]?Effective\s+Date",
    re.IGNORECASE,
)
_EFFECTIVE_LINE = re.compile(rf"(?:Effective\s+Date\s*:|effective\s+as\s+of)\s*({DATE})", re.I)
_DATED = re.compile(
    rf"(?:dated(?:\s+as\s+of)?|entered\s+into(?:\s+as\s+of|\s+on)?|made(?:\s+as\s+of|\s+on)?)"
    rf"\s+(?:this\s+|the\s+)?({DATE})",
    re.IGNORECASE,
)


def extract(reading: Reading) -> list[Fact]:
    """Return the facts of an agreement; none for other documents."""
    document = reading.document
    if document.genre != "contract":
        return []
    found = [*_party_facts(reading), *_date_facts(reading), *term_facts(document)]
    return _settled(found) + section_facts(document)


def _party_facts(reading: Reading) -> Iterator[Fact]:
    document = reading.document
    parties = parties_of(document.text)
    for party in parties:
        yield _party_fact(document.doc_id, document.title, party)
        if party.role.lower() != party.name.lower():
            yield Fact(
                subject=party.name,
                relation="contract.role",
                value=party.role,
                value_kind="text",
                subject_kind="company",
                doc_id=document.doc_id,
                start=party.role_start,
                end=party.role_end,
                certainty=2,
                qualifiers=(("agreement", document.title),),
            )


def _party_fact(doc_id: str, title: str, party: Party) -> Fact:
    return Fact(
        subject=title,
        relation="contract.party",
        value=party.name,
        value_kind="company",
        subject_kind="agreement",
        doc_id=doc_id,
        start=party.start,
        end=party.end,
        certainty=2,
        qualifiers=(("role", party.role),),
    )


def _date_facts(reading: Reading) -> Iterator[Fact]:
    """Find the effective date where it is called so, else the date of the agreement."""
    document = reading.document
    opening = document.text[:OPENING_LIMIT]
    matches = [*_LABELLED_DATE.finditer(opening), *_EFFECTIVE_LINE.finditer(opening)][:1]
    relation = "contract.effective_date"
    if not matches:
        matches = [*_DATED.finditer(opening[:6_000])][:1]
        relation = "contract.date"
    for match in matches:
        value = iso_date(match.group(1))
        if value:
            yield Fact(
                subject=document.title,
                relation=relation,
                value=value,
                value_kind="date",
                subject_kind="agreement",
                doc_id=document.doc_id,
                start=match.start(1),
                end=match.end(1),
                certainty=2,
            )


def _settled(facts: Iterable[Fact]) -> list[Fact]:
    """Drop functional relations with two values; keep the first statement of each value."""
    found = list(facts)
    values: dict[tuple[str, str], set[str]] = {}
    for fact in found:
        values.setdefault(fact.key, set()).add(fact.value)
    kept: dict[tuple[str, str, str], Fact] = {}
    for fact in found:
        if fact.relation == "contract.party" or len(values[fact.key]) == 1:
            kept.setdefault((*fact.key, fact.value), fact)
    return list(kept.values())
