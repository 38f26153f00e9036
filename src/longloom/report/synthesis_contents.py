"""What a report says about a set of questions, counted from the files of its folder.

Nothing is taken from summary.json that the examples themselves tell; it adds what was read, left
out and refused. What is missing is simply empty: the miniature keeps no documents.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from longloom.errors import DataError
from longloom.report.parquet_rows import Row, parquet_rows
from longloom.report.synthesis_sample import Key
from longloom.synthesis.corpus_files import DOCUMENTS_SCHEMA
from longloom.synthesis.schemas import CONTEXTS_SCHEMA_NAME, EXAMPLES_SCHEMA_NAME
from longloom.synthesis.storage import CONTEXTS_FILE, EXAMPLES_FILE, SUMMARY_FILE
from longloom.synthesis.verification import DOCUMENTS_FOLDER

DOCUMENTS_SCHEMA_NAME = DOCUMENTS_SCHEMA.metadata[b"schema"].decode()

NUM_DEPTHS = 10
"""Parts into which a context is divided to say where evidence stands."""

_EXTRA_COLUMNS = (
    "split",
    "context_id",
    "num_context_tokens",
    "num_hops",
    "gold_documents",
    "evidence",
    "genres",
    "shape",
    "depths",
    "licences",
    "provenance",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTitle:
    """A document without its text."""

    title: str
    """Its name."""
    genre: str
    """What it is."""
    source: str
    """Where it was read from."""
    licence: str
    """Licence name."""
    date: str = ""
    """ISO date it states, or empty."""
    num_tokens: float = 0.0
    """Tokens of the whole document."""

    @property
    def collection(self) -> str:
        """First part of the source: the folder or site it comes from."""
        return self.source.partition("/")[0]


@dataclass(slots=True, kw_only=True)
class Tally:
    """Counts over the examples."""

    num_examples: int = 0
    """Questions."""
    num_spans: int = 0
    """Pieces of evidence."""
    num_with_several: int = 0
    """Questions that need more than one document."""
    context_ids: dict[str, int] = field(default_factory=dict)
    """Tokens of each context."""
    tasks: Counter[str] = field(default_factory=Counter)
    """Questions by task."""
    abilities: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Questions by category and task."""
    genres: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Questions by genre of a document that answers, and task."""
    splits: Counter[str] = field(default_factory=Counter)
    """Questions by split."""
    hops: Counter[int] = field(default_factory=Counter)
    """Questions by steps from what they name to the answer."""
    golds: Counter[int] = field(default_factory=Counter)
    """Questions by number of documents needed."""
    lengths: Counter[int] = field(default_factory=Counter)
    """Questions by thousands of tokens of their context, rounded down."""
    depths: Counter[tuple[int, int]] = field(default_factory=Counter)
    """Pieces of evidence by thousands of tokens and tenth of the context."""
    licences: Counter[str] = field(default_factory=Counter)
    """Questions by licence of a document shown."""
    sources: Counter[str] = field(default_factory=Counter)
    """Documents shown, over all questions, by collection."""
    gold_documents: Counter[str] = field(default_factory=Counter)
    """Questions that need a document, by its id."""
    shapes: dict[str, Counter[str]] = field(default_factory=dict)
    """Questions by program without constants, for each task."""
    keys: list[Key] = field(default_factory=list)
    """What a sample is drawn by, one a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthesisContents:
    """A folder of `longloom synthesize` as records."""

    path: Path
    """The folder."""
    tally: Tally
    """Counts over its examples."""
    documents: Mapping[str, StoredTitle]
    """The documents that were kept, by id, without their texts."""
    summary: Mapping[str, Any]
    """summary.json, or empty."""

    def counts(self, name: str) -> dict[str, int]:
        """Return a mapping of summary.json from text to whole numbers; empty if there is none."""
        stated = self.summary.get(name)
        if not isinstance(stated, dict):
            return {}
        return {str(key): value for key, value in stated.items() if type(value) is int}

    @property
    def counted_with(self) -> str:
        """Which tokenizer the lengths were counted with."""
        return str(self.summary.get("counted_with", "not stated"))


def holds_examples(folder: Path) -> bool:
    """Tell whether `longloom synthesize` wrote this folder."""
    return (folder / EXAMPLES_FILE).is_file() and (folder / CONTEXTS_FILE).is_file()


def read_synthesis(folder: Path) -> SynthesisContents:
    """Read everything but the texts.

    Raises:
        DataError: a file is missing or damaged.
    """
    return SynthesisContents(
        path=folder,
        tally=_read_tally(folder / EXAMPLES_FILE),
        documents=_read_titles(folder / DOCUMENTS_FOLDER),
        summary=_read_summary(folder / SUMMARY_FILE),
    )


def read_contexts(folder: Path, wanted: Mapping[str, object]) -> dict[str, Row]:
    """Return the contexts with these ids, each with `text` and `parts`.

    Raises:
        DataError: one is missing, or the file is damaged.
    """
    path = folder / CONTEXTS_FILE
    columns = ("context_id", "text", "parts")
    found = {
        row["context_id"]: row
        for row in parquet_rows(path, CONTEXTS_SCHEMA_NAME, columns)
        if row["context_id"] in wanted
    }
    missing = [context_id for context_id in wanted if context_id not in found]
    if missing:
        raise DataError(f"context {missing[0]} of an example is not in {path}")
    return found


def _read_tally(path: Path) -> Tally:
    tally = Tally()
    columns = ("data_source", "ability", *(f"extra_info.{name}" for name in _EXTRA_COLUMNS))
    for number, row in enumerate(parquet_rows(path, EXAMPLES_SCHEMA_NAME, columns)):
        try:
            _count(tally, row)
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{path}, row {number}: {error}; expected no empty values") from None
    return tally


def _count(tally: Tally, row: Row) -> None:
    extra, task = row["extra_info"], row["data_source"]
    kilotokens = extra["num_context_tokens"] // 1000
    genres = list(dict.fromkeys(extra["genres"]))
    num_gold = len(extra["gold_documents"])
    tally.num_examples += 1
    tally.num_with_several += num_gold > 1
    tally.context_ids[extra["context_id"]] = extra["num_context_tokens"]
    tally.tasks[task] += 1
    tally.abilities[row["ability"], task] += 1
    tally.genres.update((genre, task) for genre in genres)
    tally.splits[extra["split"]] += 1
    tally.hops[extra["num_hops"]] += 1
    tally.golds[num_gold] += 1
    tally.lengths[kilotokens] += 1
    tally.num_spans += len(extra["depths"])
    for depth in extra["depths"]:
        tally.depths[kilotokens, max(0, min(int(depth * NUM_DEPTHS), NUM_DEPTHS - 1))] += 1
    tally.licences.update(dict.fromkeys(extra["licences"], 1))
    tally.sources.update(source.partition("/")[0] for source in extra["provenance"])
    tally.gold_documents.update({span["doc_id"] for span in extra["evidence"]})
    tally.shapes.setdefault(task, Counter())[extra["shape"]] += 1
    tally.keys.append((task, genres[0] if genres else "", row["ability"], num_gold))


def _read_titles(folder: Path) -> dict[str, StoredTitle]:
    columns = ("doc_id", "title", "genre", "source", "licence", "date", "drop_reason")
    titles = {}
    for path in sorted(folder.glob("*.parquet")):
        wanted = (*columns, "block_tokens")
        for row in parquet_rows(path, DOCUMENTS_SCHEMA_NAME, wanted):
            if row["drop_reason"]:
                continue
            texts = {name: str(row[name] or "") for name in columns[1:-1]}
            num_tokens = float(sum(row["block_tokens"] or ()))
            titles[row["doc_id"]] = StoredTitle(**texts, num_tokens=num_tokens)
    return titles


def _read_summary(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    try:
        summary = json.loads(path.read_text("utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise DataError(f"{path} is not readable JSON ({error}); synthesize again") from None
    return summary if isinstance(summary, dict) else {}
