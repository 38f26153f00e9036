"""Facts from the cells of tables, whatever document they stand in.

Every reader marks body cells in one way: a mark `cell` with the attributes `row` (key of the row),
`column` (header) and `table` (title). A column is read as numbers, dates or text as a whole, so
that a stray dash or word does not change what its neighbours are. A key that a table gives twice
is left out: a question could not say which one it means.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from types import MappingProxyType

from longloom.synthesis.documents.building import Mark, Reading
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.facts.quantities import Quantity, header_unit, parse_quantity, plain
from longloom.synthesis.facts.relation import EntityKind, Relation

KINDS: tuple[EntityKind, ...] = (EntityKind(name="row", plural="rows"),)
RELATIONS: tuple[Relation, ...] = ()
"""Columns are an open family: see `relation_for`."""

_MAX_VALUE_CHARACTERS = 160
_MIN_TYPED_SHARE = Decimal("0.8")
_MISSING = frozenset({"", "-", "--", "\u2014", "\u2013", "na", "n/a", "nan", "null", "none", "**"})
_YEAR_WORDS = re.compile(
    r"(?:^|[^a-z])(?:year|founded|born|died|established|season|fy)(?:[^a-z]|$)|(?:year|date)$", re.I
)
_YEAR = re.compile(r"(?:1[0-9]|20)[0-9]{2}")
_ISO_DATE = re.compile(r"((?:1[5-9]|20)[0-9]{2})-([0-9]{1,2})(?:-([0-9]{1,2}))?")
_WORDED_DATE = re.compile(
    r"(?:([0-9]{1,2}) ([A-Za-z]{3,9})|([A-Za-z]{3,9}) ([0-9]{1,2}),?) ((?:1[5-9]|20)[0-9]{2})"
)
_MONTHS = MappingProxyType(
    {
        name: number
        for number, names in enumerate(
            (
                "january jan", "february feb", "march mar", "april apr", "may", "june jun",
                "july jul", "august aug", "september sep sept", "october oct", "november nov",
                "december dec",
            ),
            start=1,
        )
        for name in names.split()
    }
)  # fmt: skip
_SLUG = re.compile(r"[^\w]+")

_Cell = tuple[Mark, str]


def extract(reading: Reading) -> list[Fact]:
    """Return one fact a body cell, typed by column; keys stated twice are left out."""
    text = reading.document.text
    cells_by_column: dict[tuple[str, str], list[_Cell]] = defaultdict(list)
    positions = _row_numbers(reading.marks)
    for mark in reading.marks:
        if mark.name != "cell":
            continue
        table, column = mark.attributes.get("table", ""), mark.attributes.get("column", "")
        row = mark.attributes.get("row", "")
        shown = " ".join(text[mark.start : mark.end].split())
        if row and column and shown.lower() not in _MISSING and shown != row:
            cells_by_column[table, column].append((mark, shown))
    years = _years_of_rows(cells_by_column)
    facts: list[Fact] = []
    for (table, column), cells in cells_by_column.items():
        facts += _column_facts(reading.document.doc_id, table, column, cells, years, positions)
    return sorted(facts, key=lambda fact: (fact.start, fact.end))


def relation_for(fact: Fact) -> Relation:
    """Return how to word the column a cell fact belongs to."""
    return Relation(
        name=fact.relation,
        subject_kind="row",
        value_kind=fact.value_kind,
        question=f'What does the table give as "{fact.label}" for {{x}}?',
        noun=f'the "{fact.label}" of {{x}}',
        clause=f'with {{v}} as "{fact.label}"',
    )


def column_slug(column: str) -> str:
    """Return the part of a relation's name that stands for a column."""
    return _SLUG.sub("_", column.casefold()).strip("_")[:60] or "column"


def parse_date(text: str) -> str | None:
    """Return an ISO date for text that is one, and can only be read in one way."""
    match = _ISO_DATE.fullmatch(text)
    if match:
        return _iso(int(match[1]), int(match[2]), int(match[3]) if match[3] else None)
    match = _WORDED_DATE.fullmatch(text)
    if match is None:
        return None
    month = _MONTHS.get((match[2] or match[3]).lower())
    return _iso(int(match[5]), month, int(match[1] or match[4])) if month else None


def _iso(year: int, month: int, day: int | None) -> str | None:
    if not 1 <= month <= 12 or (day is not None and not 1 <= day <= 31):
        return None
    return f"{year:04}-{month:02}" + ("" if day is None else f"-{day:02}")


def _row_numbers(marks: Iterable[Mark]) -> dict[tuple[str, str], int]:
    """Return the number of every row within its table, by table and key.

    Rows of one key are numbered each, so that what is left out leaves a gap, and whoever asks
    about a whole column sees that it is not whole.
    """
    numbers: dict[tuple[str, str], int] = {}
    num_rows: Counter[str] = Counter()
    current: dict[str, tuple[str, set[str]]] = {}
    for mark in marks:
        if mark.name != "cell":
            continue
        table, column = mark.attributes.get("table", ""), mark.attributes.get("column", "")
        row = mark.attributes.get("row", "")
        last_row, columns = current.get(table, ("", set()))
        if row != last_row or column in columns or not num_rows[table]:
            num_rows[table] += 1
            columns = set()
        columns.add(column)
        current[table] = (row, columns)
        numbers.setdefault((table, row), num_rows[table])
    return numbers


def _years_of_rows(cells_by_column: dict[tuple[str, str], list[_Cell]]) -> dict[str, str]:
    """Return the years that keys of rows end in, by key: `Chad, 2003` -> `2003`.

    Only where a column of years says the same, so that a name that ends in a number is kept whole.
    """
    years: dict[str, str] = {}
    for (_, column), cells in cells_by_column.items():
        if not _YEAR_WORDS.search(column):
            continue
        for mark, shown in cells:
            if _YEAR.fullmatch(shown) and mark.attributes["row"].endswith(f", {shown}"):
                years[mark.attributes["row"]] = shown
    return years


def _column_facts(
    doc_id: str,
    table: str,
    column: str,
    cells: Sequence[_Cell],
    years: dict[str, str],
    positions: dict[tuple[str, str], int],
) -> list[Fact]:
    counts = Counter(mark.attributes["row"] for mark, _ in cells)
    typed = _typed(column, [shown for _, shown in cells])
    facts = []
    for (mark, shown), (value, kind, unit, scale) in zip(cells, typed, strict=True):
        row = mark.attributes["row"]
        if counts[row] > 1 or (kind == "text" and len(shown) > _MAX_VALUE_CHARACTERS):
            continue
        year = years.get(row, "")
        subject = row[: -len(year) - 2] if year else row
        if not subject or value in (subject, year):
            continue
        facts.append(
            Fact(
                subject=subject,
                relation=f"cell.{column_slug(column)}",
                value=value,
                value_kind=kind,
                subject_kind="row",
                doc_id=doc_id,
                start=mark.start,
                end=mark.end,
                certainty=1,
                label=column,
                unit=unit,
                scale=scale,
                period_start=year,
                period_end=year,
                qualifiers=(("table", table),) if table else (),
                position=positions[table, row],
            )
        )
    return facts


_Typed = tuple[str, str, str, int]


def _typed(column: str, values: Sequence[str]) -> list[_Typed]:
    """Return value, kind, unit and scale of every cell of a column."""
    if _YEAR_WORDS.search(column) and _share(_YEAR.fullmatch(value) for value in values):
        return [(value, "date" if _YEAR.fullmatch(value) else "text", "", 0) for value in values]
    dates = [parse_date(value) for value in values]
    if _share(dates):
        return [
            (date, "date", "", 0) if date else (value, "text", "", 0)
            for value, date in zip(values, dates, strict=True)
        ]
    quantities = [parse_quantity(value) for value in values]
    if not _share(quantities):
        return [(value, "text", "", 0) for value in values]
    unit, scale = header_unit(column)
    read = [quantity for quantity in quantities if quantity is not None]
    shown_units = {quantity.unit for quantity in read}
    if unit == "%" and shown_units == {""} and all(abs(one.magnitude) <= 1 for one in read):
        unit = ""  # `Win %` over .494: a fraction under the name of a percentage
    if unit and shown_units - {"", unit}:
        return [(value, "text", "", 0) for value in values]
    return [
        _number(quantity, unit, scale) if quantity is not None else (value, "text", "", 0)
        for value, quantity in zip(values, quantities, strict=True)
    ]


def _number(quantity: Quantity, unit: str, scale: int) -> _Typed:
    """Scale by what the cell states itself, else by what its header states."""
    power = quantity.scale or scale
    return plain(quantity.magnitude.scaleb(power)), "number", quantity.unit or unit, power


def _share(parsed: Iterable[object]) -> bool:
    """Whether enough of a column is of a type to read it so."""
    flags = [entry is not None for entry in parsed]
    return bool(flags) and sum(flags) >= _MIN_TYPED_SHARE * len(flags)
