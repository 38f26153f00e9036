"""What curation decided about the whole corpus, on disk."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from longloom.errors import DataError
from longloom.runlog import atomic_write_text

_SCHEMA = "longloom.curation"
_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """Which documents are kept, and what is known about them together."""

    kept: frozenset[str]
    """Ids of the documents kept."""
    drop_reasons: Mapping[str, str] = field(default_factory=dict)
    """Why the others were dropped, by id."""
    near_copies: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Kept documents too similar to stand in one context, by id."""
    canonical_names: Mapping[str, str] = field(default_factory=dict)
    """One name for each entity that is written in several ways."""


def write_decisions(target: Path, decisions: Decisions) -> None:
    """Write the decisions, atomically."""
    content = {
        "schema": _SCHEMA,
        "version": _VERSION,
        "kept": sorted(decisions.kept),
        "drop_reasons": dict(sorted(decisions.drop_reasons.items())),
        "near_copies": {
            doc_id: sorted(others) for doc_id, others in sorted(decisions.near_copies.items())
        },
        "canonical_names": dict(sorted(decisions.canonical_names.items())),
    }
    atomic_write_text(target, json.dumps(content, ensure_ascii=False, indent=0))


def read_decisions(path: Path) -> Decisions:
    """Read what `write_decisions` wrote.

    Raises:
        DataError: the file is missing, damaged or of another version.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        if (content["schema"], content["version"]) != (_SCHEMA, _VERSION):
            raise ValueError(f"{content['schema']} version {content['version']}")
        return Decisions(
            kept=frozenset(content["kept"]),
            drop_reasons=content["drop_reasons"],
            near_copies={
                doc_id: frozenset(others) for doc_id, others in content["near_copies"].items()
            },
            canonical_names=content["canonical_names"],
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path} cannot be used ({error}); expected {_SCHEMA} version {_VERSION}: remove it "
            "and synthesize again"
        ) from None
