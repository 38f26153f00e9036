"""The tables of a context that questions may speak of: columns, rows, groups.

Used are columns that measure something (no codes, ranks, coordinates or flags) of tables whose
title names them within the context. A column is whole if none of its rows is missing, from the
first row on; only whole columns are counted, ranked or averaged.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.generators.draft import Setting
from longloom.synthesis.programs.numeric import Number, flat
from longloom.synthesis.programs.numeric_series import Column, interval

PREFIX = "cell."
MAX_WHOLE_ROWS = 60
_MIN_ROWS = 4
_CODES = re.compile(
    r"(?:^|[^a-z])(?:id|code|cik|fips|zip|years?|month|day|date|rank|no|number(?! of)|lat|latitude|"
    r"lon|long|longitude|index|geo|fp|fod1p|ce|tract|phone|isbn|version|port|section|ref|rfc|flag|"
    r"bucket|tt|pos|position|place|lane|heat|ranking|grid|fifa|pennant|seed|round|season|episode|edition|draft|week|detail|agency)(?:$|[^a-z])|(?:_fp|_ce|_id|bucket)$",
    re.IGNORECASE,
)
_RATES = re.compile(
    r"rate|percent|perct|pct|%|share|ratio|mean|average|avg|median|score|index|temp|\bper\b|_per_|"
    r"prob|frequency|proportion|p25|p75|rating|stars|gini|income|quotient|norm|100k|premium|use\b|"
    r"_use|spi|p_|adjust|approval|margin|poll",
    re.IGNORECASE,
)
_MIXED = frozenset({"value", "stat", "stats", "result", "figure", "amount", "total"})
"""Headers of columns whose rows may measure different things."""
_NUMBER_PART = re.compile(r"-?\d+(?:\.\d+)?(?:$| \()(?<!\b\d{4})")
_TOTAL_ROW = re.compile(
    r"(?:^|\b(?:sub|grand ))totals?\b|^(?:all|average|overall|mean|median|sum|combined)\b|\btotal$",
    re.IGNORECASE,
)
_NAME = re.compile(r"[^\W\d_][^\d\"]*")
_MAX_ROW_CHARACTERS = 60
_MAX_DECIMALS = 4


@dataclass(frozen=True, eq=False)
class Measured:
    """A column of numbers, of one period where rows have one."""

    facts: tuple[Fact, ...]
    """Its cells, in the order of rows."""
    document_title: str
    """Title of the document it stands in."""
    is_whole: bool
    """Whether no row is missing."""

    @property
    def first(self) -> Fact:
        """Its first cell, for what all cells share."""
        return self.facts[0]

    @property
    def table(self) -> str:
        """Title of its table."""
        return self.first.qualifiers[0][1]

    @cached_property
    def column(self) -> Column:
        """The node that gives all of it."""
        first = self.first
        return Column(first.relation, first.unit, interval(first), flat(first))

    @cached_property
    def by_row(self) -> dict[str, Fact]:
        """Its cells by row."""
        return {fact.subject: fact for fact in self.facts}

    @cached_property
    def values(self) -> tuple[Decimal, ...]:
        """Its numbers."""
        return tuple(Decimal(fact.value) for fact in self.facts)

    @property
    def is_summable(self) -> bool:
        """Whether adding its numbers up means something."""
        is_money = self.first.unit in ("USD", "EUR", "GBP")
        is_counted = is_money or all(value == int(value) for value in self.values)
        return self.first.unit != "%" and is_counted and not _RATES.search(self.first.label)

    @property
    def place(self) -> str:
        """Its table in words."""
        return table_words(self.table, self.document_title)

    @property
    def noun(self) -> str:
        """Its name in words: `the "wine_servings" column`."""
        period = self.first.period_end
        return f'the "{self.first.label}" column' + (f" for {period}" if period else "")

    @property
    def num_decimals(self) -> int:
        """Decimals its numbers are displayed with, as far as answers follow them."""
        exponents = [
            Decimal(fact.value).scaleb(-fact.scale).as_tuple().exponent for fact in self.facts
        ]
        return min(_MAX_DECIMALS, max(-int(exponent) for exponent in [*exponents, 0]))


def number_of(fact: Fact) -> Number:
    """Return the node that looks a cell up."""
    return Number(
        fact.subject, fact.relation, fact.unit, fact.period_start, fact.period_end, flat(fact)
    )


def table_words(table: str, document_title: str) -> str:
    """Name a table: with its document, where its own title does not say which."""
    named = f'the table "{table}"'
    return named if table.startswith(document_title) else f'{named} of "{document_title}"'


class TableCells:
    """The usable columns of a context."""

    def __init__(self, setting: Setting) -> None:
        cells: dict[tuple[str, str, str, str], list[Fact]] = defaultdict(list)
        documents_by_table: dict[str, set[str]] = defaultdict(set)
        num_rows: Counter[str] = Counter()
        for fact in setting.world.facts:
            if not fact.relation.startswith(PREFIX) or len(fact.qualifiers) != 1:
                continue
            table = fact.qualifiers[0][1]
            documents_by_table[table].add(fact.doc_id)
            num_rows[table] = max(num_rows[table], fact.position)
            cells[table, fact.relation, interval(fact), fact.value_kind].append(fact)
        self.columns: list[Measured] = []
        self.texts: dict[str, dict[str, dict[str, list[Fact]]]] = defaultdict(dict)
        for (table, relation, _, kind), facts in cells.items():
            if len(documents_by_table[table]) > 1:
                continue
            document = setting.documents.get(facts[0].doc_id)
            if document is None:
                continue
            if kind == "number" and is_measure(facts):
                is_whole = [fact.position for fact in facts] == [*range(1, num_rows[table] + 1)]
                is_whole = is_whole and not has_total_row(facts)
                self.columns.append(Measured(tuple(facts), document.title, is_whole))
            elif kind == "text":
                groups = _groups(facts)
                if groups:
                    self.texts[table][relation] = groups
        self._group()

    def _group(self) -> None:
        self.whole = [
            one for one in self.columns if one.is_whole and len(one.facts) <= MAX_WHOLE_ROWS
        ]
        same: dict[tuple[str, ...], list[Measured]] = defaultdict(list)
        headers: dict[str, set[str]] = defaultdict(set)
        for one in self.columns:
            headers[one.table].add(one.first.relation)
        for one in self.columns:
            # Side by side stand only tables of one make: a shared word in two headers may mean two
            # things.
            header = "\n".join(sorted(headers[one.table]))
            same[one.first.relation, one.first.unit, interval(one.first), header].append(one)
        self.alike = [many for many in same.values() if len({one.table for one in many}) > 1]
        self.by_table: dict[str, list[Measured]] = defaultdict(list)
        for one in self.columns:
            self.by_table[one.table].append(one)
        series: dict[tuple[str, str, str], list[Fact]] = defaultdict(list)
        self.place_of: dict[str, str] = {}
        for one in self.columns:
            self.place_of[one.table] = one.place
            for fact in one.facts:
                if fact.period_end:
                    series[one.table, fact.relation, fact.subject].append(fact)
        self.series = [
            sorted(facts, key=lambda fact: fact.period_end)
            for facts in series.values()
            if len(facts) > 2
        ]

    def joined(self, one: Measured) -> list[Measured]:
        """Return whole columns of other documents that have every row of a column."""
        return [
            other
            for other in self.columns
            if other.first.doc_id != one.first.doc_id
            and interval(other.first) == interval(one.first)
            and one.by_row.keys() <= other.by_row.keys()
        ]


def is_total_row(fact: Fact) -> bool:
    """Whether the name of a row says that it sums up others."""
    return _TOTAL_ROW.search(fact.subject) is not None


def has_total_row(facts: Sequence[Fact]) -> bool:
    """Whether a row sums up the others, by its name or by its number."""
    if any(map(is_total_row, facts)):
        return True
    values = [Decimal(fact.value) for fact in facts]
    return len(values) > 2 and max(values) * 2 == sum(values) and max(values) > 0


def is_measure(facts: Sequence[Fact]) -> bool:
    """Whether a column measures something, with enough different values to ask about."""
    first = facts[0]
    if _CODES.search(first.label) or '"' in first.label or first.label.startswith("column "):
        return False
    if first.label.lower() == "n":
        return False  # sizes of overlapping groups
    if len({fact.subject for fact in facts}) < len(facts) or len({fact.unit for fact in facts}) > 1:
        return False
    if any(not is_plain_row(fact.subject) for fact in facts):
        return False
    distinct = {fact.value for fact in facts}
    is_series = bool(first.period_end)
    if first.label.lower() in _MIXED and not is_series:
        return False
    return is_series or (len(facts) >= _MIN_ROWS and len(distinct) * 4 > len(facts) + 8)


def is_plain_row(row: str) -> bool:
    """Whether a key of a row can be said in a question."""
    # `2012, 19, 15` is a key made of numbers, which no reader would take for a name.
    parts = row.split(", ")
    is_named = len(parts) == 1 or not any(map(_NUMBER_PART.match, parts))
    is_short = len(row) <= _MAX_ROW_CHARACTERS and is_named
    return is_short and not row.startswith("row ") and '"' not in row


def _groups(facts: Sequence[Fact]) -> dict[str, list[Fact]]:
    """Return the rows that share a text, where a column sorts its rows into a few groups."""
    groups: dict[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        groups[fact.value].append(fact)
    if any(not _NAME.fullmatch(text) for text in groups):
        return {}
    if not 2 <= len(groups) <= 40 or len({fact.subject for fact in facts}) < len(facts):
        return {}
    return {text: rows for text, rows in groups.items() if 3 <= len(rows) <= 30 and len(text) < 60}
