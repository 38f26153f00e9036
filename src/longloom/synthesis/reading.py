"""The first step: files become documents with facts, shard by shard.

A worker reads the files of a shard one after the other and says before each which it is about to
read. A file that crashes or hangs its worker is given up with a reason, and the shard is read
again without it; nothing a file contains can stop the run.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from longloom.errors import DataError
from longloom.executor import Beat, Failure
from longloom.records import Document, DocumentKind
from longloom.synthesis.config import CurationConfig
from longloom.synthesis.corpus_files import StoredDocument, write_documents, write_facts
from longloom.synthesis.curation.decontamination import load_benchmarks
from longloom.synthesis.curation.duplicates import signature_of
from longloom.synthesis.curation.rules import drop_reason
from longloom.synthesis.documents.building import BLOCK_SEPARATOR, Reading
from longloom.synthesis.documents.catalogue import read_file
from longloom.synthesis.documents.files import FoundFile
from longloom.synthesis.documents.reader import SourceFile
from longloom.synthesis.facts.catalogue import extract_facts
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.steps import ShardTask
from longloom.text.token_counts import TokenCounter, load_counter

READING_VERSION = 3
"""Raised when the same files give other documents or facts."""

_SHARD_BYTES = 4_000_000
_SHARD_FILES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadContent:
    """What a shard is read from."""

    files: tuple[FoundFile, ...]
    """The files, in order."""
    facts_target: Path
    """Where the facts go; written before the documents."""
    curation: CurationConfig
    """Which documents are kept."""
    counter_name: str
    """`estimate`, or a model folder whose tokenizer counts."""
    max_file_bytes: int
    """Larger files are not read."""
    benchmarks: tuple[str, ...] = ()
    """Benchmark files and folders; documents that overlap with them are dropped."""
    given_up: Mapping[str, str] = field(default_factory=dict)
    """Files that are not tried again, with reasons."""


def shards_of(files: Sequence[FoundFile]) -> list[tuple[FoundFile, ...]]:
    """Return the files in runs of bounded size."""
    shards: list[tuple[FoundFile, ...]] = []
    shard: list[FoundFile] = []
    num_bytes = 0
    for file in files:
        is_full = num_bytes + file.num_bytes > _SHARD_BYTES or len(shard) >= _SHARD_FILES
        if shard and is_full:
            shards.append(tuple(shard))
            shard, num_bytes = [], 0
        shard.append(file)
        num_bytes += file.num_bytes
    if shard:
        shards.append(tuple(shard))
    return shards


def read_shard(task: ShardTask, beat: Beat) -> None:
    """Write the documents and the facts of a shard's files."""
    content: ReadContent = task.content
    counter = load_counter(content.counter_name)
    stored: list[StoredDocument] = []
    facts: list[Fact] = []
    for file in content.files:
        beat(file.name)
        for entry, found in _read(file, content, counter):
            stored.append(entry)
            facts += found
    content.facts_target.parent.mkdir(parents=True, exist_ok=True)
    write_facts(content.facts_target, facts)
    write_documents(task.target, stored)


def without_the_file(task: ShardTask, failure: Failure) -> ShardTask | None:
    """Return the task without the file that crashed or hung its worker."""
    content: ReadContent = task.content
    name = failure.last_beat
    if not name or name in content.given_up:
        return None
    given_up = {**content.given_up, name: failure.reason}
    return replace(task, content=replace(content, given_up=given_up))


def _read(
    file: FoundFile, content: ReadContent, counter: TokenCounter
) -> Iterator[tuple[StoredDocument, list[Fact]]]:
    if file.name in content.given_up:
        yield _dropped_file(file, content.given_up[file.name]), []
        return
    if file.num_bytes > content.max_file_bytes:
        yield _dropped_file(file, f"larger than {content.max_file_bytes} bytes"), []
        return
    num_documents = 0
    try:
        source = SourceFile(
            name=file.name,
            payload=file.path.read_bytes(),
            licence=file.licence,
            may_be_altered=file.may_be_altered,
        )
        for reading in read_file(source):
            num_documents += 1
            yield _curated(reading, content, counter)
    except (DataError, OSError, RecursionError, MemoryError) as error:
        reason = str(error) if isinstance(error, DataError) else type(error).__name__
        yield _dropped_file(file, reason), []
    else:
        if not num_documents:
            yield _dropped_file(file, "holds no document"), []


def _curated(
    reading: Reading, content: ReadContent, counter: TokenCounter
) -> tuple[StoredDocument, list[Fact]]:
    document = reading.document
    block_tokens = tuple(
        counter.measure(document.text[block.start : block.end] + BLOCK_SEPARATOR)
        for block in document.blocks
    )
    reason = drop_reason(document, content.curation, num_tokens=sum(block_tokens))
    if not reason and content.benchmarks:
        reason = load_benchmarks(content.benchmarks).document_overlap(document.text)
    if reason:
        return StoredDocument(
            document=replace(document, text="", blocks=()), drop_reason=reason
        ), []
    stored = StoredDocument(
        document=document, block_tokens=block_tokens, signature=signature_of(document.text)
    )
    return stored, extract_facts(reading)


def _dropped_file(file: FoundFile, reason: str) -> StoredDocument:
    document = Document(
        doc_id="",
        title=file.name,
        kind=DocumentKind.GENERAL,
        source=file.name,
        licence=file.licence,
        text="",
        blocks=(),
    )
    return StoredDocument(document=document, drop_reason=reason)
