"""Rows of official files: found one by one, read again by their place, damage named."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longloom.errors import DataError
from longloom.evaluation.rows import (
    RowPlace,
    read_places,
    read_row,
    rows_of,
    text_of,
    texts_of,
    whole_number_of,
)

ROWS = [
    {"id": "a", "text": 'a "quoted" } brace and a \\ backslash', "inner": {"deep": [{"x": "]"}]}},
    {"id": "b", "text": "line\nbreak, [brackets], ünïcode", "inner": {}},
    {"id": "c", "text": "", "inner": {"deep": []}},
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text('{}[],:"\\\n é', max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text('{"\\', max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


def written(path: Path, text: str) -> Path:
    """Write a text and return its path."""
    path.write_text(text, "utf-8")
    return path


def assert_read_twice(path: Path, expected: list[dict[str, object]]) -> None:
    """Assert that rows come in order, and again each from its place, last first."""
    found = list(read_places(path))
    assert [row for _, row in found] == expected
    assert [read_row(place) for place, _ in reversed(found)] == expected[::-1]


@pytest.mark.parametrize("indent", [None, 2])
def test_rows_of_an_array_are_found_by_their_bytes(tmp_path: Path, indent: int | None) -> None:
    text = json.dumps(ROWS, indent=indent, ensure_ascii=False)
    assert_read_twice(written(tmp_path / "a.json", text), ROWS)


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.JSONL"])
def test_lines_may_be_blank_and_called_json(tmp_path: Path, name: str) -> None:
    text = "\n\n".join(json.dumps(row) for row in ROWS)
    assert_read_twice(written(tmp_path / name, text), ROWS)


@given(
    st.lists(st.dictionaries(st.text(max_size=3), VALUES, max_size=3), max_size=4), st.booleans()
)
def test_any_array_of_objects_is_read_as_json_reads_it(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]], is_ascii: bool
) -> None:
    path = tmp_path_factory.mktemp("any") / "a.json"
    path.write_text(json.dumps(rows, ensure_ascii=is_ascii), "utf-8", "surrogatepass")
    assert [row for _, row in read_places(path)] == rows


def test_tables_are_read_by_their_header(tmp_path: Path) -> None:
    expected = [{"Prompt": 'two\n"lines"', "Answer": "a,b"}, {"Prompt": "x", "Answer": "y"}]
    tsv = written(tmp_path / "a.tsv", 'Prompt\tAnswer\n"two\n""lines"""\ta,b\nx\ty\n')
    csv = written(tmp_path / "a.csv", '﻿Prompt,Answer\n"two\n""lines""","a,b"\nx,y\n')
    assert_read_twice(tsv, expected)
    assert_read_twice(csv, expected)


def test_parquet_rows_are_found_across_row_groups_and_batches(tmp_path: Path) -> None:
    rows = [{"n": number, "names": [str(number)]} for number in range(45)]
    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=20)
    assert_read_twice(path, rows)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", '[{"id": 1}, {"id": ', "ends inside a row"),
        ("a.json", '[{"id": 1},', "byte 10: expected another object or the end"),
        ("a.json", '[{"id": 1} {"id": 2}]', "expected another object or the end"),
        ("a.json", '[{"id": 1}', "expected another object or the end"),
        ("a.json", '[{"id": "x', "ends inside a row"),
        ("a.json", "[1, 2]", "expected another object or the end"),
        ("a.json", "[{'id': 1}]", "byte 1: no JSON object"),
        ("a.json", "", "neither a JSON array nor JSON Lines"),
        ("a.json", "null", "neither a JSON array nor JSON Lines"),
        ("a.jsonl", '{"id": 1}\n{"id": 2', "byte 10: no JSON object"),
        ("a.jsonl", '{"id": 1}\n[2]\n', "byte 10: a row is of type list"),
        ("a.parquet", "PAR1 but not really", "no whole Parquet file"),
        ("a.txt", "{}", "of the format '.txt'; expected .jsonl"),
        ("a", "{}", "without ending"),
    ],
)
def test_damage_is_refused_with_its_place(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    path = written(tmp_path / name, text)
    with pytest.raises(DataError, match=message) as caught:
        list(read_places(path))
    assert str(path) in str(caught.value)


def test_nesting_without_end_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", '{"a":' * 100_000)
    with pytest.raises(DataError, match="byte 0: no JSON object"):
        list(read_places(path))


def test_a_cut_parquet_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["x" * 99] * 200}), path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match="no whole Parquet file"):
        list(read_places(path))


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.csv", "a.parquet"])
def test_a_file_that_is_not_there_is_one_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"cannot read|no whole"):
        list(read_places(tmp_path / name))


def test_a_file_that_went_away_is_said(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", '{"id": 1}\n')
    ((place, _),) = read_places(path)
    path.unlink()
    with pytest.raises(DataError, match="was changed while it was used"):
        read_row(place)


def test_fields_are_of_the_kind_that_is_expected() -> None:
    place = RowPlace(path=Path("a.jsonl"), start=7, end=9)
    row = {"n": 3, "yes": True, "text": "t", "texts": ["a"], "rows": [{}], "mixed": ["a", 1]}
    assert whole_number_of(row, "n", place) == 3
    assert text_of(row, "text", place) == "t"
    assert texts_of(row, "texts", place) == ("a",)
    assert rows_of(row, "rows", place) == ({},)
    for read, name in [
        (whole_number_of, "yes"),
        (text_of, "n"),
        (texts_of, "mixed"),
        (rows_of, "texts"),
        (text_of, "gone"),
    ]:
        with pytest.raises(DataError, match=rf"a\.jsonl, byte 7: field '{name}' is "):
            read(row, name, place)
