"""Answer numeric questions a second time, as SQL, all in one statement.

The programs answer in decimal Python from the context's statements; here DuckDB joins the parsed
numbers of the same contexts. A question whose two answers differ is not kept.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from longloom.synthesis.miniature.fact import Fact
from longloom.synthesis.miniature.facts.tables import FactStore
from longloom.synthesis.miniature.programs import Difference, Maximum, Numeric, Sum

_SQL = """
SELECT q.question_id,
       CASE q.operation
         WHEN 'sum' THEN a.number + b.number
         WHEN 'difference' THEN a.number - b.number
         ELSE greatest(a.number, b.number)
       END AS answer
FROM questions q
JOIN facts a ON a.context_id = q.context_id
  AND a.relation = q.first_relation AND a.subject = q.first_subject
JOIN facts b ON b.context_id = q.context_id
  AND b.relation = q.second_relation AND b.subject = q.second_subject
"""

_OPERATIONS: dict[type, str] = {Difference: "difference", Maximum: "maximum", Sum: "sum"}


@dataclass(frozen=True, slots=True, kw_only=True)
class NumericClaim:
    """A numeric question, the facts of its context, and the answer to confirm."""

    example_id: str
    """The example."""
    program: Numeric
    """Its program, over chains of one relation."""
    answer: str
    """The answer that Python computed."""
    facts: tuple[Fact, ...]
    """All facts of its context."""


def disagreements(claims: Sequence[NumericClaim]) -> set[str]:
    """Return the ids of the examples for which SQL does not give the same single answer."""
    if not claims:
        return set()
    with FactStore(_scoped(claims)) as store:
        store.add_table("questions", _question_table(claims))
        rows = store.query(_SQL, timeout_seconds=60.0)
    answers: dict[str, set[float]] = {claim.example_id: set() for claim in claims}
    for question_id, answer in rows:
        if isinstance(answer, int | float):
            answers[str(question_id)].add(round(float(answer), 9))
    return {
        claim.example_id
        for claim in claims
        if answers[claim.example_id] != {round(float(claim.answer), 9)}
    }


def _scoped(claims: Iterable[NumericClaim]) -> Iterable[tuple[str, Fact]]:
    for claim in claims:
        for fact in claim.facts:
            yield claim.example_id, fact


def _question_table(claims: Sequence[NumericClaim]) -> pa.Table:
    return pa.table(
        {
            "question_id": [claim.example_id for claim in claims],
            "context_id": [claim.example_id for claim in claims],
            "operation": [_OPERATIONS[type(claim.program)] for claim in claims],
            "first_subject": [claim.program.first.subject for claim in claims],
            "first_relation": [claim.program.first.relations[0] for claim in claims],
            "second_subject": [claim.program.second.subject for claim in claims],
            "second_relation": [claim.program.second.relations[0] for claim in claims],
        }
    )
