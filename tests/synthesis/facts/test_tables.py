from longloom.records import BlockKind, DocumentKind
from longloom.synthesis.documents import csv
from longloom.synthesis.documents.building import DocumentBuilder
from longloom.synthesis.documents.reader import SourceFile
from longloom.synthesis.facts import tables


def facts_of(text):
    (reading,) = csv.read(SourceFile(name="t.csv", payload=text.encode()))
    facts = tables.extract(reading)
    for fact in facts:
        assert 0 <= fact.start < fact.end <= len(reading.document.text)
    return facts


def short(facts):
    return [(fact.subject, fact.relation, fact.value, fact.value_kind) for fact in facts]


def test_cells_become_facts_with_scaled_values():
    facts = facts_of('firm,Sales ($ millions),Founded\nAcme,"1,200.5",1902\nBolt,(30),1999\n')
    assert short(facts) == [
        ("Acme", "cell.sales_millions", "1200500000", "number"),
        ("Acme", "cell.founded", "1902", "date"),
        ("Bolt", "cell.sales_millions", "-30000000", "number"),
        ("Bolt", "cell.founded", "1999", "date"),
    ]
    assert facts[0].unit == "USD"
    assert facts[0].scale == 6
    assert facts[0].label == "Sales ($ millions)"
    assert facts[0].qualifiers == (("table", "t"),)
    assert [fact.position for fact in facts] == [1, 1, 2, 2]


def test_a_year_in_the_key_becomes_the_period():
    facts = facts_of("land,year,sum\nChad,2000,5.5\nChad,2001,6.5\nMali,2000,7.5\n")
    assert [(fact.subject, fact.value, fact.period_end) for fact in facts] == [
        ("Chad", "5.5", "2000"),
        ("Chad", "6.5", "2001"),
        ("Mali", "7.5", "2000"),
    ]


def test_a_column_is_of_one_type_and_missing_cells_are_no_facts():
    facts = facts_of("name,size,code\na,10,x1\nb,-,7\nc,30,x3\nd,40,x4\ne,50,x5\n")
    kinds = {(fact.relation, fact.value_kind) for fact in facts}
    assert kinds == {("cell.size", "number"), ("cell.code", "text")}
    assert [fact.position for fact in facts if fact.relation == "cell.size"] == [1, 3, 4, 5]


def test_a_key_that_a_table_gives_twice_is_left_out_and_leaves_a_gap():
    builder = DocumentBuilder(
        title="Page", kind=DocumentKind.GENERAL, genre="page", source="s", licence="CC0"
    )
    builder.begin(BlockKind.TABLE)
    for row, value in (("x", "10"), ("y", "20"), ("x", "30")):
        builder.add(f"{row} | ")
        builder.mark("cell", builder.add(value), row=row, column="Size", table="T")
        builder.add("\n")
    facts = tables.extract(builder.build())
    assert [(fact.subject, fact.value, fact.position) for fact in facts] == [("y", "20", 2)]


def test_dates_are_read_only_where_they_can_be_read_in_one_way():
    assert tables.parse_date("2014-7-1") == "2014-07-01"
    assert tables.parse_date("May 3, 2019") == "2019-05-03"
    assert tables.parse_date("3 May 2019") == "2019-05-03"
    assert tables.parse_date("6/12/48") is None
    assert tables.parse_date("2014-13-01") is None
