"""The corpus every machine has: Python's standard library, its reference, installed packages.

Standard library sources come from `sysconfig.get_path("stdlib")`, without tests, installed
packages and the bundled applications. `pydoc_data.topics` gives one document a topic, with
`related TOPIC OTHER` statements from pydoc's own cross references.
"""

import importlib
import pydoc
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from longloom.records import BlockKind, Document, DocumentKind
from longloom.synthesis.miniature.documents.plain import read_plain
from longloom.synthesis.miniature.documents.rendering import (
    clean_text,
    render_document,
    statement_block,
)

_SKIPPED_FOLDERS = frozenset(
    {
        "__pycache__",
        "dist-packages",
        "idlelib",
        "lib-dynload",
        "lib2to3",
        "site-packages",
        "test",
        "tests",
        "turtledemo",
    }
)
_PYTHON_LICENCE = "PSF-2.0"


def standard_library_folder() -> Path:
    """Return the folder of the standard library's sources."""
    return Path(sysconfig.get_path("stdlib"))


def standard_library_files() -> list[Path]:
    """Return the sources to read, sorted by path."""
    return sorted(_python_files(standard_library_folder()))


def _python_files(folder: Path) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()):
        if entry.is_dir():
            if entry.name not in _SKIPPED_FOLDERS and not entry.name.startswith((".", "config-")):
                yield from _python_files(entry)
        # Build settings hold machine paths.
        elif entry.suffix == ".py" and not entry.name.startswith("_sysconfigdata"):
            yield entry


def read_topics() -> list[Document]:
    """Return one document a topic of Python's language reference."""
    topics: dict[str, str] = importlib.import_module("pydoc_data.topics").topics
    related = _related_topics()
    return [
        render_document(
            title=f"topic:{label}",
            kind=DocumentKind.ACADEMIC,
            source=f"pydoc_data.topics:{label}",
            licence=_PYTHON_LICENCE,
            blocks=[
                statement_block(
                    [("related", label, other) for other in related.get(label, ())],
                    BlockKind.TABLE,
                ),
                *read_plain(clean_text(topics[label])).blocks,
            ],
        )
        for label in sorted(topics)
    ]


def _related_topics() -> dict[str, tuple[str, ...]]:
    """Return, for each label of a text, the labels of the texts pydoc refers to."""
    entries: dict[str, str | tuple[str, ...]] = {**pydoc.Helper.topics, **pydoc.Helper.keywords}
    targets: dict[str, tuple[str, str]] = {}
    for name, entry in entries.items():
        if isinstance(entry, tuple):
            targets[name] = (entry[0], entry[1])
    related: dict[str, dict[str, None]] = {}
    for label, names in targets.values():
        for name in names.split():
            other = targets.get(name, ("", ""))[0]
            if other and other != label:
                related.setdefault(label, {})[other] = None
    return {label: tuple(others) for label, others in related.items()}
