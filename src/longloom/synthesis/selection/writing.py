"""Write the selected examples, their contexts, a summary and a data card.

Shards are copied row by row, so that memory is bounded by a shard.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from longloom.records import TaskType
from longloom.runlog import atomic_path, atomic_write_text
from longloom.synthesis.config import SynthesisConfig
from longloom.synthesis.curation.decisions import Decisions
from longloom.synthesis.curation.decontamination import load_benchmarks
from longloom.synthesis.mixes import MIXES
from longloom.synthesis.schemas import CONTEXTS_SCHEMA, EXAMPLES_SCHEMA
from longloom.synthesis.selection.balance import Candidate, select_by_quotas
from longloom.synthesis.selection.card import data_card
from longloom.synthesis.storage import CONTEXTS_FILE, EXAMPLES_FILE, SUMMARY_FILE, write_summary

CARD_FILE = "data_card.md"
DROPPED_FILE = "dropped_documents.json"
"""Every document and file left out, with its reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """What was written."""

    num_examples: int
    """Examples written."""
    num_contexts: int
    """Contexts written."""
    summary: Mapping[str, Any]
    """What summary.json holds."""


def write_selected(
    folder: Path,
    shards: Sequence[Path],
    config: SynthesisConfig,
    *,
    counter_name: str,
    decisions: Decisions,
) -> Selected:
    """Select among the woven shards and write the final files; examples last.

    Raises:
        DataError: the folder cannot be written.
    """
    candidates = [candidate for shard in shards for candidate in candidates_of(shard)]
    candidates, contaminated = _clean(candidates, config.decontaminate_against)
    mix = MIXES[config.mix]
    selection = select_by_quotas(
        candidates,
        num_examples=config.num_examples,
        quotas=mix.quotas_by(config.task_weights),
        max_shape_fraction=config.max_shape_fraction,
        seed=config.seed,
        length_weights=mix.length_weights if mix.quotas else (),
    )
    if not selection.kept:
        return Selected(num_examples=0, num_contexts=0, summary={})
    tally = _Tally()
    rows = _kept_rows(shards, selection.kept, tally)
    with atomic_path(folder / EXAMPLES_FILE) as examples_file:
        _write_rows(examples_file, rows, EXAMPLES_SCHEMA)
        with atomic_path(folder / CONTEXTS_FILE) as contexts_file:
            num_contexts = _copy_contexts(contexts_file, shards, tally.contexts)
        summary = {
            "counted_with": counter_name,
            "num_examples": tally.num_examples,
            "num_contexts": num_contexts,
            "num_documents": len(decisions.kept),
            "dropped_documents": _reasons(decisions.drop_reasons),
            **tally.counts(),
            "wanted": dict(selection.wanted),
            "written": dict(selection.written),
            "left_out": dict(sorted({**selection.left_out, **contaminated}.items())),
            "refused": _refused(shards),
        }
        write_summary(folder / SUMMARY_FILE, summary)
        left_out = json.dumps(dict(decisions.drop_reasons), ensure_ascii=False, indent=1)
        atomic_write_text(folder / DROPPED_FILE, left_out + "\n")
        atomic_write_text(folder / CARD_FILE, data_card(summary, config))
    return Selected(num_examples=tally.num_examples, num_contexts=num_contexts, summary=summary)


def _clean(
    candidates: Sequence[Candidate], benchmarks: tuple[str, ...]
) -> tuple[list[Candidate], dict[str, int]]:
    """Return the candidates that repeat no benchmark question, and how many did, by task."""
    if not benchmarks:
        return list(candidates), {}
    known = load_benchmarks(benchmarks)
    clean: list[Candidate] = []
    repeated: Counter[str] = Counter()
    for candidate in candidates:
        if known.question_overlap(candidate.question, candidate.answer):
            repeated[f"{candidate.task_type}/stands_in_a_benchmark"] += 1
        else:
            clean.append(candidate)
    return clean, dict(repeated)


def candidates_of(shard: Path) -> Iterator[Candidate]:
    """Yield what selection knows of the examples of a shard."""
    table = pq.read_table(
        shard / EXAMPLES_FILE, columns=["data_source", "reward_model", "extra_info"]
    )
    for row in table.to_pylist():
        extra = row["extra_info"]
        yield Candidate(
            answer=row["reward_model"]["ground_truth"],
            example_id=extra["example_id"],
            task_type=TaskType(row["data_source"]),
            shape=extra["shape"],
            question=extra["question"],
            gold_documents=tuple(extra["gold_documents"]),
            genres=tuple(extra["genres"]),
            num_context_tokens=extra["num_context_tokens"],
        )


class _Tally:
    """Counts what is written."""

    def __init__(self) -> None:
        self.num_examples = 0
        self.contexts: dict[str, None] = {}
        self._counters: dict[str, Counter[str]] = {}
        self._shapes: dict[str, Counter[str]] = {}
        self._ids: set[str] = set()

    def add(self, row: Mapping[str, Any]) -> bool:
        """Count a row; False if it was counted before."""
        extra = row["extra_info"]
        if extra["example_id"] in self._ids:
            return False
        self._ids.add(extra["example_id"])
        self.num_examples += 1
        self.contexts[extra["context_id"]] = None
        task = row["data_source"]
        self._shapes.setdefault(task, Counter())[extra["shape"]] += 1
        tokens = extra["num_context_tokens"]
        for name, value in (
            ("by_task", task),
            ("by_ability", f"{task}/{row['ability']}"),
            ("by_split", extra["split"]),
            ("by_hops", str(extra["num_hops"])),
            ("by_gold_documents", str(len(extra["gold_documents"]))),
            ("by_length_tokens", f"{tokens // 8000 * 8}K-{tokens // 8000 * 8 + 8}K"),
        ):
            self._count(name, value)
        for genre in extra["genres"]:
            self._count("by_genre", genre)
        for depth in extra["depths"]:
            self._count("evidence_by_depth", f"{min(int(depth * 10), 9) * 10}%")
        for licence in extra["licences"]:
            self._count("by_licence", licence)
        for source in extra["provenance"]:
            self._count("by_source", source.partition("/")[0])
        return True

    def _count(self, name: str, value: str) -> None:
        self._counters.setdefault(name, Counter())[value] += 1

    def counts(self) -> dict[str, Any]:
        """Return every count, most frequent first, and the largest share of a shape by task."""
        counts: dict[str, Any] = {
            name: dict(counter.most_common()) for name, counter in sorted(self._counters.items())
        }
        counts["num_shapes"] = {task: len(shapes) for task, shapes in self._shapes.items()}
        counts["largest_shape_fraction"] = {
            task: round(max(shapes.values()) / sum(shapes.values()), 4)
            for task, shapes in self._shapes.items()
        }
        return counts


def _kept_rows(
    shards: Sequence[Path], kept: frozenset[str], tally: _Tally
) -> Iterator[dict[str, Any]]:
    for shard in shards:
        for row in pq.read_table(shard / EXAMPLES_FILE).to_pylist():
            if row["extra_info"]["example_id"] in kept:
                row["extra_info"]["index"] = tally.num_examples
                if tally.add(row):
                    yield row


def _write_rows(path: Path, rows: Iterator[dict[str, Any]], schema: pa.Schema) -> None:
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        batch: list[dict[str, Any]] = []
        for row in rows:
            batch.append(row)
            if len(batch) == 1024:
                writer.write_table(pa.Table.from_pylist(batch, schema=schema))
                batch = []
        writer.write_table(pa.Table.from_pylist(batch, schema=schema))


def _copy_contexts(path: Path, shards: Sequence[Path], wanted: Mapping[str, None]) -> int:
    written: set[str] = set()
    with pq.ParquetWriter(path, CONTEXTS_SCHEMA, compression="zstd") as writer:
        for shard in shards:
            table = pq.read_table(shard / CONTEXTS_FILE)
            mask = []
            for context_id in table.column("context_id").to_pylist():
                mask.append(context_id in wanted and context_id not in written)
                written |= {context_id} if mask[-1] else set()
            writer.write_table(table.filter(pa.array(mask, pa.bool_())).cast(CONTEXTS_SCHEMA))
    return len(written)


def _reasons(drop_reasons: Mapping[str, str]) -> dict[str, int]:
    """Count reasons, without the names that follow a colon."""
    return dict(Counter(reason.partition(":")[0] for reason in drop_reasons.values()).most_common())


def _refused(shards: Sequence[Path]) -> dict[str, int]:
    refused: Counter[str] = Counter()
    for shard in shards:
        refused.update(json.loads((shard / SUMMARY_FILE).read_text("utf-8"))["refused"])
    return dict(sorted(refused.items()))
