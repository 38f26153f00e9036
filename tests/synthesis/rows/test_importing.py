"""Whole files: checked, rendered and encoded once, kept on the disk."""

import hashlib
import json
import logging
import tracemalloc
from itertools import product
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from longloom.errors import DataError, ModelError
from longloom.records import Context, Example, RewardRule, Split, TaskType
from longloom.synthesis.export import export_examples
from longloom.synthesis.published.data_sources import NO_PROGRAM
from longloom.synthesis.rows import RowsConfig, RowStore, import_rows, read_sft_chats
from longloom.synthesis.rows import store as store_file
from longloom.synthesis.storage import write_examples
from longloom.text.tokenizer import FolderTokenizer


class CountingTokenizer:
    """The tokenizer of a folder; counts how often something is encoded."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer = FolderTokenizer(folder)
        self.num_encoded = 0

    def __getattr__(self, name):
        return getattr(self._tokenizer, name)

    def encode(self, text: str) -> list[int]:
        self.num_encoded += 1
        return self._tokenizer.encode(text)


@pytest.fixture
def tokenizer(tiny_folder) -> CountingTokenizer:
    return CountingTokenizer(tiny_folder)


def row(number: int, **changes):
    return {
        "data_source": "numerical",
        "prompt": [{"role": "user", "content": f"Add 1 to {number}. The answer is?"}],
        "ability": "sum",
        "reward_model": {"style": "rule", "ground_truth": str(number + 1)},
        "extra_info": {"split": "test" if number % 3 == 0 else "train", "index": number},
        **changes,
    }


def write(path: Path, rows) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(list(rows)), path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(list(rows)), "utf-8")
    else:
        path.write_text("\n\n".join(map(json.dumps, rows)) + "\n", "utf-8")
    return path


def silent(description: str, num_done: int, num_total: int) -> None:
    """Show nothing."""


def import_into(folder: Path, source: Path, tokenizer, **settings) -> RowStore:
    return import_rows(
        source, folder / "rows.arrow", tokenizer, RowsConfig(**settings), progress=silent
    )


@pytest.mark.parametrize("name", ["rows.parquet", "rows.jsonl", "rows.json"])
def test_rows_become_examples_whose_prompts_stay_on_the_disk(name, tmp_path, tokenizer) -> None:
    source = write(tmp_path / name, map(row, range(200)))
    store = import_into(tmp_path, source, tokenizer)
    assert len(store.examples) == 200
    third = store.examples[3]
    assert (third.answer, third.ability, third.split) == ("4", "sum", Split.HELD_OUT)
    assert third.provenance == (f"{name}/3",)
    rendered = tokenizer.render_chat(row(3)["prompt"])
    assert store.contexts[third.context_id].text == rendered
    assert list(store.prompt_ids(third.context_id)) == FolderTokenizer.encode(
        tokenizer._tokenizer, rendered
    )
    assert third.num_prompt_tokens == len(store.prompt_ids(third.context_id))
    assert len(store.contexts) == 200
    assert set(store.contexts) == {example.context_id for example in store.examples}
    assert "unknown" not in store.contexts


def test_prompts_are_encoded_once_and_never_again_on_resume(tmp_path, tokenizer) -> None:
    source = write(tmp_path / "rows.jsonl", map(row, range(30)))
    first = import_into(tmp_path, source, tokenizer)
    assert tokenizer.num_encoded == 30
    source.unlink()
    again = import_into(tmp_path, source, tokenizer)
    assert tokenizer.num_encoded == 30
    assert again.examples == first.examples


def test_long_prompts_are_not_held_while_they_are_read(tmp_path, tokenizer, monkeypatch) -> None:
    monkeypatch.setattr(store_file, "_TOKENS_AT_ONCE", 20_000)  # at this scale a million is all
    long = "word " * 1_000
    rows = (
        row(number, prompt=[{"role": "user", "content": f"{number} {long}. The answer is?"}])
        for number in range(400)
    )
    source = tmp_path / "rows.jsonl"
    source.write_text("".join(json.dumps(plain) + "\n" for plain in rows), "utf-8")
    file_bytes = source.stat().st_size
    small = write(tmp_path / "small.jsonl", [row(1)])
    import_rows(small, tmp_path / "small.arrow", tokenizer, RowsConfig(), progress=silent)
    tracemalloc.start()
    try:
        store = import_into(tmp_path, source, tokenizer)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(store.examples) == 400
    assert peak_bytes < file_bytes / 2  # as Python objects the file would take several times it


def test_progress_is_shown_up_to_the_end(tmp_path, tokenizer) -> None:
    shown = []
    source = write(tmp_path / "rows.parquet", map(row, range(120)))

    def progress(*told) -> None:
        shown.append(told)

    import_rows(source, tmp_path / "rows.arrow", tokenizer, RowsConfig(), progress=progress)
    assert shown == [
        ("reading rows.parquet", 50, 120),
        ("reading rows.parquet", 100, 120),
        ("reading rows.parquet", 120, 120),
    ]


def test_every_bad_row_is_counted_and_five_are_listed(tmp_path, tokenizer) -> None:
    rows = [row(number, data_source="other" if number % 2 else "numerical") for number in range(60)]
    source = write(tmp_path / "rows.jsonl", rows)
    with pytest.raises(DataError) as raised:
        import_into(tmp_path, source, tokenizer)
    first, *listed = str(raised.value).splitlines()
    assert first == f"30 rows of {source} cannot be used:"
    assert len(listed) == 6
    assert listed[0].startswith("  row 1, column data_source: 'other'; expected one of")
    assert listed[4].startswith("  row 9, ")
    assert listed[5] == "  ... and 25 more rows"
    assert str(raised.value).count(str(source)) == 1
    assert not (tmp_path / "rows.arrow").exists()


def test_chat_that_the_template_refuses_is_a_bad_row(tmp_path, tokenizer) -> None:
    def refuse(messages):
        raise ModelError("no system messages")

    tokenizer.render_chat = refuse
    source = write(tmp_path / "rows.jsonl", [row(0)])
    with pytest.raises(DataError, match="row 0, column prompt: 'no system messages'"):
        import_into(tmp_path, source, tokenizer)


def test_validation_file_is_held_out_whatever_it_says(tmp_path, tokenizer) -> None:
    source = write(tmp_path / "rows.jsonl", [row(1), row(2)])
    other = write(tmp_path / "other.parquet", [row(4), row(5)])
    store = import_into(tmp_path, source, tokenizer, validation_file=str(other))
    splits = [example.split.value for example in store.examples]
    assert splits == ["train", "train", "held_out", "held_out"]


def test_equal_rows_are_kept_under_ids_of_their_own(tmp_path, tokenizer) -> None:
    source = write(tmp_path / "rows.jsonl", [row(1), row(1)])
    store = import_into(tmp_path, source, tokenizer)
    assert len({example.example_id for example in store.examples}) == 2
    assert len(store.contexts) == 1


def test_prompts_that_do_not_ask_for_an_answer_are_mentioned(tmp_path, tokenizer, caplog) -> None:
    silent_rows = [row(number, prompt=f"{number}?") for number in range(3)]
    source = write(tmp_path / "rows.jsonl", [*silent_rows, row(4)])
    with caplog.at_level(logging.WARNING):
        import_into(tmp_path, source, tokenizer)
    assert "3 of 4 prompts do not mention 'the answer is'" in caplog.text
    caplog.clear()
    (tmp_path / "rows.arrow").unlink()
    with caplog.at_level(logging.WARNING):
        import_into(tmp_path, source, tokenizer, suffix=" Therefore, the answer is (...)")
    assert not caplog.text


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> tuple[Path, dict[str, Example]]:
    """Return a folder of examples of every task, half of them held out, and its examples."""
    folder = tmp_path_factory.mktemp("examples")
    text = "A text with {context} and 7 in it."
    context_id = hashlib.sha256(text.encode()).hexdigest()[:32]
    context = Context(context_id=context_id, text=text, parts=())
    examples = [
        Example(
            example_id=f"{task}-{rule}",
            task_type=task,
            ability="asked",
            context_id=context_id,
            question=f"What of {task} by {rule}?",
            answer="B" if rule is RewardRule.CHOICE else "7",
            reward_rule=rule,
            program=NO_PROGRAM,
            evidence=(),
            num_context_tokens=9,
            num_prompt_tokens=20,
            split=tuple(Split)[number % 2],
            licences=("none",),
            provenance=("test",),
        )
        for number, (task, rule) in enumerate(product(TaskType, RewardRule))
    ]
    write_examples(folder, examples, {context_id: context})
    return folder, {example.question: example for example in examples}


@pytest.mark.parametrize("kind", ["jsonl", "trl", "verl"])
def test_own_exports_come_back_with_split_task_and_rule(
    kind, exported, tmp_path, tokenizer
) -> None:
    folder, examples = exported
    target = tmp_path / ("out.jsonl" if kind == "jsonl" else "out.parquet")
    export_examples(folder, target, kind)
    store = import_into(tmp_path, target, tokenizer)
    assert len(store.examples) == len(examples) == len(TaskType) * len(RewardRule)
    for found in store.examples:
        wanted = examples[found.question]
        for name in ("split", "task_type", "reward_rule", "answer", "ability"):
            assert getattr(found, name) == getattr(wanted, name)
        assert "A text with {context} and 7 in it." in store.contexts[found.context_id].text


def test_file_of_a_folder_is_sent_back_to_the_folder(exported, tmp_path, tokenizer) -> None:
    folder, _ = exported
    with pytest.raises(DataError, match=f"give {folder}"):
        import_into(tmp_path, folder / "examples.parquet", tokenizer)


def test_byte_order_mark_is_no_part_of_a_row(tmp_path, tokenizer) -> None:
    for name, text in (("a.jsonl", json.dumps(row(1))), ("a.json", json.dumps([row(1)]))):
        (tmp_path / name).write_text(text, "utf-8-sig")
        store = import_rows(
            tmp_path / name, tmp_path / f"{name}.arrow", tokenizer, RowsConfig(), progress=silent
        )
        assert [example.answer for example in store.examples] == ["2"]


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl.gz", "rows"])
def test_other_kinds_of_file_are_refused_with_those_that_are_read(
    name, tmp_path, tokenizer
) -> None:
    (tmp_path / name).write_text("prompt,answer\na,b\n")
    with pytest.raises(DataError, match=r"expected Parquet \(.parquet\), JSON Lines"):
        import_into(tmp_path, tmp_path / name, tokenizer)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.parquet", b"PAR1 not really", "not readable Parquet"),
        ("rows.json", b"[1, 2", "not readable JSON"),
        ("rows.jsonl", b"\xff\xfe", "not readable JSON Lines"),
        ("rows.jsonl", b"", "holds no rows"),
        ("rows.jsonl", b'{"answer": 1' + b"0" * 10_000 + b"}", "row 0, column all"),
    ],
)
def test_unreadable_files_are_refused(name, content, message, tmp_path, tokenizer) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        import_into(tmp_path, tmp_path / name, tokenizer)


def test_parquet_without_any_known_column_is_refused(tmp_path, tokenizer) -> None:
    pq.write_table(pa.table({"text": ["x"]}), tmp_path / "rows.parquet")
    with pytest.raises(DataError, match="it has text"):
        import_into(tmp_path, tmp_path / "rows.parquet", tokenizer)


def test_damaged_store_says_what_to_do(tmp_path, tokenizer) -> None:
    (tmp_path / "rows.arrow").write_bytes(b"ARROW1 torn")
    with pytest.raises(DataError, match="remove the file to read the rows again"):
        import_into(tmp_path, tmp_path / "rows.jsonl", tokenizer)


ASKED = [{"role": "user", "content": "1 + 1?"}]
LEARNED = (*ASKED, {"role": "assistant", "content": "<think>easy</think>2"})


@pytest.mark.parametrize(
    "plain",
    [
        {"messages": list(LEARNED)},
        {"prompt": "1 + 1?", "response": "<think>easy</think>2"},
        {"prompt": ASKED, "completion": "<think>easy</think>2"},
        {"prompt": ASKED, "completion": [LEARNED[-1]]},
    ],
)
def test_rows_for_fine_tuning_are_chats_that_end_with_the_assistant(plain, tmp_path) -> None:
    source = write(tmp_path / "rows.jsonl", [plain])
    assert list(read_sft_chats(source, progress=silent)) == [LEARNED]


@pytest.mark.parametrize(
    ("plain", "column"),
    [
        ({"messages": ASKED}, "messages.role"),
        ({"prompt": "1 + 1?"}, "completion"),
        ({"response": "2"}, "prompt"),
        ({"prompt": "1 + 1?", "response": " "}, "response"),
        ({"prompt": ASKED, "completion": ASKED}, "completion.role"),
    ],
)
def test_rows_without_an_answer_to_learn_are_refused(plain, column, tmp_path) -> None:
    source = write(tmp_path / "rows.jsonl", [plain])
    with pytest.raises(DataError, match=f"row 0, column {column}:"):
        list(read_sft_chats(source, progress=silent))
