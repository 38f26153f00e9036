"""Questions over a corpus table: patterns become queries, queries become SQL, SQL gives answers.

    template -> model -> queries -> two independent translations -> DuckDB, twice -> both agree

QwenLong-L1.5, section 3 (CorpusQA). A query is kept only if two translations, asked for with
different prompts (and of different models where there are two), give the same result. The answer
is always what was executed, never what a model said.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from longloom.config import FrozenConfig
from longloom.errors import DataError
from longloom.models.endpoint.messages import ChatModel, ChatRequest, user_request
from longloom.synthesis.endpoint.parsing import ReplyFormatError, ReplyShape, parse_json
from longloom.synthesis.endpoint.prompts import fill_prompt
from longloom.synthesis.endpoint.sql_execution import (
    CorpusTable,
    Rows,
    SqlLimits,
    TableDatabase,
    is_same_result,
)
from longloom.synthesis.endpoint.sql_guard import check_select
from longloom.synthesis.endpoint.yields import Dropped, Yield, run_each

Level = Literal["easy", "medium", "hard"]
_MAX_QUESTION_CHARACTERS = 600


class Nl2SqlConfig(FrozenConfig):
    """How queries are made and executed."""

    queries_per_template: int = Field(default=5, ge=1)
    """Queries asked for with each pattern."""
    allows_empty: bool = False
    """Whether a question may have no answer row (CorpusQA allows it)."""
    max_answer_rows: int = Field(default=20, ge=1)
    """A list that is longer is no short answer."""
    seed: int = 0
    """Seed of the first sample."""
    limits: SqlLimits = SqlLimits()
    """Limits of each statement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusQuery:
    """A question about a corpus table, without its answer."""

    question: str
    """The question."""
    level: Level
    """As its writer labelled it."""
    template: str
    """The pattern it was made from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredQuery:
    """A query with the result on which two translations agree."""

    query: CorpusQuery
    """The query."""
    statements: tuple[str, str]
    """Both statements as they were executed."""
    rows: Rows
    """The result, every cell as text."""

    @property
    def only_answer(self) -> str | None:
        """The single cell of the result, if it is one."""
        is_single = len(self.rows) == 1 and len(self.rows[0]) == 1
        return self.rows[0][0] if is_single else None


class _Query(ReplyShape):
    question: str
    level: Level


class _Queries(ReplyShape):
    queries: list[_Query]


class _Sql(ReplyShape):
    sql: str


async def expand_queries(
    model: ChatModel,
    templates: Sequence[str],
    table: CorpusTable,
    config: Nl2SqlConfig | None = None,
) -> Yield[CorpusQuery]:
    """Return queries that follow the templates; repeated ones are dropped."""
    settings = config or Nl2SqlConfig()
    seen: set[str] = set()

    async def expand(template: str) -> list[CorpusQuery | Dropped]:
        prompt = fill_prompt(
            "expand_queries",
            table=table.name,
            row_kind=table.row_kind,
            columns=describe_columns(table),
            template=template,
            num_queries=str(settings.queries_per_template),
        )
        reply = await model.complete(user_request(prompt, is_json=True, seed=settings.seed))
        return [
            CorpusQuery(question=query.question, level=query.level, template=template)
            for query in parse_json(reply, _Queries).queries[: settings.queries_per_template]
        ]

    expanded = await run_each(templates, expand, lambda template: template[:80])
    kept: list[CorpusQuery] = []
    dropped = list(expanded.dropped)
    for query in expanded.kept:
        reason = _query_fault(query.question, table, seen)
        seen.add(" ".join(query.question.casefold().split()))
        if reason is None:
            kept.append(query)
        else:
            dropped.append(Dropped(key=query.question[:80], reason=reason))
    return Yield(kept=tuple(kept), dropped=tuple(dropped), num_inputs=len(templates))


async def answer_queries(
    models: tuple[ChatModel, ChatModel],
    queries: Sequence[CorpusQuery],
    table: CorpusTable,
    config: Nl2SqlConfig | None = None,
) -> Yield[AnsweredQuery]:
    """Keep the queries whose two translations execute to the same result.

    Both models may be the same one; the translations differ by their prompts then.
    """
    settings = config or Nl2SqlConfig()
    database = TableDatabase(table, settings.limits)
    turn = asyncio.Lock()

    async def execute(sql: str) -> Rows:
        async with turn:  # one connection, one statement
            return await asyncio.to_thread(database.answer, sql)

    async def answer(query: CorpusQuery) -> list[AnsweredQuery | Dropped]:
        prompts = ("nl2sql_direct", "nl2sql_stepwise")
        replies = await asyncio.gather(
            *(
                model.complete(_translation(prompt, query, table, settings))
                for model, prompt in zip(models, prompts, strict=True)
            )
        )
        try:
            first, second = (parse_json(reply, _Sql).sql for reply in replies)
            rows = await execute(first)
            others = await execute(second)
            checked = (check_select(first, [table.name]), check_select(second, [table.name]))
        except (DataError, ReplyFormatError) as error:
            reason = "SQL refused" if isinstance(error, DataError) else "reply of another form"
            return [_drop(query, reason, str(error))]
        fault = _result_fault(rows, others, settings)
        if fault is not None:
            return [_drop(query, fault, f"{rows[:3]} and {others[:3]}")]
        return [AnsweredQuery(query=query, statements=checked, rows=rows)]

    try:
        return await run_each(queries, answer, lambda query: query.question[:80])
    finally:
        database.close()


def describe_columns(table: CorpusTable) -> str:
    """Return the columns with type and meaning, one per line."""
    return "\n".join(
        f"- {column.name} ({column.column_type}): {column.description}" for column in table.columns
    )


def _translation(
    prompt: str, query: CorpusQuery, table: CorpusTable, config: Nl2SqlConfig
) -> ChatRequest:
    filled = fill_prompt(
        prompt,
        table=table.name,
        row_kind=table.row_kind,
        columns=describe_columns(table),
        question=query.question,
    )
    return user_request(filled, seed=config.seed, is_json=prompt == "nl2sql_direct")


def _query_fault(question: str, table: CorpusTable, seen: set[str]) -> str | None:
    folded = " ".join(question.casefold().split())
    if not 10 <= len(question) <= _MAX_QUESTION_CHARACTERS:
        return "question too short or too long"
    if folded in seen:
        return "question asked before"
    technical = [column.name.casefold() for column in table.columns if "_" in column.name]
    return "question names a column" if any(name in folded for name in technical) else None


def _result_fault(rows: Rows, others: Rows, config: Nl2SqlConfig) -> str | None:
    if not is_same_result(rows, others):
        return "two translations disagree"
    if any(cell is None for row in rows for cell in row):
        return "result with a missing value"
    if not rows and not config.allows_empty:
        return "empty result"
    if len(rows) > config.max_answer_rows or any(len(row) != 1 for row in rows):
        return "result is no value or short list"
    return None


def _drop(query: CorpusQuery, reason: str, details: str) -> Dropped:
    return Dropped(key=query.question[:80], reason=reason, details=details[:200])
