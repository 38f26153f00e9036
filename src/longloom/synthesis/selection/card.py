"""The data card: what a set of examples holds, where it comes from and under which licences."""

from collections.abc import Mapping
from typing import Any

from longloom.synthesis.config import SynthesisConfig

_TABLES = (
    ("by_task", "Task types", "task"),
    ("by_ability", "Question categories", "task/category"),
    ("by_genre", "Genres of the documents that answer", "genre"),
    ("by_length_tokens", "Lengths of contexts", "tokens"),
    ("by_hops", "Hops", "hops"),
    ("by_gold_documents", "Documents needed", "documents"),
    ("evidence_by_depth", "Where evidence stands", "depth"),
    ("by_licence", "Licences of the documents shown", "licence"),
    ("by_source", "Sources of the documents shown", "source"),
    ("dropped_documents", "Documents and files left out", "reason"),
)


def data_card(summary: Mapping[str, Any], config: SynthesisConfig) -> str:
    """Return the card as Markdown."""
    lines = [
        "# Data card",
        "",
        f"{summary['num_examples']} questions on {summary['num_contexts']} contexts of whole "
        f"documents, woven from {summary['num_documents']} documents by Longloom (mix "
        f"`{config.mix}`, seed {config.seed}). Every question that no model wrote is a program: "
        "its answer was executed on the facts of its own context, and every document it needs was "
        "shown to be necessary. `longloom synthesize --verify FOLDER` executes all of it again.",
        "",
        f"Lengths are counted with: {summary['counted_with']}.",
        "",
        "The questions quote their documents. Each example carries the licences and sources of "
        "the documents of its context; the set as a whole may be passed on only as all of them "
        "allow. Documents whose licence forbids changes stand whole and unaltered.",
    ]
    return "\n".join([*lines, *count_tables(summary), ""])


def count_tables(summary: Mapping[str, Any]) -> list[str]:
    """Return the lines of a table for every count that the summary has."""
    lines: list[str] = []
    for key, title, column in _TABLES:
        counts = summary.get(key) or {}
        if not counts:
            continue
        lines += ["", f"## {title}", "", f"| {column} | number |", "| --- | ---: |"]
        lines += [f"| {_cell(name)} | {number} |" for name, number in counts.items()]
    return lines + _quota_table(summary.get("wanted") or {}, summary.get("written") or {})


def _quota_table(wanted: Mapping[str, int], written: Mapping[str, int]) -> list[str]:
    """Say how far the quotas of the mix were filled."""
    rows = [
        f"| {_cell(name)} | {number} | {written.get(name, 0)} |" for name, number in wanted.items()
    ]
    head = ["", "## Wanted and written", "", "| questions | wanted | written |"]
    return [*head, "| --- | ---: | ---: |", *rows] if rows else []


def _cell(name: str) -> str:
    return name.replace("|", "\\|") or "(none stated)"
