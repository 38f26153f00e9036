"""Let through one SELECT over the listed tables, and nothing else.

The statement is parsed by sqlglot and every node of the tree must be known to be harmless: tables
by name, functions by a list of what questions need. What is not listed is refused, so a function
that reads files or settings needs no mention here. DuckDB itself is locked down besides, see
`sql_execution.py`.
"""

from collections.abc import Collection

import sqlglot
from sqlglot import exp

from longloom.errors import DataError

MAX_SQL_CHARACTERS = 4_000
MAX_NODES = 600

_FUNCTION_NAMES = """
    ABS ANY_VALUE ARG_MAX ARG_MIN ARRAY_AGG AVG CASE CAST CEIL COALESCE CONCAT CONTAINS CORR COUNT
    COUNT_IF CUME_DIST CURRENT_ROW DATEDIFF DATE_DIFF DATE_PART DATE_TRUNC DAY DENSE_RANK EXTRACT
    FIRST FIRST_VALUE FLOOR GREATEST IF IFNULL ILIKE LAG LAST LAST_VALUE LEAD LEAST LENGTH LIKE LN
    LOG LOG10 LOGICAL_AND LOGICAL_OR LOWER MAX MEDIAN MIN MOD MODE MONTH NTH_VALUE NTILE NULLIF
    PERCENT_RANK PERCENTILE_CONT POW POWER QUANTILE QUANTILE_CONT QUARTER RANK REGEXP_MATCHES
    REPLACE ROUND ROW_NUMBER SAFE_DIVIDE SIGN SPLIT_PART SQRT STARTS_WITH STDDEV STDDEV_POP
    STDDEV_SAMP STRPOS STR_POSITION SUBSTR SUBSTRING SUM TRIM TRY_CAST UPPER VARIANCE VAR_POP
    VAR_SAMP VARIANCE_POP YEAR AND OR XOR EXISTS APPROX_DISTINCT STARTSWITH STRING_AGG GROUP_CONCAT
    TS_OR_DS_TO_DATE TIMESTAMP_TRUNC TO_DATE
"""
_ALLOWED_FUNCTIONS = frozenset(_FUNCTION_NAMES.split())
_REFUSED_NODES: tuple[type[exp.Expr], ...] = (
    exp.Command,
    exp.Copy,
    exp.DDL,
    exp.DML,
    exp.Into,
    exp.Lateral,
    exp.Parameter,
    exp.Placeholder,
    exp.Pragma,
    exp.Set,
    exp.UDTF,
)


def check_select(sql: str, tables: Collection[str]) -> str:
    """Return the statement as sqlglot writes it back, which is what may be executed.

    Raises:
        DataError: it is not exactly one SELECT over `tables` with listed functions.
    """
    statement = _parse_one(sql)
    if not isinstance(statement, exp.Select | exp.SetOperation):
        raise DataError(f"SQL is {statement.key.upper()}; expected one SELECT")
    own_names = {cte.alias.lower() for cte in statement.find_all(exp.CTE)}
    clashing = own_names & {table.lower() for table in tables}
    if clashing:
        raise DataError(f"SQL redefines the table {sorted(clashing)[0]!r}")
    if any(part.args.get("recursive") for part in statement.find_all(exp.With)):
        raise DataError("SQL is recursive; expected a plain SELECT")
    allowed = own_names | {table.lower() for table in tables}
    for num_nodes, node in enumerate(statement.walk(), start=1):
        if num_nodes > MAX_NODES:
            raise DataError(f"SQL has over {MAX_NODES} parts")
        _check_node(node, allowed)
    return statement.sql(dialect="duckdb", comments=False)


def _parse_one(sql: str) -> exp.Expr:
    if len(sql) > MAX_SQL_CHARACTERS:
        raise DataError(f"SQL has {len(sql)} characters; expected at most {MAX_SQL_CHARACTERS}")
    try:
        statements = [found for found in sqlglot.parse(sql, read="duckdb") if found is not None]
    except (sqlglot.errors.SqlglotError, RecursionError, ValueError) as error:
        raise DataError(f"SQL cannot be parsed: {str(error)[:120]}") from None
    if len(statements) != 1:
        raise DataError(f"SQL holds {len(statements)} statements; expected one SELECT")
    return statements[0]


def _check_node(node: exp.Expr, allowed_tables: Collection[str]) -> None:
    if isinstance(node, _REFUSED_NODES):
        raise DataError(f"SQL holds {node.key.upper()}, which is not allowed")
    if isinstance(node, exp.Table):
        is_plain = isinstance(node.this, exp.Identifier) and not node.db and not node.catalog
        if not is_plain or node.name.lower() not in allowed_tables:
            raise DataError(
                f"SQL reads {node.sql(dialect='duckdb')[:80]!r}, which is no table here"
            )
    if isinstance(node, exp.Func):
        name = node.name if isinstance(node, exp.Anonymous) else node.sql_name()
        if name.upper() not in _ALLOWED_FUNCTIONS:
            raise DataError(f"SQL calls {name.upper()}, which is not among the allowed functions")
