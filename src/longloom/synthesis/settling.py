"""The second step: what is decided about the whole corpus, and the shards that follow from it.

Signatures of all documents give the duplicates, names of all facts give one name an entity. Then
every shard is written again with the documents kept and the names settled; questions are made from
these files, and verified from them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import pyarrow.parquet as pq

from longloom.executor import Beat
from longloom.synthesis.config import CurationConfig
from longloom.synthesis.corpus_files import (
    read_documents,
    read_facts,
    write_documents,
    write_facts,
)
from longloom.synthesis.curation.decisions import Decisions, read_decisions
from longloom.synthesis.curation.duplicates import find_duplicates
from longloom.synthesis.facts.clustering import canonical_names
from longloom.synthesis.facts.fact import PLAIN_VALUES, Fact
from longloom.synthesis.steps import ShardTask

SETTLING_VERSION = 3
"""Raised when the same shards give other decisions."""


def decide(
    document_shards: Sequence[Path], fact_shards: Sequence[Path], config: CurationConfig
) -> Decisions:
    """Return which documents are kept and how entities are called.

    Raises:
        DataError: a shard is damaged.
    """
    signatures: dict[str, tuple[int, ...]] = {}
    shard_of: dict[str, Path] = {}
    drop_reasons: dict[str, str] = {}
    titles: dict[str, str] = {}
    for path in document_shards:
        columns = pq.read_table(path, columns=["doc_id", "title", "signature", "drop_reason"])
        for row in columns.to_pylist():
            if row["drop_reason"]:
                drop_reasons[row["title"]] = row["drop_reason"]
            elif row["doc_id"] in signatures:
                drop_reasons[f"{row['title']} (again)"] = "exact duplicate"
            else:
                titles[row["doc_id"]] = row["title"]
                signatures[row["doc_id"]] = tuple(row["signature"])
                shard_of[row["doc_id"]] = path
    duplicates = find_duplicates(
        signatures,
        _text_reader(shard_of),
        similarity=config.duplicate_similarity,
        near_similarity=config.distractor_similarity,
    )
    return Decisions(
        kept=frozenset(signatures.keys() - duplicates.dropped.keys()),
        drop_reasons={
            **drop_reasons,
            **{
                f"{titles[doc_id]} ({doc_id[:8]})": _with_title(reason, titles)
                for doc_id, reason in duplicates.dropped.items()
            },
        },
        near_copies=duplicates.near_copies,
        canonical_names=canonical_names(
            fact
            for path in fact_shards
            for fact in read_facts(path)
            if fact.doc_id not in duplicates.dropped
        ),
    )


def _with_title(reason: str, titles: Mapping[str, str]) -> str:
    """Name the document that is repeated by its title instead of its id."""
    *start, last = reason.split(" ")
    return " ".join([*start, titles.get(last, last)])


def _text_reader(shard_of: Mapping[str, Path]) -> Callable[[str], str]:
    """Return a function that finds a document's text again, one shard in memory at a time."""

    @lru_cache(maxsize=4)
    def texts(path: Path) -> dict[str, str]:
        table = pq.read_table(path, columns=["doc_id", "text"])
        return dict(
            zip(table.column("doc_id").to_pylist(), table.column("text").to_pylist(), strict=True)
        )

    return lambda doc_id: texts(shard_of[doc_id])[doc_id]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleContent:
    """What a settled shard is made of."""

    documents: Path
    """The documents as they were read."""
    facts: Path
    """Their facts."""
    decisions: Path
    """What was decided."""
    facts_target: Path
    """Where the facts go; written before the documents."""


def settle_shard(task: ShardTask, beat: Beat) -> None:
    """Write a shard again with the documents kept and the names settled."""
    content: SettleContent = task.content
    beat(content.documents.name)
    decisions = read_decisions(content.decisions)
    seen: set[str] = set()
    kept = []
    for stored in read_documents(content.documents):
        doc_id = stored.document.doc_id
        if doc_id in decisions.kept and not stored.drop_reason and doc_id not in seen:
            seen.add(doc_id)
            kept.append(stored)
    facts = [
        _renamed(fact, decisions.canonical_names)
        for fact in read_facts(content.facts)
        if fact.doc_id in seen
    ]
    content.facts_target.parent.mkdir(parents=True, exist_ok=True)
    write_facts(content.facts_target, facts)
    write_documents(task.target, kept)


def _renamed(fact: Fact, names: Mapping[str, str]) -> Fact:
    subject = names.get(fact.subject, fact.subject)
    is_name = fact.value_kind not in PLAIN_VALUES
    value = names.get(fact.value, fact.value) if is_name else fact.value
    if subject == fact.subject and value == fact.value:
        return fact
    return replace(fact, subject=subject, value=value)
