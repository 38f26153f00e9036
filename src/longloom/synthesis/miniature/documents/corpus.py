"""Read a corpus: the built-in one, a folder or a single file.

    files -> reader by suffix -> blocks -> Document
    Python files -> outlines of all modules -> Document, with cross references resolved

A file that cannot be used is skipped and counted by reason; nothing else is lost.
"""

import os
import platform
import posixpath
import stat
import tokenize
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote, urlsplit

from longloom.errors import DataError
from longloom.records import BlockKind, Document, DocumentKind
from longloom.runlog.digests import file_digest, joined_digest
from longloom.synthesis.miniature.documents.builtin import (
    read_topics,
    standard_library_files,
    standard_library_folder,
)
from longloom.synthesis.miniature.documents.csv import read_csv
from longloom.synthesis.miniature.documents.distributions import (
    described_distributions,
    read_distributions,
)
from longloom.synthesis.miniature.documents.html import read_html
from longloom.synthesis.miniature.documents.markdown import read_markdown
from longloom.synthesis.miniature.documents.plain import read_plain
from longloom.synthesis.miniature.documents.python_outline import (
    ModuleOutline,
    outline_blocks,
    read_module,
)
from longloom.synthesis.miniature.documents.rendering import (
    Reading,
    clean_text,
    render_document,
    statement_block,
)
from longloom.synthesis.miniature.documents.rst import read_rst

BUILTIN = "builtin"
"""Names the corpus that needs no files of the user's."""

_MAX_FILE_BYTES = 8_000_000

_READERS: dict[str, Callable[[str], Reading]] = {
    ".csv": read_csv,
    ".html": read_html,
    ".md": read_markdown,
    ".rst": read_rst,
    ".txt": read_plain,
}
_PYTHON = ".py"

Progress = Callable[[str, int, int], None]
"""Told what is being done, how many are done, and of how many (0 if unknown)."""


class SkipReason(StrEnum):
    """Why a file is not in the corpus."""

    DUPLICATE = "duplicate"
    EMPTY = "empty"
    TOO_LARGE = "too_large"
    UNDECODABLE = "undecodable"
    UNPARSABLE = "unparsable"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Documents with what was left out and how they refer to each other."""

    documents: tuple[Document, ...]
    """Documents in reading order; titles are unique."""
    skipped: Mapping[str, int]
    """Files left out, by reason."""
    references: Mapping[str, Mapping[str, str]]
    """doc_id -> name used in it -> doc_id of the code document that defines that name."""


class _Shelf:
    """Collects documents, refusing duplicates, and counts what was skipped."""

    def __init__(self) -> None:
        self.documents: list[Document] = []
        self.skipped: Counter[str] = Counter()
        self._titles: set[str] = set()
        self._texts: set[str] = set()

    def add(self, document: Document) -> bool:
        if not document.text:
            self.skipped[SkipReason.EMPTY] += 1
            return False
        if document.text in self._texts or document.title in self._titles:
            self.skipped[SkipReason.DUPLICATE] += 1
            return False
        self.documents.append(document)
        self._titles.add(document.title)
        self._texts.add(document.text)
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Origin:
    """A file to read and how it is called in the corpus."""

    path: Path
    relative: str
    """Path below the root, with forward slashes."""
    source: str
    licence: str


def read_corpus(documents: str, *, progress: Progress | None = None) -> Corpus:
    """Read the corpus named `documents`: `builtin`, a folder or a file.

    Raises:
        DataError: the path is missing or unreadable, or holds no readable document.
    """
    tell = progress or _silent
    if documents == BUILTIN:
        return _read_builtin(tell)
    shelf = _Shelf()
    references = _read_files(shelf, _origins(documents), tell)
    if not shelf.documents:
        suffixes = _known_suffixes()
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(shelf.skipped.items()))
        raise DataError(
            f"documents path {documents!r} holds no readable document"
            f"{f' (skipped: {reasons})' if reasons else ''}; expected files of type {suffixes}"
        )
    return _corpus(shelf, references)


def corpus_digest(documents: str) -> str:
    """Return a digest of what `read_corpus` would read: names and contents of its files.

    Of `builtin` it names the Python and the installed packages by their versions.

    Raises:
        DataError: the path is missing, or a file cannot be read.
    """
    if documents == BUILTIN:
        packages = (f"{name} {version}" for name, version in described_distributions())
        return joined_digest([platform.python_version(), *packages])
    parts = []
    for origin in _origins(documents):
        try:
            parts.append(f"{origin.relative!a} {file_digest(origin.path)}")
        except DataError:  # `read_corpus` skips and counts it
            parts.append(f"{origin.relative!a} {SkipReason.UNREADABLE}")
    return joined_digest(parts)


def _origins(documents: str) -> list[_Origin]:
    """Return the readable files below a path.

    Raises:
        DataError: there is no such path, or the folder cannot be read.
    """
    root = Path(documents).expanduser()
    if not os.path.exists(root):  # unlike Path.exists, no error if the name is too long
        raise DataError(
            f"documents path {documents!r} does not exist; expected a folder or a file of type "
            f"{_known_suffixes()}, or {BUILTIN!r} (set synthesis.documents)"
        )
    paths = [root] if root.is_file() else _files_below(root)
    base = root.parent if root.is_file() else root
    origins = []
    for path in paths:
        relative = path.relative_to(base).as_posix()
        origins.append(
            _Origin(path=path, relative=relative, source=f"file:{relative}", licence="unknown")
        )
    return [origin for origin in origins if _is_known(origin)]


def _known_suffixes() -> str:
    return ", ".join(sorted([*_READERS, _PYTHON]))


def _silent(label: str, done: int, total: int) -> None:
    """Report nothing."""


def _is_known(origin: _Origin) -> bool:
    suffix = origin.path.suffix.lower()
    return suffix == _PYTHON or suffix in _READERS


def _files_below(root: Path) -> list[Path]:
    """Return files below `root` by sorted path; hidden folders and link loops are left out."""
    found = []
    seen: set[tuple[int, int]] = set()
    try:
        os.scandir(root).close()
    except OSError as error:
        raise DataError(f"documents folder {root} cannot be read: {error.strerror}") from None
    for folder, subfolders, names in os.walk(root, followlinks=True):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:
            subfolders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        found += [Path(folder) / name for name in names if not name.startswith(".")]
    return sorted(found)


def _read_builtin(tell: Progress) -> Corpus:
    shelf = _Shelf()
    root = standard_library_folder()
    origins = []
    for path in standard_library_files():
        relative = path.relative_to(root).as_posix()
        origins.append(
            _Origin(path=path, relative=relative, source=f"stdlib:{relative}", licence="PSF-2.0")
        )
    references = _read_files(shelf, origins, tell)
    for document in (*read_topics(), *read_distributions()):
        shelf.add(document)
    return _corpus(shelf, references)


def _corpus(shelf: _Shelf, references: Mapping[str, Mapping[str, str]]) -> Corpus:
    doc_ids = {document.title: document.doc_id for document in shelf.documents}
    return Corpus(
        documents=tuple(shelf.documents),
        skipped={str(reason): count for reason, count in sorted(shelf.skipped.items())},
        references={
            doc_ids[title]: {
                name: doc_ids[target] for name, target in names.items() if target in doc_ids
            }
            for title, names in references.items()
            if title in doc_ids
        },
    )


def _read_files(shelf: _Shelf, origins: list[_Origin], tell: Progress) -> dict[str, dict[str, str]]:
    """Put the documents of all files on the shelf; return references by title."""
    texts: dict[str, str] = {}
    outlines: dict[str, ModuleOutline] = {}
    origin_by_module: dict[str, _Origin] = {}
    for position, origin in enumerate(origins):
        if position % 20 == 0:
            tell("reading documents", position, len(origins))
        if not _is_unicode(origin.relative):
            shelf.skipped[SkipReason.UNDECODABLE] += 1
            continue
        text = _read_text(origin.path, shelf.skipped)
        if text is None:
            continue
        if origin.path.suffix.lower() != _PYTHON:
            texts[origin.relative] = text
            continue
        outline = _read_outline(origin, text, shelf.skipped, outlines)
        if outline is not None:
            outlines[outline.module] = outline
            origin_by_module[outline.module] = origin
    tell("reading documents", len(origins), len(origins))
    references = _add_outlines(shelf, outlines, origin_by_module)
    by_relative = {origin.relative: origin for origin in origins}
    _add_texts(shelf, texts, by_relative)
    return references


def _is_unicode(name: str) -> bool:
    """Return False for a name whose bytes are no UTF-8: Python holds them as lone surrogates."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read_text(path: Path, skipped: Counter[str]) -> str | None:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            skipped[SkipReason.UNREADABLE] += 1  # a pipe would never end
            return None
        if status.st_size > _MAX_FILE_BYTES:
            skipped[SkipReason.TOO_LARGE] += 1
            return None
        content = path.read_bytes()
    except OSError:
        skipped[SkipReason.UNREADABLE] += 1
        return None
    try:
        encoding = "utf-8-sig"
        if path.suffix.lower() == _PYTHON:
            encoding = tokenize.detect_encoding(BytesIO(content).readline)[0]
        text = clean_text(content.decode(encoding))
    except (UnicodeDecodeError, SyntaxError, LookupError):
        skipped[SkipReason.UNDECODABLE] += 1
        return None
    if "\0" in text:
        skipped[SkipReason.UNDECODABLE] += 1
        return None
    if not text.strip():
        skipped[SkipReason.EMPTY] += 1
        return None
    return text


def _read_outline(
    origin: _Origin, text: str, skipped: Counter[str], known: Mapping[str, ModuleOutline]
) -> ModuleOutline | None:
    module, is_package = _module_name(origin)
    if module in known:
        # Two scripts of one name in different folders: call the second by its whole path.
        module = origin.relative.removesuffix(_PYTHON).replace("/", ".").replace(" ", "_")
    if module in known:
        skipped[SkipReason.DUPLICATE] += 1
        return None
    try:
        return read_module(text, module=module, is_package=is_package)
    except DataError:
        skipped[SkipReason.UNPARSABLE] += 1
        return None


def _module_name(origin: _Origin) -> tuple[str, bool]:
    """Return the dotted name a module is imported by, and whether it is a package."""
    path = origin.path
    is_package = path.name == "__init__.py"
    depth = origin.relative.count("/")
    parts = [] if is_package else [path.stem]
    folder = path.parent
    while depth and (folder / "__init__.py").exists():
        parts.insert(0, folder.name)
        folder = folder.parent
        depth -= 1
    return ".".join(parts or [folder.name]).replace(" ", "_"), is_package


def _add_outlines(
    shelf: _Shelf,
    outlines: Mapping[str, ModuleOutline],
    origin_by_module: Mapping[str, _Origin],
) -> dict[str, dict[str, str]]:
    references: dict[str, dict[str, str]] = {}
    for module in sorted(outlines):
        blocks, targets = outline_blocks(outlines, module)
        document = render_document(
            title=module,
            kind=DocumentKind.CODE,
            source=origin_by_module[module].source,
            licence=origin_by_module[module].licence,
            blocks=blocks,
        )
        if shelf.add(document):
            references[module] = targets
    return references


def _add_texts(shelf: _Shelf, texts: Mapping[str, str], origins: Mapping[str, _Origin]) -> None:
    for relative, text in texts.items():
        try:
            reading = _READERS[origins[relative].path.suffix.lower()](text)
        except DataError:
            shelf.skipped[SkipReason.UNPARSABLE] += 1
            continue
        targets = _link_titles(relative, reading.links, texts)
        links = statement_block([("links", relative, other) for other in targets], BlockKind.TABLE)
        document = render_document(
            title=relative,
            kind=DocumentKind.GENERAL,
            source=origins[relative].source,
            licence=origins[relative].licence,
            blocks=[*reading.blocks, links],
        )
        shelf.add(document)


def _link_titles(relative: str, links: Iterable[str], known: Mapping[str, str]) -> list[str]:
    """Return the corpus titles that links point to; links to other places are dropped."""
    folder = posixpath.dirname(relative)
    found: dict[str, None] = {}
    for link in links:
        try:
            parts = urlsplit(link)
        except ValueError:
            continue
        if parts.scheme or parts.netloc or not parts.path:
            continue
        target = posixpath.normpath(posixpath.join(folder, unquote(parts.path)))
        candidates = (target, f"{target}.rst", f"{target}.md")
        title = next((name for name in candidates if name in known), None)
        if title is not None and title != relative:
            found[title] = None
    return list(found)
