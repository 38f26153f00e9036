"""What a model does to the corpus before questions are made: judge, fill a table, read prose.

    shards as read, decisions -> judge -> table fields -> triples -> decisions and facts

The text of a document is never changed. A document that the judge scores low is dropped with the
reason `judge: ...`, one on whose table row the ensemble does not agree with `table: ...`. Every
shard of outcomes is a file named by what it is made of; calls under way when a run is killed are
the only ones made again.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from longloom.records import Document, DocumentKind
from longloom.runlog import atomic_write_text
from longloom.synthesis.corpus_files import read_documents, read_facts, write_facts
from longloom.synthesis.curation.decisions import Decisions, read_decisions, write_decisions
from longloom.synthesis.endpoint.quality_judge import judge_documents
from longloom.synthesis.endpoint.quoted_values import read_date, read_number
from longloom.synthesis.endpoint.schema_extraction import SchemaField, SchemaRow, extract_rows
from longloom.synthesis.endpoint.session import EndpointSession
from longloom.synthesis.endpoint.triples import CERTAINTY, extract_triples
from longloom.synthesis.endpoint.yields import Dropped
from longloom.synthesis.facts.clustering import canonical_names
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.facts.showing import shows_value
from longloom.synthesis.steps import digest_of
from longloom.synthesis.steps.shards import Progress

SCHEMA_PREFIX = "schema."
"""Begins the relations of `table_fields`."""
_NOT_PROSE = frozenset({DocumentKind.CODE, DocumentKind.DIALOGUE})
_NOT_PROSE_GENRES = frozenset({"table"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusShards:
    """A corpus as it lies in the steps folder."""

    documents: tuple[Path, ...]
    """Shards of documents as they were read."""
    facts: tuple[Path, ...]
    """Shards of facts, beside them."""
    decisions: Path
    """What is kept."""
    digest: str
    """Stands for all of it."""
    counts: Mapping[str, Mapping[str, int]]
    """Outcomes by use: what was kept, and what was not by reason."""


def refine_corpus(
    session: EndpointSession, corpus: CorpusShards, folder: Path, progress: Progress | None
) -> CorpusShards:
    """Return the corpus without what the models refuse and with the facts they found."""
    decisions = read_decisions(corpus.decisions)
    session.announce(_kept_documents(corpus.documents, decisions.kept))
    refining = _Refining(session, corpus.documents, folder, progress)
    uses = session.config.uses
    if uses.judge_documents:
        decisions = refining.judge(decisions)
    facts = corpus.facts
    if session.config.table_fields:
        decisions, facts = refining.fill_table(decisions, facts)
    if uses.extract_triples:
        facts = refining.read_prose(decisions, facts)
    if facts != corpus.facts:
        names = canonical_names(
            fact for path in facts for fact in read_facts(path) if fact.doc_id in decisions.kept
        )
        decisions = replace(decisions, canonical_names=names)
    digest = digest_of(
        corpus.digest,
        sorted(decisions.kept),
        [hashlib.sha256(path.read_bytes()).hexdigest() for path in facts],
    )
    target = folder / f"decisions-{digest}.json"
    if not target.exists():
        write_decisions(target, decisions)
    return CorpusShards(
        documents=corpus.documents,
        facts=facts,
        decisions=target,
        digest=digest,
        counts=refining.counts,
    )


class _Refining:
    """The uses, shard by shard."""

    def __init__(
        self,
        session: EndpointSession,
        documents: Sequence[Path],
        folder: Path,
        progress: Progress | None,
    ) -> None:
        self._session = session
        self._shards = documents
        self._folder = folder
        self._progress = progress
        self.counts: dict[str, dict[str, int]] = {}

    def judge(self, decisions: Decisions) -> Decisions:
        """Return the decisions without the documents that are scored low."""
        config = self._session.config
        limit = config.limits.max_judged_documents
        wanted = _drawn(decisions.kept, limit, config.quality.seed)
        reasons: dict[str, str] = {}
        counts: Counter[str] = Counter()
        for path, chosen in self._chosen("judging documents", wanted):
            target = self._target("judge", path, chosen, config.quality)
            if not target.exists():
                documents = _documents_of(path, chosen)
                judged = self._session.run(
                    judge_documents(self._session.model, documents, config.quality)
                )
                _write_outcome(target, judged.counts, judged.dropped)
            outcome = json.loads(target.read_text("utf-8"))
            counts.update(outcome["counts"])
            reasons |= {key: f"judge: {reason}" for key, reason in outcome["dropped"].items()}
        self.counts["judge"] = {**counts, "not judged": len(decisions.kept) - len(wanted)}
        return _without(decisions, reasons)

    def fill_table(
        self, decisions: Decisions, facts: Sequence[Path]
    ) -> tuple[Decisions, tuple[Path, ...]]:
        """Return decisions without the documents that no row was agreed on, and all facts."""
        config = self._session.config
        fields = [
            SchemaField(name=name, description=text) for name, text in config.table_fields.items()
        ]
        of_genre = {
            document.doc_id
            for document in _kept_documents(self._shards, decisions.kept)
            if document.genre == config.table_genre
        }
        limit = config.limits.max_schema_documents
        wanted = _drawn(of_genre, limit, config.schema_extraction.seed)
        # A row that is missing would make every question over the table wrong.
        reasons = dict.fromkeys(of_genre - wanted, "table: over the limit of documents")
        counts: Counter[str] = Counter()
        written = list(facts)
        places = {path: place for place, path in enumerate(self._shards)}
        for path, chosen in self._chosen("filling the table", wanted):
            settings = [config.schema_extraction, config.table_fields, written[places[path]].stem]
            target = self._target("table", path, chosen, *settings).with_suffix(".parquet")
            if not target.exists():
                documents = _documents_of(path, chosen)
                rows = self._session.run(
                    extract_rows(self._session.models, documents, fields, config.schema_extraction)
                )
                found = _row_facts(rows.kept, documents, config.table_fields)
                _write_outcome(target.with_suffix(".json"), rows.counts, rows.dropped)
                write_facts(target, [*read_facts(written[places[path]]), *found])
            outcome = json.loads(target.with_suffix(".json").read_text("utf-8"))
            counts.update(outcome["counts"])
            reasons |= {key: f"table: {reason}" for key, reason in outcome["dropped"].items()}
            written[places[path]] = target
        self.counts["table"] = dict(counts)
        return _without(decisions, reasons), tuple(written)

    def read_prose(self, decisions: Decisions, facts: Sequence[Path]) -> tuple[Path, ...]:
        """Return shards of facts that hold what the prose states too."""
        config = self._session.config
        prose = {
            document.doc_id
            for document in _kept_documents(self._shards, decisions.kept)
            if _is_readable_prose(document, config.limits.max_triple_characters)
        }
        wanted = _drawn(prose, config.limits.max_triple_documents, config.triples.seed)
        counts: Counter[str] = Counter()
        written = list(facts)
        places = {path: place for place, path in enumerate(self._shards)}
        for path, chosen in self._chosen("reading prose", wanted):
            earlier = written[places[path]]
            target = self._target("prose", path, chosen, config.triples, earlier.stem)
            target = target.with_suffix(".parquet")
            if not target.exists():
                documents = _documents_of(path, chosen)
                found = self._session.run(
                    extract_triples(self._session.model, documents, config.triples)
                )
                shown = _shown(found.kept, documents)
                unlike = {"span does not show the value": len(found.kept) - len(shown)}
                _write_outcome(target.with_suffix(".json"), {**found.counts, **unlike}, ())
                write_facts(target, [*read_facts(earlier), *shown])
            counts.update(json.loads(target.with_suffix(".json").read_text("utf-8"))["counts"])
            written[places[path]] = target
        self.counts["triples"] = {**counts, "documents not read": len(prose) - len(wanted)}
        return tuple(written)

    def _chosen(
        self, description: str, wanted: Collection[str]
    ) -> Iterator[tuple[Path, list[str]]]:
        """Yield the shards that hold wanted documents, each document with its first shard."""
        left = set(wanted)
        for number, path in enumerate(self._shards, start=1):
            ids = [entry.document.doc_id for entry in read_documents(path) if not entry.drop_reason]
            chosen = [doc_id for doc_id in dict.fromkeys(ids) if doc_id in left]
            left.difference_update(chosen)
            if chosen:
                yield path, chosen
            if self._progress is not None:
                self._progress(description, number, len(self._shards))

    def _target(self, use: str, path: Path, chosen: Sequence[str], *settings: Any) -> Path:
        plain = [
            setting.model_dump(mode="json") if hasattr(setting, "model_dump") else setting
            for setting in settings
        ]
        key = self._session.key_of(use, path.stem, chosen, plain)
        return self._folder / use / f"{key}.json"


def _drawn(doc_ids: Collection[str], limit: int, seed: int) -> frozenset[str]:
    """Return so many documents, drawn by their ids, so that a further document moves none."""
    if len(doc_ids) <= limit:
        return frozenset(doc_ids)
    ordered = sorted(
        doc_ids, key=lambda doc_id: hashlib.sha256(f"{seed}/{doc_id}".encode()).digest()
    )
    return frozenset(ordered[:limit])


def _kept_documents(shards: Sequence[Path], kept: Collection[str]) -> Iterator[Document]:
    """Yield the kept documents, one shard in memory at a time, each once."""
    seen: set[str] = set()
    for path in shards:
        for entry in read_documents(path):
            doc_id = entry.document.doc_id
            if doc_id in kept and not entry.drop_reason and doc_id not in seen:
                seen.add(doc_id)
                yield entry.document


def _documents_of(path: Path, chosen: Sequence[str]) -> list[Document]:
    by_id = {
        entry.document.doc_id: entry.document
        for entry in read_documents(path)
        if not entry.drop_reason
    }
    return [by_id[doc_id] for doc_id in chosen]


def _is_readable_prose(document: Document, max_characters: int) -> bool:
    is_prose = document.kind not in _NOT_PROSE and document.genre not in _NOT_PROSE_GENRES
    return is_prose and len(document.text) <= max_characters


def _without(decisions: Decisions, reasons: Mapping[str, str]) -> Decisions:
    return replace(
        decisions,
        kept=decisions.kept - reasons.keys(),
        drop_reasons={**decisions.drop_reasons, **reasons},
    )


def _write_outcome(target: Path, counts: Mapping[str, int], dropped: Sequence[Dropped]) -> None:
    content = {"counts": dict(counts), "dropped": {drop.key: drop.reason for drop in dropped}}
    target.parent.mkdir(parents=True, exist_ok=True)
    atomic_write_text(target, json.dumps(content, ensure_ascii=False, indent=0))


def _shown(facts: Sequence[Fact], documents: Sequence[Document]) -> list[Fact]:
    texts = {document.doc_id: document.text for document in documents}
    return [fact for fact in facts if shows_value(fact, texts[fact.doc_id][fact.start : fact.end])]


def _row_facts(
    rows: Sequence[SchemaRow], documents: Sequence[Document], fields: Mapping[str, str]
) -> list[Fact]:
    """Return a fact for every filled cell."""
    by_id = {document.doc_id: document for document in documents}
    found = [
        _cell_fact(name, shown, row.span_by_field[name], by_id[row.doc_id], fields[name])
        for row in rows
        for name, shown in row.value_by_field.items()
        if shown is not None
    ]
    return _shown(found, documents)


def _cell_fact(
    name: str, shown: str, span: tuple[int, int], document: Document, label: str
) -> Fact:
    number, date = read_number(shown), read_date(shown)
    kind = "date" if date else "number" if number else "text"
    value = date or (number.value if number else shown)
    return Fact(
        subject=document.title,
        relation=SCHEMA_PREFIX + name,
        value=value,
        value_kind=kind,
        subject_kind=document.genre,
        doc_id=document.doc_id,
        start=span[0],
        end=span[1],
        certainty=CERTAINTY,
        label=label,
        unit=number.unit if number and not date else "",
        scale=number.scale if number and not date else 0,
    )
