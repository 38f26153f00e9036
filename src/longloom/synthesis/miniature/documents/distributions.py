"""Metadata and descriptions of the installed distributions, as documents.

Statements: `version NAME VERSION`, `licence NAME LICENCE` in one block and `requires NAME OTHER`
in another. Requirements of extras are left out. Nothing of a distribution is imported.
"""

import re
from email.message import Message
from importlib.metadata import Distribution, distributions
from typing import cast

from longloom.records import BlockKind, Document, DocumentKind
from longloom.synthesis.miniature.documents.markdown import read_markdown
from longloom.synthesis.miniature.documents.rendering import (
    RawBlock,
    Reading,
    clean_text,
    render_document,
    statement_block,
)
from longloom.synthesis.miniature.documents.rst import read_rst

_LEFT_OUT = frozenset({"longloom", "pip", "setuptools", "wheel"})
"""Ourselves and what installs: else every change of our README, or of the tool that made the
environment, would be another corpus and so another run."""
_MAX_LICENCE_CHARACTERS = 40
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_EXTRA = re.compile(r";.*\bextra\s*==")


def read_distributions() -> list[Document]:
    """Return one document an installed distribution, sorted by normalised name."""
    return [_render(name, distribution) for name, distribution in _by_name()]


def described_distributions() -> list[tuple[str, str]]:
    """Return name and version of each distribution that `read_distributions` describes."""
    return [(name, distribution.version) for name, distribution in _by_name()]


def _by_name() -> list[tuple[str, Distribution]]:
    by_name: dict[str, Distribution] = {}
    for distribution in distributions():
        name = distribution.metadata["Name"]
        if name:
            by_name.setdefault(_normalised(name), distribution)
    return [(name, by_name[name]) for name in sorted(set(by_name) - _LEFT_OUT)]


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _render(name: str, distribution: Distribution) -> Document:
    licence = _licence(distribution)
    facts = [("version", name, distribution.version)]
    if licence != "unknown":
        facts.append(("licence", name, licence))
    required = [
        _normalised(match.group(1))
        for line in distribution.requires or []
        if not _EXTRA.search(line) and (match := _REQUIREMENT.match(line))
    ]
    requires = [("requires", name, other) for other in dict.fromkeys(required)]
    return render_document(
        title=f"package:{name}",
        kind=DocumentKind.PROFESSIONAL,
        source=f"package:{name}-{distribution.version}",
        licence=licence,
        blocks=[
            statement_block(facts, BlockKind.TABLE),
            statement_block(requires, BlockKind.TABLE),
            *_description(distribution).blocks,
        ],
    )


def _metadata(distribution: Distribution) -> Message:
    return cast(Message, distribution.metadata)  # its protocol lacks `get` before Python 3.12


def _licence(distribution: Distribution) -> str:
    metadata = _metadata(distribution)
    for field in ("License-Expression", "License"):
        value = str(metadata.get(field, "")).strip()
        if value and "\n" not in value and len(value) <= _MAX_LICENCE_CHARACTERS:
            return value
    classifiers = [str(line) for line in metadata.get_all("Classifier") or []]
    licences = [line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License")]
    return licences[0] if licences else "unknown"


def _description(distribution: Distribution) -> Reading:
    metadata = _metadata(distribution)
    text = metadata.get_payload()
    if not isinstance(text, str) or not text.strip():
        return Reading(blocks=())
    content_type = str(metadata.get("Description-Content-Type", ""))
    reader = read_rst if "rst" in content_type else read_markdown
    return _without_odd_characters(reader(clean_text(text)))


def _without_odd_characters(reading: Reading) -> Reading:
    # A metadata file in another encoding arrives with lone surrogates, which cannot be written.
    return Reading(
        blocks=tuple(
            RawBlock(kind=block.kind, text=block.text.encode("utf-8", "replace").decode())
            for block in reading.blocks
        )
    )
