import pytest

from longloom.errors import DataError
from longloom.synthesis.miniature.fact import Fact
from longloom.synthesis.miniature.facts.tables import FactStore
from longloom.synthesis.miniature.programs import Chain, Difference, Maximum, Sum
from longloom.synthesis.miniature.second_opinion import NumericClaim, disagreements


def _fact(subject: str, value: str, start: int) -> Fact:
    return Fact(
        subject=subject,
        relation="parameters",
        value=value,
        is_number=value.isdigit(),
        doc_id="d",
        start=start,
        end=start + 1,
        certainty=2,
    )


FACTS = (_fact("f", "2", 0), _fact("g", "5", 10), _fact("h", "many", 20))


def test_facts_can_be_queried() -> None:
    with FactStore(("c", fact) for fact in FACTS) as store:
        assert store.query("SELECT sum(number) FROM facts WHERE context_id = ?", ["c"]) == [(7.0,)]
        assert store.query("SELECT value FROM facts WHERE number IS NULL") == [("many",)]


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE facts",
        "SELECT 1; SELECT 2",
        "SELECT * FROM read_csv('/etc/passwd')",
        "COPY facts TO 'x.csv'",
        "SELECT nothing FROM facts",
        "SELECT FROM WHERE",
    ],
)
def test_anything_but_one_harmless_select_is_refused(sql: str) -> None:
    with FactStore([]) as store, pytest.raises(DataError, match="SQL"):
        store.query(sql)


def test_endless_query_is_stopped() -> None:
    with FactStore([]) as store, pytest.raises(DataError, match="stopped after"):
        store.query(
            "SELECT sum(a.range * b.range) FROM range(9000000) a, range(9000000) b",
            timeout_seconds=0.05,
        )


def test_sql_confirms_right_answers_and_only_those() -> None:
    first, second = Chain("g", ("parameters",)), Chain("f", ("parameters",))
    claims = [
        NumericClaim(example_id=name, program=program, answer=answer, facts=FACTS)
        for name, program, answer in [
            ("sum", Sum(first, second), "7"),
            ("difference", Difference(first, second), "3"),
            ("maximum", Maximum(first, second), "5"),
            ("wrong", Sum(first, second), "8"),
            ("missing", Sum(first, Chain("x", ("parameters",))), "5"),
        ]
    ]
    assert disagreements(claims) == {"wrong", "missing"}
    assert disagreements([]) == set()
