"""Other numbers and dates for the twin of a context, relation by relation.

Numbers: `sign(x) (a |x| + b)` with `b` a multiple of what the coarsest display of the relation can
show, so every span can show the new value exactly; zero stays zero. Relations whose facts share a
span share the map. Dates: 20 or 40 years earlier or later, so that leap days, decades and the order
of dates stay. A relation is left as it is if one of its spans shows the value in a way that cannot
be rewritten, or if its values name the rows of their table.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from statistics import median
from typing import Self

from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.facts.quantities import plain
from longloom.synthesis.programs.predicates import to_decimal, year_of

_CHANGED_PREFIXES = ("cell.", "filing.")
"""Relations whose numbers are what a span shows; others count parts of the document."""
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?|\.\d+")
_YEARS = (-40, -20, 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Affine:
    """A map of numbers that keeps sign, order and zero."""

    factor: Decimal
    """What magnitudes are multiplied with; at least 1."""
    shift: Decimal
    """What is added to magnitudes."""

    def __call__(self, number: Decimal) -> Decimal:
        """Return the number that stands for another."""
        if not number:
            return number
        return (abs(number) * self.factor + self.shift).copy_sign(number)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedValues:
    """How the numbers and dates of relations change."""

    affine_by_relation: Mapping[str, Affine]
    """Relations whose numbers change."""
    dated_relations: frozenset[str]
    """Relations whose dates change."""
    years: int
    """How many years later they are."""

    @classmethod
    def of(cls, facts: Sequence[Fact], texts: Mapping[str, str], seed: str) -> Self:
        """Draw the changes for all facts of a context."""
        random = Random(f"{seed}/values")
        years = random.choice(_YEARS)
        by_relation: dict[str, list[Fact]] = defaultdict(list)
        for fact in facts:
            if fact.value_kind in ("date", "number"):
                by_relation[fact.relation].append(fact)
        maps: dict[str, Affine] = {}
        dated: set[str] = set()
        for group in _sharing_spans(by_relation):
            stated = [fact for relation in group for fact in by_relation[relation]]
            if any(_names_its_row(fact) for fact in stated):
                continue
            if all(fact.value_kind == "number" for fact in stated):
                affine = _drawn_affine(stated, texts, random)
                maps |= dict.fromkeys(group, affine) if affine is not None else {}
            elif all(_year_span(fact, texts, years) is not None for fact in stated):
                dated |= group
        return cls(affine_by_relation=maps, dated_relations=frozenset(dated), years=years)

    def value(self, relation: str, value: str) -> str:
        """Return what a number or date of a relation becomes."""
        affine = self.affine_by_relation.get(relation)
        number = to_decimal(value) if affine is not None else None
        if affine is not None and number is not None:
            return plain(affine(number))
        is_date = relation in self.dated_relations and year_of(value) is not None
        return moved_date(value, self.years) if is_date else value

    def edit(self, fact: Fact, texts: Mapping[str, str]) -> tuple[int, int, str] | None:
        """Return what to write where so that the span shows the new value; None for nothing."""
        affine = self.affine_by_relation.get(fact.relation)
        if affine is not None and fact.value_kind == "number":
            place = _number_span(fact, texts)
            if place is None or not Decimal(fact.value):
                return None
            start, end = place
            shown = texts[fact.doc_id][start:end]
            number = affine(Decimal(fact.value)).scaleb(-fact.scale)
            has_commas = "," in shown or (len(shown) < 4 and fact.relation.startswith("filing."))
            return start, end, _displayed(abs(number), shown, has_commas=has_commas)
        if fact.relation in self.dated_relations and fact.value_kind == "date":
            return _year_span(fact, texts, self.years)
        return None


def moved_date(value: str, years: int) -> str:
    """Return an ISO date some years later."""
    return f"{int(value[:4]) + years:04d}{value[4:]}"


def _names_its_row(fact: Fact) -> bool:
    return fact.relation.startswith("cell.") and fact.value in fact.subject


def _sharing_spans(by_relation: Mapping[str, Iterable[Fact]]) -> Iterator[set[str]]:
    """Yield the relations in groups that have spans in common."""
    first: dict[tuple[str, int], str] = {}
    parent = {relation: relation for relation in by_relation}

    def root(relation: str) -> str:
        while parent[relation] != relation:
            relation = parent[relation]
        return relation

    for relation in sorted(by_relation):
        for fact in by_relation[relation]:
            other = first.setdefault((fact.doc_id, fact.start), relation)
            parent[max(root(relation), root(other))] = min(root(relation), root(other))
    groups: dict[str, set[str]] = defaultdict(set)
    for relation in sorted(by_relation):
        groups[root(relation)].add(relation)
    yield from groups.values()


def _drawn_affine(facts: Sequence[Fact], texts: Mapping[str, str], random: Random) -> Affine | None:
    """Draw a map that every span can show; None if one shows its value in another way."""
    resolutions: list[Decimal] = []
    for fact in facts:
        if not fact.relation.startswith(_CHANGED_PREFIXES):
            return None
        if not Decimal(fact.value):
            continue
        place = _number_span(fact, texts)
        if place is None:
            return None
        shown = texts[fact.doc_id][slice(*place)]
        num_decimals = len(shown.partition(".")[2])
        resolutions.append(Decimal(1).scaleb(fact.scale - num_decimals))
    if not resolutions:
        return None
    magnitude = median(abs(Decimal(fact.value)) for fact in facts if Decimal(fact.value))
    step = max(resolutions)
    most = int(min(magnitude / 3 / step, Decimal(10) ** 12))
    shift = step * random.randint(max(1, most // 4), max(1, most))
    is_share = any(fact.unit == "%" for fact in facts)
    return Affine(factor=Decimal(1 if is_share else random.randint(1, 2)), shift=shift)


def _number_span(fact: Fact, texts: Mapping[str, str]) -> tuple[int, int] | None:
    """Return where the only number of a span stands, if it is the value at its scale."""
    shown = texts[fact.doc_id][fact.start : fact.end]
    found = list(_NUMBER.finditer(shown))
    if len(found) != 1:
        return None
    number = Decimal(found[0][0].replace(",", "")).scaleb(fact.scale)
    if number != abs(Decimal(fact.value)):
        return None
    return fact.start + found[0].start(), fact.start + found[0].end()


def _displayed(magnitude: Decimal, shown: str, *, has_commas: bool) -> str:
    """Write a number with as many decimals as another that is shown."""
    num_decimals = len(shown.partition(".")[2])
    rounded = round(magnitude, num_decimals) if num_decimals else magnitude
    return f"{rounded:,.{num_decimals}f}" if has_commas else f"{rounded:.{num_decimals}f}"


def _year_span(fact: Fact, texts: Mapping[str, str], years: int) -> tuple[int, int, str] | None:
    """Return where a span shows the year, in four digits, and the year to write there."""
    shown = texts[fact.doc_id][fact.start : fact.end]
    found = [match.start() for match in re.finditer(rf"(?<!\d){fact.value[:4]}(?!\d)", shown)]
    is_year = fact.value_kind == "date" and fact.value[:4].isdigit()
    if not is_year or len(found) != 1:
        return None
    start = fact.start + found[0]
    return start, start + 4, moved_date(fact.value[:4], years)
