import io
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from longloom.errors import DataError
from longloom.records import BlockKind
from longloom.synthesis.documents import csv, jsonl, parquet
from longloom.synthesis.documents.reader import SourceFile


def read_csv(text, name="folder/rivers.csv"):
    payload = text.encode() if isinstance(text, str) else text
    (reading,) = csv.read(SourceFile(name=name, payload=payload, licence="CC0-1.0"))
    return reading


RIVERS = 'river,length (km),note\nAmun,1200,"wide, slow"\nBel,310,\n'


def test_rows_become_lines_and_cells_become_marks():
    reading = read_csv(RIVERS)
    text = reading.document.text
    assert text == (
        "folder/rivers\n\nriver | length (km) | note\nAmun | 1200 | wide, slow\nBel | 310 |"
    )
    shown = [
        (text[mark.start : mark.end], mark.attributes["row"], mark.attributes["column"])
        for mark in reading.marks
    ]
    assert shown == [
        ("Amun", "Amun", "river"),
        ("1200", "Amun", "length (km)"),
        ("wide, slow", "Amun", "note"),
        ("Bel", "Bel", "river"),
        ("310", "Bel", "length (km)"),
    ]
    assert {mark.attributes["table"] for mark in reading.marks} == {"folder/rivers"}
    assert reading.document.genre == "table"


def test_a_long_table_is_several_blocks_with_one_header():
    reading = read_csv("name,size\n" + "".join(f"n{k},{k}\n" for k in range(100)))
    tables = [block for block in reading.document.blocks if block.kind is BlockKind.TABLE]
    assert len(tables) == 3
    assert reading.document.text.count("name | size") == 1
    lines = [reading.document.text[one.start : one.end].count("\n") + 1 for one in tables]
    assert lines == [41, 40, 20]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_delimiters_are_found(delimiter):
    reading = read_csv(RIVERS.replace('"wide, slow"', "wide").replace(",", delimiter))
    assert "Amun | 1200 | wide" in reading.document.text


def test_a_key_of_two_columns_where_none_is_enough():
    reading = read_csv("land,code,year,sum\nA,AA,2000,5.5\nA,AA,2001,5.5\nB,BB,2000,7.5\n")
    assert [mark.attributes["row"] for mark in reading.marks][::4] == [
        "A, 2000",
        "A, 2001",
        "B, 2000",
    ]


def test_row_numbers_that_nobody_named_are_dropped():
    reading = read_csv('"","first","x"\n"1","Ann",2\n"2","Bob",3\n')
    assert "first | x\nAnn | 2\nBob | 3" in reading.document.text


def test_rows_over_the_limit_are_counted():
    reading = read_csv("name,size\n" + "".join(f"n{k},{k}\n" for k in range(csv.MAX_ROWS + 7)))
    assert reading.document.text.endswith("(7 further rows are left out.)")
    assert reading.marks[-1].attributes == {"count": "7"}


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"\x00\x01\x02", "control characters"),
        (b"one\ntwo\n", "no delimiter"),
        (b"1,2\n3,4\n", "holds numbers"),
        (b"a,b\n", "without rows"),
        (b"a,b\nx,2\ny,3\nz,4\nw\n", "longer or shorter"),
        (b"\x81\xff,b\n1,2\n", "neither UTF-8"),
        (b'a,b\n"' + b"x" * 200_000 + b'",1\n', "field larger"),
        (b",".join([b"c"] * 500) + b"\n" + b",".join([b"1"] * 500), "500 columns"),
    ],
)
def test_what_is_no_table_is_refused_with_a_reason(payload, reason):
    with pytest.raises(DataError, match=reason):
        read_csv(payload)


def test_a_very_long_line_is_refused_quickly():
    started = time.monotonic()
    with pytest.raises(DataError):
        read_csv(b"a," * 5_000_000)
    assert time.monotonic() - started < 5


def parquet_bytes(table):
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def test_parquet_reads_as_the_same_table_without_nested_columns():
    table = pa.table({"river": ["Amun", "Bel"], "length (km)": [1200, None], "x": [[1], [2]]})
    (reading,) = parquet.read(SourceFile(name="r.parquet", payload=parquet_bytes(table)))
    assert reading.document.text == "r\n\nriver | length (km)\nAmun | 1200\nBel |"


@pytest.mark.parametrize(
    "payload", [b"PAR1 nonsense PAR1", b"", parquet_bytes(pa.table({"a": [[1]]}))]
)
def test_broken_parquet_is_refused(payload):
    with pytest.raises(DataError, match=r"Parquet"):
        list(parquet.read(SourceFile(name="r.parquet", payload=payload)))


def test_json_lines_are_documents_and_bad_lines_are_counted(caplog):
    payload = (
        b'{"text": "One.\\n\\nTwo.", "title": "First", "date": "2024-05-31", '
        b'"licence": "CC0-1.0"}\n'
        b"not json\n[1]\n" + b"[" * 100_000 + b"\n"
        b'{"content": "Three.", "url": "https://example.org/3"}\n{"text": "\\ud800"}\n'
    )
    readings = list(jsonl.read(SourceFile(name="t.jsonl", payload=payload, licence="MIT")))
    first, second = (reading.document for reading in readings)
    assert (first.title, first.text, first.date, first.licence) == (
        "First",
        "First\n\nOne.\n\nTwo.",
        "2024-05-31",
        "CC0-1.0",
    )
    assert (second.title, second.source, second.licence) == (
        "t.jsonl line 5",
        "https://example.org/3",
        "MIT",
    )
    assert "4 of 6 lines" in caplog.text


def test_json_lines_without_texts_are_refused():
    with pytest.raises(DataError, match="none of 1 lines"):
        list(jsonl.read(SourceFile(name="t.jsonl", payload=b'{"a": 1}\n')))
