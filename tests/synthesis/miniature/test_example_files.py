import json
import os
from dataclasses import asdict, replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from longloom.errors import ConfigError, DataError
from longloom.synthesis.export import export_examples
from longloom.synthesis.storage import read_examples, write_examples


@pytest.fixture
def written(tmp_path, result):
    examples = (*result.train[:20], *result.held_out[:20])
    write_examples(tmp_path, examples, result.contexts, asdict(result.summary))
    return tmp_path, examples


def _change(path, column: str, row: int, change) -> None:
    table = pq.read_table(path)
    rows = table.column(column).to_pylist()
    rows[row] = change(rows[row])
    place = table.schema.get_field_index(column)
    changed = table.set_column(
        place, table.schema.field(place), pa.array(rows, table.schema.field(place).type)
    )
    pq.write_table(changed, path)


def test_examples_and_contexts_come_back(written, result) -> None:
    folder, examples = written
    read, contexts = read_examples(folder)
    assert read == examples
    assert contexts == {example.context_id: result.contexts[example.context_id] for example in read}


def test_files_carry_schema_names_and_nothing_half_written(written) -> None:
    folder, _ = written
    assert sorted(os.listdir(folder)) == ["contexts.parquet", "examples.parquet", "summary.json"]
    assert pq.read_schema(folder / "examples.parquet").metadata[b"schema"] == b"longloom.examples"
    assert json.loads((folder / "summary.json").read_text("utf-8"))["version"] == 2


def test_rows_have_verls_columns_and_a_slot_for_the_document(written) -> None:
    folder, examples = written
    row = pq.read_table(folder / "examples.parquet").to_pylist()[0]
    assert list(row) == ["data_source", "prompt", "ability", "reward_model", "extra_info"]
    assert row["data_source"] == examples[0].task_type
    assert row["reward_model"] == {"style": "rule", "ground_truth": examples[0].answer}
    assert row["prompt"][0]["content"] == (
        f"Analyze the following document:\n<text>{{context}}</text>\n"
        f"Question: {examples[0].question}"
    )


def test_example_without_its_context_is_not_written(tmp_path, result) -> None:
    with pytest.raises(DataError, match="is not among the 0 contexts"):
        write_examples(tmp_path, result.train[:1], {})
    assert not os.listdir(tmp_path)


def test_missing_file_is_said(tmp_path) -> None:
    with pytest.raises(DataError, match=r"contexts.parquet does not exist"):
        read_examples(tmp_path)


@pytest.mark.parametrize("content", [b"", b"PAR1 damaged", None])
def test_corrupt_parquet_is_said(written, content) -> None:
    folder, _ = written
    path = folder / "examples.parquet"
    content = path.read_bytes()[:-100] if content is None else content
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"examples.parquet is not readable Parquet"):
        read_examples(folder)


def test_flipped_bytes_within_the_file_are_noticed(written) -> None:
    folder, _ = written
    path = folder / "contexts.parquet"
    _change(path, "text", 3, lambda text: text + "x")
    with pytest.raises(DataError, match=r"contexts.parquet, row 3, column context_id: .* the hash"):
        read_examples(folder)


def test_other_schema_and_version_are_refused(written) -> None:
    folder, _ = written
    table = pq.read_table(folder / "examples.parquet")
    newer = {"schema": "longloom.examples", "version": "3"}
    pq.write_table(table.replace_schema_metadata(newer), folder / "examples.parquet")
    with pytest.raises(DataError, match=r"longloom.examples version 3; expected .* version 2"):
        read_examples(folder)


def test_missing_column_is_named(written) -> None:
    folder, _ = written
    table = pq.read_table(folder / "examples.parquet")
    pq.write_table(table.drop_columns(["ability"]), folder / "examples.parquet")
    with pytest.raises(DataError, match="column ability is nothing; expected string"):
        read_examples(folder)


def _extra(**changes):
    return lambda extra: {**extra, **changes}


@pytest.mark.parametrize(
    ("column", "change", "message"),
    [
        ("data_source", lambda value: "riddle", "row 2, column data_source: 'riddle'; expected"),
        ("ability", lambda value: None, "row 2, column ability: 'None'; expected a value"),
        ("extra_info", _extra(split="test"), "column extra_info.split: 'test'; expected one of"),
        ("extra_info", _extra(program="{"), "column extra_info.program: '{'"),
        ("extra_info", _extra(context_id="0"), "column extra_info.context_id: '0'"),
        ("extra_info", _extra(evidence=None), "row 2, column any"),
        (
            "extra_info",
            _extra(
                evidence=[
                    {
                        "doc_id": "d",
                        "doc_start": 0,
                        "doc_end": 1,
                        "context_start": 0,
                        "context_end": 10**9,
                    }
                ]
            ),
            "column extra_info.evidence",
        ),
        (
            "reward_model",
            lambda value: {**value, "ground_truth": ""},
            "column reward_model.ground_truth: ''; expected an answer",
        ),
    ],
)
def test_bad_row_is_named(written, column: str, change, message: str) -> None:
    folder, _ = written
    _change(folder / "examples.parquet", column, 2, change)
    with pytest.raises(DataError, match=message.replace("{", r"\{")):
        read_examples(folder)


@pytest.mark.parametrize("kind", ["verl", "trl"])
def test_parquet_exports_hold_the_document(written, result, kind: str) -> None:
    folder, examples = written
    target = folder / "out" / "file.parquet"
    assert export_examples(folder, target, kind) == 40
    rows = pq.read_table(target).to_pylist()
    assert len(rows) == 40
    for row, example in zip(rows, examples, strict=True):
        content = row["prompt"][0]["content"]
        assert result.contexts[example.context_id].text in content
        assert content.endswith(f"Question: {example.question}")
    answers = [
        row["answer"] if kind == "trl" else row["reward_model"]["ground_truth"] for row in rows
    ]
    assert answers == [example.answer for example in examples]


def test_json_lines_export_quotes_the_evidence(written, result) -> None:
    folder, examples = written
    target = folder / "file.jsonl"
    export_examples(folder, target, "jsonl")
    rows = [json.loads(line) for line in target.read_text("utf-8").splitlines()]
    assert {(row["schema"], row["version"]) for row in rows} == {("longloom.example", 2)}
    assert [row["example_id"] for row in rows] == [example.example_id for example in examples]
    text = result.contexts[examples[0].context_id].text
    span = examples[0].evidence[0]
    assert rows[0]["evidence"][0] == text[span.context_start : span.context_end]


def test_question_with_a_slot_in_it_is_exported_unchanged(tmp_path, result) -> None:
    example = replace(result.train[0], question="What is {context}?")
    write_examples(tmp_path, [example], result.contexts)
    export_examples(tmp_path, tmp_path / "out.jsonl", "jsonl")
    row = json.loads((tmp_path / "out.jsonl").read_text("utf-8"))
    assert row["prompt"].endswith("Question: What is {context}?")


def test_unknown_export_kind_is_refused(written) -> None:
    folder, _ = written
    with pytest.raises(
        ConfigError, match="export kind 'csv' is unknown; expected jsonl, trl, verl"
    ):
        export_examples(folder, folder / "x", "csv")


def test_unwritable_target_is_one_clear_line_and_leaves_nothing(written) -> None:
    folder, _ = written
    (folder / "out.jsonl").mkdir()
    before = sorted(os.listdir(folder))
    with pytest.raises(DataError, match="cannot write"):
        export_examples(folder, folder / "out.jsonl", "jsonl")
    assert sorted(os.listdir(folder)) == before
