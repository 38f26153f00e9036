"""Which extractors there are, and how their relations and kinds of entities are worded."""

from collections.abc import Callable, Mapping
from types import ModuleType

from longloom.synthesis.documents.building import Reading
from longloom.synthesis.facts import (
    articles,
    code,
    contracts,
    controls,
    dialogues,
    document_dates,
    encyclopedia,
    filings,
    guidelines,
    laws,
    mentions,
    proposals,
    standards,
    tables,
)
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.facts.relation import EntityKind, Relation
from longloom.synthesis.facts.showing import shows_value

Extractor = Callable[[Reading], list[Fact]]

_MODULES: tuple[ModuleType, ...] = (
    articles,
    code,
    contracts,
    controls,
    dialogues,
    document_dates,
    encyclopedia,
    filings,
    guidelines,
    laws,
    mentions,
    proposals,
    standards,
    tables,
)

EXTRACTORS: tuple[Extractor, ...] = tuple(module.extract for module in _MODULES)
"""Every extractor is offered every document and answers for its own genres."""

RELATIONS: Mapping[str, Relation] = {
    relation.name: relation for module in _MODULES for relation in module.RELATIONS
}
"""Wordings by relation name; open families (`cell.`, `infobox.`, `filing.`) are not listed."""

KINDS: Mapping[str, EntityKind] = {kind.name: kind for module in _MODULES for kind in module.KINDS}
"""How entities are called, by kind."""


def extract_facts(reading: Reading) -> list[Fact]:
    """Return the facts of a document that its spans really show, each span and relation once."""
    text = reading.document.text
    found: dict[tuple[str, str, str, int, int], Fact] = {}
    for extract in EXTRACTORS:
        for fact in extract(reading):
            if shows_value(fact, text[fact.start : fact.end]):
                key = (fact.subject, fact.relation, fact.value, fact.start, fact.end)
                found.setdefault(key, fact)
    return list(found.values())
