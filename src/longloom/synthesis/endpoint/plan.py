"""What a run will ask models for, computed from settings and sizes alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from longloom.models.endpoint.config import EndpointConfig
from longloom.synthesis.endpoint.config import EndpointSynthesisConfig

WITHOUT_ENDPOINT = (
    "without --endpoint: no causal, free hypothetical and viewpoint questions, no facts from "
    "prose, no judge, no closed-book check"
)
"""What is left out where no model can be asked."""

_CHECKS_PER_PASSAGE = 10
"""Triples of a passage that are confirmed, about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedUse:
    """One use of a model."""

    name: str
    """What it is for."""
    endpoint: EndpointConfig
    """Who is asked."""
    max_calls: int
    """Calls at most, about; what is in the cache costs none."""


def planned_uses(
    config: EndpointSynthesisConfig, *, num_documents: int, num_bytes: int, num_questions: int
) -> tuple[PlannedUse, ...]:
    """Return the uses that are on, in the order in which they come.

    Args:
        config: the settings.
        num_documents: documents, about; files where nothing was read yet.
        num_bytes: their size.
        num_questions: questions wanted.
    """
    limits, uses = config.limits, config.uses
    mean_bytes = num_bytes / max(1, num_documents)
    judged = min(num_documents, limits.max_judged_documents)
    read_bytes = min(mean_bytes, limits.max_triple_characters)
    num_read = min(num_documents, limits.max_triple_documents)
    passages = num_read * (1 + int(read_bytes / config.triples.passage_characters))
    checked = min(limits.max_checked_questions, 2 * num_questions)
    clusters = min(limits.max_clusters, num_documents // 2)
    lines = clusters * len(config.categories) * config.self_play.num_rounds
    solved = config.self_play.solver.num_samples
    num_models = 1 if config.second is None else 2
    schema = min(num_documents, limits.max_schema_documents) if config.table_fields else 0
    readings = schema * config.schema_extraction.samples_per_model * num_models
    tables = limits.max_table_contexts * 6 * (1 + 2 * config.nl2sql.queries_per_template)
    votes = config.self_play.num_votes
    planned = {
        "document judge": (uses.judge_documents, judged * config.quality.num_samples, False),
        "table fields": (bool(config.table_fields), readings, False),
        "facts from prose": (
            uses.extract_triples,
            passages * (1 + _CHECKS_PER_PASSAGE * config.triples.num_checks),
            False,
        ),
        "questions over tables": (uses.tables, tables, False),
        "self-play, proposer": (uses.self_play, lines, False),
        "self-play, solver and verifier": (
            uses.self_play,
            lines * (config.self_play.closed_book.num_samples + solved * (1 + votes)),
            True,
        ),
        "closed-book check": (uses.closed_book, checked * config.closed_book.num_samples, False),
        "robustness check": (uses.robustness, checked * config.robustness.num_samples, False),
        "rewriting": (
            uses.rewriting,
            checked * (1 + config.rewriting.solver.num_samples),
            False,
        ),
        "difficulty": (uses.difficulty, checked * config.difficulty.num_samples, False),
    }
    return tuple(
        PlannedUse(
            name=name,
            endpoint=config.other if is_others else config.connection,
            max_calls=max_calls,
        )
        for name, (is_on, max_calls, is_others) in planned.items()
        if is_on
    )


def endpoint_by_use(config: EndpointSynthesisConfig) -> Mapping[str, EndpointConfig]:
    """Return who is asked in each use that is on."""
    planned = planned_uses(config, num_documents=0, num_bytes=0, num_questions=0)
    found = {use.name: use.endpoint for use in planned}
    if config.second is not None:
        shared = {
            "table fields": "table fields, second reader",
            "questions over tables": "questions over tables, second translation",
            "rewriting": "rewriting, checker",
        }
        found |= {second: config.second for use, second in shared.items() if use in found}
    return found


def plan_lines(uses: Sequence[PlannedUse]) -> list[str]:
    """Return the uses as lines with their calls."""
    total = sum(use.max_calls for use in uses)
    lines = [f"  {use.name}: at most about {use.max_calls:,} calls" for use in uses]
    return [*lines, f"  together: at most about {total:,} calls"]
