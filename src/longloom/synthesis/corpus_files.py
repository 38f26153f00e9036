"""Documents and facts on disk: one pair of Parquet files a shard.

documents/KEY.parquet   a document a row, with its blocks and their tokens; dropped ones without
                        text but with a reason
facts/KEY.parquet       the facts of the documents kept

Both are flat columns, because hundreds of thousands of facts are read at once.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from longloom.errors import DataError
from longloom.records import Block, BlockKind, Document, DocumentKind
from longloom.runlog import atomic_path
from longloom.synthesis.facts.fact import Fact

SCHEMA_VERSION = 1

_BLOCK_KINDS = tuple(BlockKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDocument:
    """A document with what reading found out about it."""

    document: Document
    """The document; its text is empty if it was dropped."""
    block_tokens: tuple[float, ...] = ()
    """Tokens of each block with the blank line that follows it."""
    drop_reason: str = ""
    """Why it was dropped while reading; empty if it is kept."""
    signature: tuple[int, ...] = ()
    """MinHash signature; empty if it was dropped."""

    @property
    def num_tokens(self) -> float:
        """Tokens of the whole document."""
        return sum(self.block_tokens)


def _schema(name: str, fields: Sequence[tuple[str, pa.DataType]]) -> pa.Schema:
    return pa.schema(fields).with_metadata({"schema": name, "version": str(SCHEMA_VERSION)})


_TEXTS = ("doc_id", "title", "kind", "genre", "source", "licence", "date", "text")

DOCUMENTS_SCHEMA = _schema(
    "longloom.documents",
    [
        *((name, pa.string()) for name in _TEXTS),
        ("may_be_altered", pa.bool_()),
        ("block_kinds", pa.list_(pa.int8())),
        ("block_starts", pa.list_(pa.int64())),
        ("block_ends", pa.list_(pa.int64())),
        ("block_levels", pa.list_(pa.int8())),
        ("block_tokens", pa.list_(pa.float64())),
        ("drop_reason", pa.string()),
        ("signature", pa.list_(pa.uint32())),
    ],
)
"""Documents; `block_kinds` counts the kinds of block in alphabetical order."""

_FACT_TEXTS = (
    "subject",
    "relation",
    "value",
    "value_kind",
    "subject_kind",
    "doc_id",
    "label",
    "unit",
    "period_start",
    "period_end",
)
_FACT_NUMBERS = ("start", "end", "certainty", "scale", "position")

FACTS_SCHEMA = _schema(
    "longloom.facts",
    [
        *((name, pa.string()) for name in _FACT_TEXTS),
        *((name, pa.int64()) for name in _FACT_NUMBERS),
        ("qualifiers", pa.string()),
    ],
)
"""Facts; `qualifiers` is JSON."""


def write_documents(target: Path, stored: Iterable[StoredDocument]) -> None:
    """Write documents to a shard, atomically."""
    rows = [_document_row(entry) for entry in stored]
    _write(target, pa.Table.from_pylist(rows, schema=DOCUMENTS_SCHEMA))


def _document_row(entry: StoredDocument) -> dict[str, Any]:
    document = entry.document
    row: dict[str, Any] = {name: str(getattr(document, name)) for name in _TEXTS}
    row |= {
        "may_be_altered": document.may_be_altered,
        "block_kinds": [_BLOCK_KINDS.index(block.kind) for block in document.blocks],
        "block_starts": [block.start for block in document.blocks],
        "block_ends": [block.end for block in document.blocks],
        "block_levels": [min(block.level, 100) for block in document.blocks],
        "block_tokens": list(entry.block_tokens),
        "drop_reason": entry.drop_reason,
        "signature": list(entry.signature),
    }
    return row


def read_documents(path: Path) -> list[StoredDocument]:
    """Read what `write_documents` wrote.

    Raises:
        DataError: the file is damaged or of another version.
    """
    return [_stored_document(row) for row in _read(path, DOCUMENTS_SCHEMA).to_pylist()]


def _stored_document(row: dict[str, Any]) -> StoredDocument:
    blocks = tuple(
        Block(kind=_BLOCK_KINDS[kind], start=start, end=end, level=level)
        for kind, start, end, level in zip(
            row["block_kinds"],
            row["block_starts"],
            row["block_ends"],
            row["block_levels"],
            strict=True,
        )
    )
    texts = {name: row[name] for name in _TEXTS if name != "kind"}
    return StoredDocument(
        document=Document(
            **texts,
            kind=DocumentKind(row["kind"]),
            may_be_altered=row["may_be_altered"],
            blocks=blocks,
        ),
        block_tokens=tuple(row["block_tokens"]),
        drop_reason=row["drop_reason"],
        signature=tuple(row["signature"]),
    )


def write_facts(target: Path, facts: Sequence[Fact]) -> None:
    """Write facts to a shard, atomically."""
    columns: dict[str, list[Any]] = {
        name: [getattr(fact, name) for fact in facts] for name in _FACT_TEXTS + _FACT_NUMBERS
    }
    columns["qualifiers"] = [
        json.dumps(fact.qualifiers, ensure_ascii=False) if fact.qualifiers else "" for fact in facts
    ]
    _write(target, pa.table(columns, schema=FACTS_SCHEMA))


def read_facts(path: Path) -> list[Fact]:
    """Read what `write_facts` wrote.

    Raises:
        DataError: the file is damaged or of another version.
    """
    return list(_facts(_read(path, FACTS_SCHEMA)))


def _facts(table: pa.Table) -> Iterator[Fact]:
    names = _FACT_TEXTS + _FACT_NUMBERS
    columns = [table.column(name).to_pylist() for name in names]
    qualifiers = table.column("qualifiers").to_pylist()
    for values in zip(*columns, qualifiers, strict=True):
        known = dict(zip(names, values[:-1], strict=True))
        yield Fact(**known, qualifiers=_pairs(values[-1]))


@lru_cache(maxsize=50_000)  # a table's cells share theirs
def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((str(key), str(value)) for key, value in json.loads(text)) if text else ()


def _write(target: Path, table: pa.Table) -> None:
    with atomic_path(target) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def _read(path: Path, schema: pa.Schema) -> pa.Table:
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"{path} is not readable Parquet ({reason}); remove it and synthesize again"
        ) from None
    stated = {key: (table.schema.metadata or {}).get(key) for key in (b"schema", b"version")}
    if any(stated[key] != schema.metadata[key] for key in stated):
        raise DataError(
            f"{path} holds {stated[b'schema']!r} version {stated[b'version']!r}; expected "
            f"{schema.metadata[b'schema'].decode()} version {SCHEMA_VERSION}; synthesize again"
        )
    return table
