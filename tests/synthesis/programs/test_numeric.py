from decimal import Decimal

import pytest

from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.programs import (
    finance,
    numeric,
    numeric_aggregates,
    numeric_arithmetic,
    numeric_series,
)
from longloom.synthesis.programs.codec import from_json, shape_of, to_json
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

NODES = {
    node.KIND: node
    for module in (numeric, numeric_aggregates, numeric_arithmetic, numeric_series, finance)
    for node in module.NODES
}


def fact(subject, relation, value, *, doc="d1", unit="USD", period="", table="", kind="number"):
    return Fact(
        subject=subject,
        relation=relation,
        value=value,
        value_kind=kind,
        subject_kind="company",
        doc_id=doc,
        start=0,
        end=1,
        certainty=1,
        unit=unit,
        period_start=period,
        period_end=period,
        qualifiers=(("table", table),) if table else (),
    )


YEARS = ("2020", "2021", "2022", "2023")
SALES = {"A": (100, 120, 90, 200), "B": (50, 60, 75, 80)}
ROWS = {"r": (10, 1, "x"), "s": (30, 3, "x"), "t": (20, 2, "y")}


@pytest.fixture
def world():
    sales = [
        fact(name, "sales", str(value), period=year, doc=f"d{name}")
        for name, values in SALES.items()
        for year, value in zip(YEARS, values, strict=True)
    ]
    cells = [
        fact(row, relation, str(value), unit=unit, table="T", kind=kind, doc="dT")
        for row, (size, weight, colour) in ROWS.items()
        for relation, value, unit, kind in (
            ("size", size, "", "number"),
            ("weight", weight, "", "number"),
            ("colour", colour, "", "text"),
        )
    ]
    other = [fact("r", "size", "16", unit="", table="U", doc="dU")]
    groups = {}
    for one in (*sales, *cells, *other):
        groups.setdefault(one.doc_id, []).append(one)
    return World(groups)


def sale(name, year):
    return Number(name, "sales", "USD", year, year, ())


def years(name, chosen=YEARS):
    return OverPeriods(name, "sales", "USD", (), tuple(f"{year}/{year}" for year in chosen))


BOTH = OverSubjects(("A", "B"), "sales", "USD", (), ("2023/2023", "2023/2023"))
SIZE = Column("size", "", "/", ("table", "T"))
WEIGHT = Column("weight", "", "/", ("table", "T"))

# Worked by hand from SALES and ROWS above.
CASES = [
    (sale("A", "2021"), "120"),
    (Plus(sale("A", "2020"), sale("B", "2020")), "150"),
    (Difference(sale("A", "2023"), sale("B", "2023")), "120"),
    (Ratio(sale("A", "2023"), sale("B", "2023")), "2.5"),
    (PercentOf(sale("B", "2020"), sale("A", "2020")), "50"),
    (PercentChange(sale("A", "2020"), sale("A", "2022")), "-10"),
    (AnnualGrowth(sale("A", "2020"), sale("A", "2021"), 1), "20"),
    (Grown(sale("A", "2020"), Stated("10", "%"), 2), "121"),
    (Aggregate("total", years("A")), "510"),
    (Aggregate("mean", years("B", YEARS[:3])), "61.66666667"),
    (Aggregate("median", years("A")), "110"),
    (Aggregate("spread", years("A")), "110"),
    (Aggregate("average_change", years("B")), "10"),
    (Aggregate("largest_rise", years("A")), "110"),
    (CountChanges("rises", years("A")), "2"),
    (CountChanges("falls", years("A")), "1"),
    (CountBeyond("above", "95", years("A")), "3"),
    (CountBeyond("below", "95", years("A")), "1"),
    (Nth("largest", 2, years("A")), "120"),
    (Nth("smallest", 1, years("A")), "90"),
    (RankOf("largest", "B", BOTH), "2"),
    (NumberOf(Leader("smallest", 1, BOTH), "sales", "USD", "2020", "2020", ()), "50"),
    (Aggregate("mean", SIZE), "20"),
    (Aggregate("mean", WithText(SIZE, "colour", "x")), "20"),
    (Count(WithText(SIZE, "colour", "x")), "2"),
    (Aggregate("total", WithNumber(SIZE, WEIGHT, "above", "1.5")), "50"),
    (Aggregate("spread", OverTables("r", "size", "", "/", ("T", "U"))), "6"),
    (WeightedMean(SIZE, WEIGHT), "23.33333333"),
]
NAMES = [
    (Leader("largest", 1, BOTH), "A"),
    (Leader("smallest", 2, SIZE), "t"),
    (FirstBeyond("above", "115", years("A")), "2021"),
    (FirstBeyond("below", "95", years("A")), "2022"),
]


@pytest.mark.parametrize(("node", "expected"), CASES)
def test_numeric_nodes_give_what_is_worked_by_hand(world, node, expected):
    answer = node.execute(world).only_answer
    assert round(Decimal(answer), 8) == Decimal(expected)


@pytest.mark.parametrize(("node", "expected"), NAMES)
def test_nodes_that_name_give_names(world, node, expected):
    assert node.execute(world).only_answer == expected


@pytest.mark.parametrize("node", [node for node, _ in (*CASES, *NAMES)])
def test_programs_survive_json_and_shapes_hide_constants(node):
    assert from_json(to_json(node), NODES) == node
    assert "2023" not in shape_of(node)
    assert '"A"' not in shape_of(node)


def test_a_missing_part_makes_no_sum(world):
    assert not Aggregate("total", years("A", ("2019", "2020"))).execute(world).answers


def test_units_that_differ_are_nothing(world):
    size = Number("r", "size", "", "", "", ("table", "T"))
    assert not Difference(sale("A", "2020"), size).execute(world).answers


def test_documents_that_disagree_are_nothing():
    two = World({"d1": [fact("A", "x", "1")], "d2": [fact("A", "x", "2", doc="d2")]})
    number = Number("A", "x", "USD", "", "", ())
    assert not number.execute(two).answers
    assert number.execute(two.without(["d2"])).only_answer == "1"


def test_equal_numbers_share_no_place():
    even = World({"d": [fact("A", "x", "1", doc="d"), fact("B", "x", "1.0", doc="d")]})
    both = OverSubjects(("A", "B"), "x", "USD", (), ("/", "/"))
    assert not Leader("largest", 1, both).execute(even).answers
    assert not RankOf("largest", "A", both).execute(even).answers


def test_division_by_zero_is_nothing():
    world = World({"d": [fact("A", "x", "0", doc="d"), fact("B", "x", "1", doc="d")]})
    zero, one = (Number(name, "x", "USD", "", "", ()) for name in "AB")
    assert not Ratio(one, zero).execute(world).answers
    assert not PercentChange(zero, one).execute(world).answers


@pytest.mark.parametrize(
    ("value", "scale", "num_decimals", "style", "expected"),
    [
        ("32400000", 6, 1, "money", "$32.4 million"),
        ("980000", 0, 0, "money", "$980,000"),
        ("-1250000000", 9, 2, "money", "-$1.25 billion"),
        ("2.345", 0, 2, "plain", "2.35"),
        ("-0.04", 0, 1, "plain", "0.0"),
        ("4.5", 0, 1, "percent", "4.5%"),
    ],
)
def test_answers_are_written_in_their_form(value, scale, num_decimals, style, expected):
    root = Rounded(Stated(value, "USD"), scale, num_decimals, style)
    assert root.execute(World({})).only_answer == expected


def test_hostile_constants_are_nothing_and_never_raise():
    world = World({})
    assert not Rounded(Stated("1e999999", "USD"), 0, 2, "plain").execute(world).answers
    assert not Rounded(Stated("x", "USD"), 0, 2, "plain").execute(world).answers
    assert not CountBeyond("above", "x", BOTH).execute(world).answers
