"""Write a published set as a folder of examples, with a summary and a data card."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from longloom.records import Example, Split
from longloom.runlog import atomic_write_text
from longloom.synthesis.published.reading import TEMPLATE, PublishedSet, read_published
from longloom.synthesis.selection.card import count_tables
from longloom.synthesis.selection.writing import CARD_FILE
from longloom.synthesis.storage import SUMMARY_FILE, write_examples, write_summary
from longloom.text.token_counts import load_counter

_MAX_LISTED = 100
"""Rows left out that the summary lists; all are counted."""
_BIN_THOUSANDS = 8


def import_published(
    source: Path,
    folder: Path,
    *,
    counter_name: str,
    split: Split | None = None,
    licence: str = "",
    keeps_usable: bool = False,
) -> PublishedSet:
    """Write the examples of a verl file into `folder`, which training and evaluation read.

    Args:
        source: Parquet or JSON Lines in verl's columns.
        folder: where examples.parquet, contexts.parquet, summary.json and data_card.md go.
        counter_name: `estimate`, or a model folder whose tokenizer counts.
        split: of all its examples; what each row states if not given, else training.
        licence: of the set, as its publisher states it.
        keeps_usable: leave out rows that cannot be used instead of refusing the file.

    Raises:
        DataError: the file or a row cannot be used, or the folder cannot be written.
        ModelError: the model's tokenizer cannot be read.
    """
    found = read_published(
        source,
        load_counter(counter_name),
        split=split,
        licence=licence,
        keeps_usable=keeps_usable,
    )
    examples = found.examples
    summary: dict[str, Any] = {
        "counted_with": counter_name,
        "imported_from": source.name,
        "num_examples": len(examples),
        "num_contexts": len(found.contexts),
        "num_without_program": len(examples),
        "num_whole_prompts": found.num_whole,
        "num_rows_left_out": len(found.refused),
        "rows_left_out": list(found.refused[:_MAX_LISTED]),
        "by_task": _counts(example.task_type.value for example in examples),
        "by_ability": _counts(f"{example.task_type}/{example.ability}" for example in examples),
        "by_split": _counts(example.split.value for example in examples),
        "by_length_tokens": _counts(_bin(example) for example in examples),
        "by_source": _counts(source for example in examples for source in example.provenance),
        "by_licence": _counts(licence for example in examples for licence in example.licences),
    }
    atomic_write_text(folder / CARD_FILE, _card(summary))
    write_examples(folder, examples, found.contexts, template=TEMPLATE)
    write_summary(folder / SUMMARY_FILE, summary)
    return found


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values).most_common())


def _bin(example: Example) -> str:
    start = example.num_context_tokens // 1000 // _BIN_THOUSANDS * _BIN_THOUSANDS
    return f"{start}K-{start + _BIN_THOUSANDS}K"


def _card(summary: Mapping[str, Any]) -> str:
    lines = [
        "# Data card",
        "",
        f"{summary['num_examples']} questions on {summary['num_contexts']} contexts, imported from "
        f"`{summary['imported_from']}` by Longloom. They are somebody else's: no question has a "
        "program or marked evidence, so no answer can be executed again. "
        f"{summary['num_whole_prompts']} prompts could not be taken apart into document and "
        f"question and stand whole as their context; {summary['num_rows_left_out']} rows could "
        "not be used and were left out.",
        "",
        f"Lengths are counted with: {summary['counted_with']}. Licences are those stated when the "
        "file was imported; the documents may have their own.",
    ]
    return "\n".join([*lines, *count_tables(summary), ""])
