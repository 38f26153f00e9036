"""What a model does once contexts are woven: ask more, check all, and what is written about it.

woven shards -> + tables, + self-play -> checks -> shards to select from
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from longloom.runlog import atomic_write_text
from longloom.synthesis.config import SynthesisConfig
from longloom.synthesis.corpus_files import write_facts
from longloom.synthesis.endpoint.candidate_checks import check_candidates
from longloom.synthesis.endpoint.plan import endpoint_by_use
from longloom.synthesis.endpoint.prompts import prompt_version
from longloom.synthesis.endpoint.self_play_questions import (
    ClusterSource,
    ask_over_clusters,
    self_play_counts,
    votes_of,
)
from longloom.synthesis.endpoint.session import EndpointSession
from longloom.synthesis.endpoint.table_questions import ask_over_tables, table_counts
from longloom.synthesis.selection.writing import CARD_FILE, Selected
from longloom.synthesis.steps.shards import Progress
from longloom.synthesis.storage import SUMMARY_FILE, write_summary

VOTES_PREFIX = "votes-"
"""Begins the name of the shard of facts that holds the record of the votes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WovenCorpus:
    """What was made without a model."""

    documents: tuple[Path, ...]
    """Shards of settled documents."""
    facts: tuple[Path, ...]
    """Shards of their facts."""
    digest: str
    """Stands for both."""
    clusters: tuple[ClusterSource, ...]
    """Where clusters are drawn from."""
    shards: tuple[Path, ...]
    """Woven shards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedCorpus:
    """What to select from."""

    shards: tuple[Path, ...]
    """Shards of candidates."""
    votes: Path | None
    """The record of the votes, beside the facts; None where nothing was voted on."""
    counts: Mapping[str, Mapping[str, int]]
    """Outcomes by use."""


def ask_and_check(
    session: EndpointSession,
    config: SynthesisConfig,
    woven: WovenCorpus,
    steps: Path,
    *,
    counter_name: str,
    progress: Progress | None,
) -> AskedCorpus:
    """Return the shards to select from.

    The record of the votes is written beside the facts, so that verification finds it.
    """
    uses = session.config.uses
    counts: dict[str, Mapping[str, int]] = {}
    shards = list(woven.shards)
    if uses.tables:
        tables = ask_over_tables(
            session,
            config,
            woven.shards,
            steps / "tables",
            documents=woven.documents,
            facts=woven.facts,
            counter_name=counter_name,
            progress=progress,
        )
        counts["tables"] = table_counts(tables)
        shards += tables
    voted: list[Path] = []
    votes: Path | None = None
    if uses.self_play:
        voted = ask_over_clusters(
            session,
            config,
            woven.clusters,
            steps / "self_play",
            corpus_digest=woven.digest,
            counter_name=counter_name,
            progress=progress,
        )
        counts["self_play"] = self_play_counts(voted)
        shards += voted
        votes = _write_votes(woven.facts, voted)
    if uses.closed_book or uses.robustness or uses.rewriting or uses.difficulty:
        shards, counts["checks"] = check_candidates(
            session,
            config,
            shards,
            steps / "checks",
            voted=set(voted),
            counter_name=counter_name,
            progress=progress,
        )
    return AskedCorpus(shards=tuple(shards), votes=votes, counts=counts)


def _write_votes(facts: Sequence[Path], voted: Sequence[Path]) -> Path:
    name = hashlib.sha256("\n".join(shard.name for shard in voted).encode()).hexdigest()[:32]
    target = facts[0].parent / f"{VOTES_PREFIX}{name}.parquet"
    if not target.exists():
        write_facts(target, list(votes_of(voted)))
    return target


def add_to_summary(
    session: EndpointSession,
    folder: Path,
    selected: Selected,
    counts: Mapping[str, Mapping[str, int]],
) -> Selected:
    """Say in summary.json and in the data card what models did; return what is written now."""
    models = {use: found.model for use, found in endpoint_by_use(session.config).items()}
    outcomes = {use: dict(sorted(found.items())) for use, found in counts.items()}
    section = {
        "model_by_use": models,
        "prompt_version": prompt_version(),
        "outcomes": outcomes,
    }
    written = json.loads((folder / SUMMARY_FILE).read_text("utf-8"))
    fields = {name: value for name, value in written.items() if name not in ("schema", "version")}
    summary = {**fields, "endpoint": section}
    write_summary(folder / SUMMARY_FILE, summary)
    card = (folder / CARD_FILE).read_text("utf-8")
    atomic_write_text(folder / CARD_FILE, f"{card.rstrip()}\n\n{_card_section(models, outcomes)}")
    return Selected(
        num_examples=selected.num_examples, num_contexts=selected.num_contexts, summary=summary
    )


def _card_section(models: Mapping[str, str], outcomes: Mapping[str, Mapping[str, int]]) -> str:
    lines = [
        "## What models did",
        "",
        "Questions whose program holds a node `voted` were proposed by a model and kept because "
        "more than half of independent solvers reached the same answer; execution confirms that "
        "their quoted evidence is shown, not that the answer follows from it. Questions whose "
        "program is a `table_query` were written and translated into SQL by a model; their answer "
        "was executed. Facts of relations that begin with `prose.` or `schema.` were read by a "
        "model that quoted them.",
        "",
        "| use | model |",
        "| --- | --- |",
        *(f"| {use} | `{model}` |" for use, model in models.items()),
        "",
        "| use | outcome | number |",
        "| --- | --- | ---: |",
    ]
    for use, found in outcomes.items():
        lines += [f"| {use} | {reason} | {number} |" for reason, number in found.items()]
    return "\n".join([*lines, ""])
