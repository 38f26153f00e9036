"""Disputes: what dated documents of one context state differently."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from longloom.synthesis.facts.document_dates import RELATION as DATED
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.programs.world import World

_MAX_KEYS = 200_000
"""Statements compared; more than any context holds."""


@dataclass(frozen=True, slots=True)
class Dispute:
    """One thing of which dated documents state different values."""

    fact: Fact
    """One of the statements."""
    by_title: Mapping[str, Fact]
    """The statements by title of their document, in the order of the context."""


def disputes(world: World) -> list[Dispute]:
    """Return what two or more dated documents state, each with one value, not all the same."""
    dates = {fact.doc_id: fact for fact in world.facts_with(DATED)}
    stated: dict[tuple[object, ...], dict[str, list[Fact]]] = {}
    for doc_id, date in dates.items():
        for fact in world.facts_in(doc_id) if len(dates) > 1 else ():
            key = _key(fact, date)
            if key is not None and len(stated) < _MAX_KEYS:
                stated.setdefault(key, {}).setdefault(date.subject, []).append(fact)
    return list(_disputed(stated))


def _key(fact: Fact, date: Fact) -> tuple[object, ...] | None:
    """Return what statements of the same thing share; None for what is not compared."""
    if fact.relation == DATED:
        return None
    qualifiers = fact.qualifiers
    if fact.relation.startswith("cell."):
        # Tables inside reports share headers by chance; tables with dates in their names do not.
        if dict(qualifiers).get("table") != date.subject or not fact.subject[:1].isalpha():
            return None
        qualifiers = ()
    period = (fact.period_start, fact.period_end)
    return (fact.subject, fact.relation, *period, fact.unit, fact.label, qualifiers)


def _disputed(stated: Mapping[tuple[object, ...], Mapping[str, list[Fact]]]) -> Iterator[Dispute]:
    for by_title in stated.values():
        single = {
            title: facts[0]
            for title, facts in by_title.items()
            if len({fact.value for fact in facts}) == 1
        }
        if len(single) == len(by_title) and len({fact.value for fact in single.values()}) > 1:
            yield Dispute(next(iter(single.values())), single)
