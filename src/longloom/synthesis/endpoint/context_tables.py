"""The table that the facts of a context fill, for questions in SQL.

    world -> the kind with most to tell -> columns that most of its subjects fill -> TableQuery

A column is a relation with one value for most subjects of the kind, of one sort and one unit.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import sqlglot
from sqlglot import exp

from longloom.errors import DataError
from longloom.synthesis.endpoint.sql_execution import Column, CorpusTable
from longloom.synthesis.endpoint.sql_guard import check_select
from longloom.synthesis.facts.catalogue import KINDS, RELATIONS
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.generators.vocabulary import Vocabulary
from longloom.synthesis.programs.table_query import (
    EXACT,
    NAME_COLUMN,
    TABLE_NAME,
    TableQuery,
)
from longloom.synthesis.programs.world import World

_MIN_ROWS, _MAX_ROWS = 6, 60
_MIN_DOCUMENTS = 3
_MIN_FILLED = 0.6
_MAX_COLUMNS = 8
_MIN_COLUMNS = 2
_WORD = re.compile(r"[a-z0-9]+")
_SORTS = {"number": "DOUBLE", "date": "DATE"}
_FULL_DATE = 10

TEMPLATES = (
    "Which {row} has the highest (or lowest) {number or date} among those that meet a condition?",
    "How many of the {rows} meet a condition on two columns?",
    "What is the sum (or mean) of a number over the {rows} that meet a condition?",
    "By how much does a number differ between the {row} first and last by another column?",
    "What percentage of the {rows} that meet one condition also meet another?",
    "Which value of a column do most {rows} that meet a condition share?",
)
"""Patterns of questions over any table."""


def table_of(world: World) -> tuple[TableQuery, CorpusTable] | None:
    """Return an unasked query with its table, described for a model, or None if there is none."""
    best: TableQuery | None = None
    best_size = 0
    for kind, relations in _columns_by_kind(world).items():
        subjects = {
            fact.subject
            for name in relations
            for fact in world.facts_with(name)
            if fact.subject_kind == kind
        }
        size = len(subjects) * len(relations)
        if len(subjects) <= _MAX_ROWS and size > best_size:
            best, best_size = _query(kind, relations, world), size
    return (best, _described(best, world)) if best is not None else None


def asked(query: TableQuery, sql: str, num_decimals: int = EXACT) -> TableQuery:
    """Return the query with a statement, and with what the statement reads.

    Raises:
        DataError: the statement is not one SELECT over the table.
    """
    checked = check_select(sql, [TABLE_NAME])
    statement = sqlglot.parse_one(checked, read="duckdb")
    named = {column.name.lower() for column in statement.find_all(exp.Column)}
    if not named & set(query.columns):
        raise DataError("the statement reads no column of facts")
    pattern = statement.transform(
        lambda node: exp.Literal.string("?") if isinstance(node, exp.Literal) else node
    )
    pairs = zip(query.relations, query.columns, strict=True)
    return TableQuery(
        subject_kind=query.subject_kind,
        relations=query.relations,
        columns=query.columns,
        column_types=query.column_types,
        read=tuple(relation for relation, column in pairs if column in named),
        pattern=pattern.sql(dialect="duckdb"),
        sql=checked,
        num_decimals=num_decimals,
    )


def _columns_by_kind(world: World) -> dict[str, list[str]]:
    """Return the relations that can be columns, by the kind of their subjects."""
    found: dict[str, list[str]] = defaultdict(list)
    facts_by_place: dict[tuple[str, str], list[Fact]] = defaultdict(list)
    subjects: dict[str, set[str]] = defaultdict(set)
    documents: dict[str, set[str]] = defaultdict(set)
    for fact in world.facts:
        facts_by_place[fact.subject_kind, fact.relation].append(fact)
        subjects[fact.subject_kind].add(fact.subject)
        documents[fact.subject_kind].add(fact.doc_id)
    for (kind, relation), facts in facts_by_place.items():
        is_large = len(subjects[kind]) >= _MIN_ROWS and len(documents[kind]) >= _MIN_DOCUMENTS
        if is_large and _is_column(facts, len(subjects[kind])):
            found[kind].append(relation)
    return {
        kind: relations[:_MAX_COLUMNS]
        for kind, relations in found.items()
        if len(relations) >= _MIN_COLUMNS
    }


def _is_column(facts: Sequence[Fact], num_subjects: int) -> bool:
    values: dict[str, set[str]] = defaultdict(set)
    for fact in facts:
        values[fact.subject].add(fact.value)
    single = [next(iter(stated)) for stated in values.values() if len(stated) == 1]
    sorts = {(fact.value_kind, fact.unit) for fact in facts}
    is_key = (known := RELATIONS.get(facts[0].relation)) is not None and known.is_key
    is_varied = 1 < len(set(single)) < len(single) or facts[0].value_kind in _SORTS
    return (
        len(single) >= _MIN_FILLED * num_subjects and len(sorts) == 1 and is_varied and not is_key
    )


def _query(kind: str, relations: Sequence[str], world: World) -> TableQuery:
    names: list[str] = []
    for relation in relations:
        facts = world.facts_with(relation)
        words = _WORD.findall((facts[0].label or relation.partition(".")[2]).lower())[:5]
        name = "_".join(words) or "value"
        name = name if name[0].isalpha() else f"c_{name}"
        taken = Counter(names)[name] or name == NAME_COLUMN
        names.append(f"{name}_{len(names) + 1}" if taken else name)
    return TableQuery(
        subject_kind=kind,
        relations=tuple(relations),
        columns=tuple(names),
        column_types=tuple(_type_of(world.facts_with(relation)) for relation in relations),
        read=(),
        pattern="",
        sql="",
        num_decimals=EXACT,
    )


def _type_of(facts: Sequence[Fact]) -> str:
    sort = _SORTS.get(facts[0].value_kind, "TEXT")
    is_partial = sort == "DATE" and any(len(fact.value) != _FULL_DATE for fact in facts)
    return "TEXT" if is_partial else sort


def _described(query: TableQuery, world: World) -> CorpusTable:
    table, _ = query.table(world)
    vocabulary = Vocabulary(RELATIONS, KINDS, world)
    descriptions: Mapping[str, str] = {
        NAME_COLUMN: f"name of the {query.subject_kind}",
        **{
            column: _description(relation, query.subject_kind, vocabulary, world)
            for column, relation in zip(query.columns, query.relations, strict=True)
        },
    }
    return CorpusTable(
        name=table.name,
        row_kind=query.subject_kind,
        columns=tuple(
            Column(
                name=column.name,
                column_type=column.column_type,
                description=descriptions[column.name],
            )
            for column in table.columns
        ),
        rows=table.rows,
    )


def _description(relation: str, kind: str, vocabulary: Vocabulary, world: World) -> str:
    worded = vocabulary.relation(relation)
    noun = worded.noun.replace("{x}", f"the {kind}") if worded else relation.partition(".")[2]
    facts = world.facts_with(relation)
    unit = f", in {facts[0].unit}" if facts[0].unit else ""
    examples = ", ".join(dict.fromkeys(fact.value[:40] for fact in facts[:3]))
    return f"{noun}{unit} (such as {examples})"
