"""SELECTs over the facts of a context."""

from dataclasses import replace

import pytest

from longloom.errors import DataError
from longloom.synthesis.endpoint.context_tables import asked, table_of
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.programs.catalogue import read_program
from longloom.synthesis.programs.codec import shape_of, to_json
from longloom.synthesis.programs.table_query import TableQuery, rounded
from longloom.synthesis.programs.world import World

STONES = {"Arden": "3", "Birk": "5", "Corvane": "4", "Dellow": "9", "Esker": "5", "Farrow": "7"}
BUILT = {name: f"{1801 + place}-05-01" for place, name in enumerate(STONES)}


def fact(name: str, relation: str, value: str, kind: str, start: int) -> Fact:
    return Fact(
        subject=name,
        relation=relation,
        value=value,
        value_kind=kind,
        subject_kind="mill",
        doc_id=f"doc {name}",
        start=start,
        end=start + 1,
        certainty=1,
        label=relation.partition(".")[2],
    )


def world() -> World:
    return World(
        {
            f"doc {name}": [
                fact(name, "mill.stones", STONES[name], "number", 0),
                fact(name, "mill.built", BUILT[name], "date", 5),
            ]
            for name in STONES
        }
    )


def query(sql: str, **changes: object) -> TableQuery:
    found = table_of(world())
    assert found is not None
    return replace(asked(found[0], sql), **changes)  # type: ignore[arg-type]


def test_facts_of_one_kind_fill_a_table() -> None:
    found = table_of(world())
    assert found is not None
    _, table = found
    assert table.row_kind == "mill"
    assert [(c.name, c.column_type) for c in table.columns] == [
        ("name", "TEXT"),
        ("stones", "DOUBLE"),
        ("built", "DATE"),
    ]
    assert table.rows[0] == ("Arden", 3.0, "1801-05-01")
    assert "the mill" in table.columns[1].description


def test_few_subjects_fill_none() -> None:
    assert table_of(world().without(["doc Arden"])) is None


def test_statement_is_executed_on_the_world_it_is_given() -> None:
    most = query("SELECT name FROM records ORDER BY stones DESC LIMIT 1")
    assert most.execute(world()).only_answer == "Dellow"
    assert most.execute(world().without(["doc Dellow"])).only_answer == "Farrow"
    assert most.read == ("mill.stones",)
    assert {fact.relation for fact in most.execute(world()).evidence} == {"mill.stones"}
    # (3 + 5 + 4 + 9 + 5 + 7) / 6 = 5.5
    assert query("SELECT avg(stones) FROM records").execute(world()).only_answer == "5.5"


def test_tie_that_the_order_of_rows_decides_is_no_answer() -> None:
    tied = query("SELECT name FROM records WHERE stones < 6 ORDER BY stones DESC LIMIT 1")
    assert tied.execute(world()).answers == frozenset()


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM records",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT count(*) FROM records",
        "SELECT stones FROM records; SELECT 1",
    ],
)
def test_other_statements_are_refused(sql: str) -> None:
    with pytest.raises(DataError):
        query(sql)


def test_program_with_a_refused_statement_gives_nothing() -> None:
    good = query("SELECT max(stones) FROM records")
    for sql in ("DELETE FROM records", "SELECT nothing FROM records", "no SQL"):
        assert replace(good, sql=sql).execute(world()).answers == frozenset()
    assert replace(good, columns=("stones",)).execute(world()).answers == frozenset()
    assert replace(good, columns=("a b", "c")).execute(world()).answers == frozenset()


def test_program_is_read_back_and_its_shape_has_no_constants() -> None:
    late = query("SELECT max(stones) FROM records WHERE built > '1803-01-01'")
    assert read_program(to_json(late)) == late
    assert "1803" not in shape_of(late)
    assert "built" in shape_of(late)


def test_conflicting_values_leave_the_cell_empty() -> None:
    facts = {doc_id: list(world().facts_in(doc_id)) for doc_id in world().documents}
    facts["doc Dellow"].append(fact("Dellow", "mill.stones", "20", "number", 9))
    most = query("SELECT max(stones) FROM records")
    assert most.execute(World(facts)).only_answer == "7"


def test_numbers_are_rounded_half_up_and_words_are_left() -> None:
    assert rounded("2.345", 2) == "2.35"
    assert rounded("2.50", 2) == "2.5"
    assert rounded("Dellow", 2) == "Dellow"
    assert rounded("2.345", -1) == "2.345"
