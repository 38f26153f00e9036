"""Compute numerical answers twice more: as SQL on parsed values, in decimals from displayed text.

    claims of one context -> facts table in DuckDB -> one read-only SELECT a batch -> disagreements
                          -> facts with the values that their spans display -> the program again

Programs are Python over normalised values. A slip in a reader (a scale, a sign, a unit) shows where
the text is read again; a slip in a node shows where SQL says something else. The database lives in
memory, reaches no files and no network, and has a time and a memory limit.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from longloom.errors import DataError
from longloom.records import Document
from longloom.runlog.closing import ClosesOnExit
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.facts.quantities import displayed_value, plain
from longloom.synthesis.programs.choice import LETTERS, Choice
from longloom.synthesis.programs.node import Program
from longloom.synthesis.programs.numeric import QUALIFIER_SEPARATOR, Rounded, flat
from longloom.synthesis.programs.world import World

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_COLUMNS = ("subject", "relation", "unit", "period_start", "period_end", "qualifiers", "value")
_BATCH_SIZE = 25
_MEMORY_LIMIT = "512MB"
_RELATIVE_SLACK = Decimal("1e-7")


@dataclass(frozen=True, slots=True)
class Claim:
    """A question's program and the answer to confirm."""

    program: Program
    """The program; one without SQL is not looked at."""
    answer: str
    """Its answer; the letter for multiple choice."""


class SecondOpinion(ClosesOnExit):
    """A closed-off database in memory, for one context after the other."""

    def __init__(self, *, timeout_seconds: float = 30.0) -> None:
        """Open the database; no batch of SQL runs longer than the limit."""
        import duckdb

        self._timeout_seconds = timeout_seconds
        self._connection = duckdb.connect(
            ":memory:", config={"threads": 1, "memory_limit": _MEMORY_LIMIT, "temp_directory": ""}
        )
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET lock_configuration = true")

    def close(self) -> None:
        """Free the database."""
        self._connection.close()

    def disagreements(
        self, claims: Sequence[Claim], world: World, documents: Mapping[str, Document]
    ) -> dict[int, str]:
        """Return the places of the claims that do not hold, each with the reason.

        Args:
            claims: questions about one context; programs that state no SQL are passed over.
            world: the facts of the context.
            documents: its documents by id.
        """
        asked = {
            place: (root, written)
            for place, claim in enumerate(claims)
            for root, written in [_root(claim)]
            if hasattr(root, "sql")
        }
        found: dict[int, str] = {}
        relations: set[str] = set()
        for place, (root, written) in asked.items():
            execution = root.execute(world)
            relations.update(fact.relation for fact in execution.evidence)
            reason = _unlike_display(root, written, execution.evidence, documents)
            if reason is not None:
                found[place] = reason
        expressions = {
            place: root.sql() for place, (root, _) in asked.items() if place not in found
        }
        answers = self._computed(expressions, relations, world) if expressions else {}
        for place in expressions:
            root, written = asked[place]
            if not _is_same(root, written, answers.get(place)):
                found[place] = f"SQL gives {answers.get(place)}, the program {written}"
        return dict(sorted(found.items()))

    def _computed(
        self, expressions: Mapping[int, str], relations: Iterable[str], world: World
    ) -> dict[int, str]:
        facts = [fact for name in sorted(relations) for fact in world.facts_with(name)]
        self._connection.register("incoming", _table(facts))
        self._connection.execute("CREATE OR REPLACE TABLE facts AS SELECT * FROM incoming")
        self._connection.unregister("incoming")
        answers: dict[int, str] = {}
        places = list(expressions)
        for first in range(0, len(places), _BATCH_SIZE):
            batch = places[first : first + _BATCH_SIZE]
            answers |= self._batch({place: expressions[place] for place in batch})
        return answers

    def _batch(self, expressions: Mapping[int, str]) -> dict[int, str]:
        """Compute a batch; if it fails as a whole, one by one, and what fails has no answer."""
        sql = " UNION ALL ".join(
            f"SELECT {place} AS place, CAST({expression} AS VARCHAR) AS answer"
            for place, expression in expressions.items()
        )
        try:
            rows = select(self._connection, sql, timeout_seconds=self._timeout_seconds)
        except DataError:
            if len(expressions) == 1:
                return {}
            singles = [self._batch({place: text}) for place, text in expressions.items()]
            return {place: answer for single in singles for place, answer in single.items()}
        return {int(place): str(answer) for place, answer in rows if answer is not None}


def disagreements(
    claims: Sequence[Claim], world: World, documents: Mapping[str, Document]
) -> dict[int, str]:
    """Return the places of the claims of one context that do not hold, each with the reason."""
    with SecondOpinion() as opinion:
        return opinion.disagreements(claims, world, documents)


def _root(claim: Claim) -> tuple[Any, str]:
    """Return the program below a choice, with the answer it stands for."""
    if not isinstance(claim.program, Choice):
        return claim.program, claim.answer
    place = LETTERS.find(claim.answer)
    options = claim.program.options
    return claim.program.program, options[place] if 0 <= place < len(options) else ""


def _unlike_display(
    root: Any, written: str, evidence: Iterable[Fact], documents: Mapping[str, Document]
) -> str | None:
    """Run a program again on the values that the spans of its evidence display."""
    displayed = []
    for fact in evidence:
        shown = _displayed(fact, documents)
        if shown is None:
            return f"the span of {fact.label or fact.relation} shows no number"
        displayed.append(shown)
    answer = root.execute(_world(displayed)).only_answer if displayed else written
    return None if answer == written else f"the displayed text gives {answer}, not {written}"


def _world(facts: Iterable[Fact]) -> World:
    by_document: dict[str, list[Fact]] = {}
    for fact in facts:
        by_document.setdefault(fact.doc_id, []).append(fact)
    return World(by_document)


def _displayed(fact: Fact, documents: Mapping[str, Document]) -> Fact | None:
    """Return the fact with the value its span displays; signs are the markup's."""
    document = documents.get(fact.doc_id)
    if fact.value_kind != "number" or document is None:
        return fact if document is not None else None
    shown = displayed_value(document.text[fact.start : fact.end], fact.scale)
    if shown is None:
        return None
    return replace(fact, value=plain(-abs(shown) if fact.value.startswith("-") else abs(shown)))


def _is_same(root: object, written: str, computed: str | None) -> bool:
    """Whether SQL's answer, unrounded, is what was written."""
    if computed is None or not isinstance(root, Rounded):
        return computed == written
    bare = written.replace("$", "").replace(",", "").replace("%", "").split(" ")[0]
    try:
        answer, number = Decimal(bare), Decimal(computed)
    except InvalidOperation:
        return False
    slack = Decimal("0.5").scaleb(-root.num_decimals) + abs(number) * _RELATIVE_SLACK
    return abs(answer - number) <= slack


def select(
    connection: "duckdb.DuckDBPyConnection", sql: str, *, timeout_seconds: float
) -> list[tuple[Any, ...]]:
    """Return the rows of one SELECT statement.

    Raises:
        DataError: the text is not exactly one SELECT, fails, or takes too long.
    """
    import duckdb

    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise DataError(f"SQL cannot be parsed: {_first_line(error)}") from None
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise DataError(f"SQL {sql[:60]!r} is not exactly one SELECT")
    timer = threading.Timer(timeout_seconds, connection.interrupt)
    timer.start()
    try:
        return connection.execute(statements[0]).fetchall()
    except duckdb.InterruptException:
        raise DataError(f"SQL was stopped after {timeout_seconds} seconds") from None
    except duckdb.Error as error:
        raise DataError(f"SQL {sql[:60]!r} failed: {_first_line(error)}") from None
    finally:
        timer.cancel()


def _table(facts: Sequence[Fact]) -> "pa.Table":
    import pyarrow as pa

    columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    numbers: list[float | None] = []
    for fact in facts:
        columns["subject"].append(fact.subject)
        columns["relation"].append(fact.relation)
        columns["unit"].append(fact.unit)
        columns["period_start"].append(fact.period_start)
        columns["period_end"].append(fact.period_end)
        columns["qualifiers"].append(QUALIFIER_SEPARATOR.join(flat(fact)))
        columns["value"].append(fact.value)
        numbers.append(float(fact.value) if fact.value_kind == "number" else None)
    return pa.table({**columns, "number": pa.array(numbers, pa.float64())})


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]
