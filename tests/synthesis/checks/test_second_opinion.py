from dataclasses import replace

import duckdb
import pytest

from longloom.errors import DataError
from longloom.records import Document, DocumentKind
from longloom.synthesis.checks.second_opinion import Claim, SecondOpinion, disagreements, select
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.programs.choice import Choice
from longloom.synthesis.programs.finance import (
    Compounded,
    Coupons,
    Discounted,
    EffectiveRate,
    InterestBetween,
    LevelPayment,
    MonthlyRate,
    Share,
    StraightLine,
)
from longloom.synthesis.programs.numeric import Number, NumberOf, Rounded, Stated
from longloom.synthesis.programs.numeric_aggregates import (
    Aggregate,
    Count,
    CountBeyond,
    CountChanges,
    FirstBeyond,
    Leader,
    Nth,
    RankOf,
    WeightedMean,
)
from longloom.synthesis.programs.numeric_arithmetic import (
    AnnualGrowth,
    Difference,
    Grown,
    PercentChange,
    PercentOf,
    Plus,
    Ratio,
)
from longloom.synthesis.programs.numeric_series import (
    Column,
    OverPeriods,
    OverSubjects,
    OverTables,
    WithNumber,
    WithText,
)
from longloom.synthesis.programs.world import World

LINES = {"A": ("1,200", "1,350", "1,100"), "B": ("700", "(50)", "910"), "O'C": ("4", "5", "6")}
YEARS = ("2021", "2022", "2023")
CELLS = (("r", "10", "1", "x"), ("s", "30", "3", "x"), ("t", "20", "2", "y"))


def _document(doc_id, text):
    return Document(
        doc_id=doc_id,
        title=doc_id,
        kind=DocumentKind.GENERAL,
        source=doc_id,
        licence="CC0",
        text=text,
        blocks=(),
    )


def _context():
    """Lines in millions of three firms, and two small tables."""
    documents, facts = {}, {}
    for name, shown in LINES.items():
        text = " | ".join(shown)
        documents[name] = _document(name, text)
        place = 0
        for year, cell in zip(YEARS, shown, strict=True):
            value = cell.replace(",", "").replace("(", "-").rstrip(")") + "000000"
            facts.setdefault(name, []).append(
                _fact(name, "sales", value, name, place, cell, year, scale=6, unit="USD")
            )
            place += len(cell) + 3
    for table, factor in (("T", 1), ("U", 2)):
        pieces, place = [], 0
        for row, size, weight, colour in CELLS:
            for relation, cell in (("size", str(int(size) * factor)), ("w", weight), ("c", colour)):
                kind = "text" if relation == "c" else "number"
                one = _fact(row, relation, cell, table, place, cell, "", kind=kind)
                facts.setdefault(table, []).append(replace(one, qualifiers=(("table", table),)))
                pieces.append(cell)
                place += len(cell) + 1
        documents[table] = _document(table, " ".join(pieces))
    return World(facts), documents


def _fact(subject, relation, value, doc, start, shown, period, *, scale=0, unit="", kind="number"):
    return Fact(
        subject=subject,
        relation=relation,
        value=value,
        value_kind=kind,
        subject_kind="firm",
        doc_id=doc,
        start=start,
        end=start + len(shown),
        certainty=1,
        unit=unit,
        scale=scale,
        period_start=period,
        period_end=period,
    )


def sale(name, year):
    return Number(name, "sales", "USD", year, year, ())


RUN = OverPeriods("A", "sales", "USD", (), tuple(f"{year}/{year}" for year in YEARS))
CROWD = OverSubjects(tuple(LINES), "sales", "USD", (), ("2021/2021", "2022/2022", "2023/2023"))
SIZE, WEIGHT = (Column(name, "", "/", ("table", "T")) for name in ("size", "w"))
A, B, RATE = sale("A", "2021"), sale("B", "2021"), Stated("4.5", "%")
NUMBERS = [
    A,
    sale("O'C", "2021"),
    Plus(A, B),
    Difference(A, sale("B", "2022")),
    Ratio(A, B),
    PercentOf(A, B),
    PercentChange(A, B),
    AnnualGrowth(A, B, 3),
    Grown(A, RATE, 4),
    *(Aggregate(name, RUN) for name in ("total", "mean", "median", "spread")),
    *(Aggregate(name, RUN) for name in ("average_change", "largest_rise")),
    CountChanges("rises", RUN),
    CountChanges("falls", RUN),
    CountBeyond("above", "1150000000", RUN),
    CountBeyond("below", "1150000000", CROWD),
    Nth("largest", 2, CROWD),
    Nth("smallest", 3, RUN),
    RankOf("largest", "B", CROWD),
    NumberOf(Leader("largest", 1, CROWD), "sales", "USD", "2022", "2022", ()),
    Aggregate("mean", SIZE),
    Aggregate("mean", WithText(SIZE, "c", "x")),
    Count(WithNumber(SIZE, WEIGHT, "above", "1.5")),
    Aggregate("spread", OverTables("r", "size", "", "/", ("T", "U"))),
    WeightedMean(SIZE, WEIGHT),
    Share(A, RATE),
    Coupons(A, RATE, 2, 3),
    InterestBetween(A, RATE, "2022-07", "2023-08", 0),
    Compounded(A, RATE, 4, 9),
    Discounted(A, RATE, 3),
    LevelPayment(A, RATE, 12, 60),
    StraightLine(A, 7, 60),
    Plus(EffectiveRate(RATE, 12), PercentOf(A, B)),
    Plus(MonthlyRate(RATE), PercentOf(A, B)),
]
NAMES = [
    Leader("largest", 1, CROWD),
    Leader("smallest", 2, SIZE),
    FirstBeyond("above", "1250000000", RUN),
]


def _claims(world):
    roots = [*(Rounded(node, 0, 4, "plain") for node in NUMBERS), *NAMES]
    return [Claim(root, root.execute(world).only_answer) for root in roots]


def test_sql_and_displayed_text_agree_with_every_node():
    world, documents = _context()
    claims = _claims(world)
    assert all(claim.answer for claim in claims)
    assert disagreements(claims, world, documents) == {}


def test_every_wrong_answer_is_noticed():
    world, documents = _context()
    wrong = []
    for claim in _claims(world):
        is_name = not isinstance(claim.program, Rounded)
        other = "B" if is_name and claim.answer != "B" else "A"
        answer = other if is_name else format(float(claim.answer) * 1.001 + 0.001, ".4f")
        wrong.append(Claim(claim.program, answer))
    assert list(disagreements(wrong, world, documents)) == [*range(len(wrong))]


def test_a_value_that_its_span_does_not_show_is_noticed():
    world, documents = _context()
    changed = {
        doc_id: [
            replace(fact, value="1300000000") if fact.value == "1200000000" else fact
            for fact in world.facts_in(doc_id)
        ]
        for doc_id in world.documents
    }
    root = Rounded(A, 6, 0, "plain")
    found = disagreements([Claim(root, "1300")], World(changed), documents)
    assert found == {0: "the displayed text gives 1200, not 1300"}


def test_a_choice_is_checked_by_its_option():
    world, documents = _context()
    root = Rounded(A, 6, 1, "money")
    choice = Choice(root, ("$1.0 million", "$1,200.0 million", "$5.0 million", "$6.0 million"))
    assert choice.execute(world).only_answer == "B"
    found = disagreements([Claim(choice, "B"), Claim(choice, "C")], world, documents)
    assert list(found) == [1]


def test_one_database_serves_several_contexts():
    world, documents = _context()
    with SecondOpinion() as opinion:
        for _ in range(2):
            assert opinion.disagreements(_claims(world), world, documents) == {}


@pytest.mark.parametrize(
    "sql", ["SELECT 1; SELECT 2", "CREATE TABLE t (a INT)", "SELECT", "COPY (SELECT 1) TO 'x'"]
)
def test_only_one_select_is_run(sql):
    with duckdb.connect(":memory:") as connection, pytest.raises(DataError):
        select(connection, sql, timeout_seconds=1.0)


def test_files_cannot_be_read(tmp_path):
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with SecondOpinion() as opinion, pytest.raises(DataError):
        select(
            opinion._connection,
            f"SELECT * FROM read_csv('{tmp_path / 'secret.csv'}')",
            timeout_seconds=1.0,
        )


def test_long_queries_are_stopped():
    with SecondOpinion() as opinion, pytest.raises(DataError, match="stopped"):
        select(
            opinion._connection,
            "SELECT sum(a.i * b.i) FROM range(10000000) a(i), range(10000000) b(i)",
            timeout_seconds=0.2,
        )
