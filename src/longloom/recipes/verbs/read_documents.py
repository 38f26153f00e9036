"""The documents of `longloom read`: files of many kinds as one text.

Text files (prose, markdown, code, tables, logs) are read as they are, so that nothing is lost and
places are those of the file; PDF, HTML, XML and Parquet go through the readers of the synthesis
room. Models as small as tiny-base read outlines of Python files, as in their training.
"""

import codecs
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from longloom.errors import DataError
from longloom.records import Citation, Context, ContextPart
from longloom.synthesis.documents import (
    books,
    generic_xml,
    html,
    ixbrl,
    jats,
    law_xml,
    pdf,
    xml2rfc,
)
from longloom.synthesis.documents.catalogue import read_file
from longloom.synthesis.documents.files import FoundFile, find_files
from longloom.synthesis.documents.plain import decoded
from longloom.synthesis.documents.reader import SourceFile
from longloom.synthesis.miniature.documents import read_corpus

MAX_FILE_BYTES = 256 * 1024 * 1024
"""Larger files are refused: they are held in memory, and no reading of them would end."""

_MARKUP = (books, generic_xml, html, ixbrl, jats, law_xml, pdf, xml2rfc)
"""Readers of files whose bytes are not what people read."""
_TABLE_SUFFIX = ".parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedDocument:
    """One document to read."""

    title: str
    """Its name in answers; no two are the same."""
    text: str
    """Its text."""
    is_verbatim: bool
    """Whether lines are those of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedDocuments:
    """Documents in order, as one text."""

    context: Context
    """The text; parts name documents by title."""
    documents: tuple[LoadedDocument, ...]
    """The documents."""
    left_out: tuple[str, ...] = field(default=())
    """Files of folders that could not be read, with reasons."""

    @property
    def titles(self) -> tuple[str, ...]:
        """Titles of the documents, in order."""
        return tuple(document.title for document in self.documents)

    def place(self, citation: Citation) -> str:
        """Return where a citation stands, for people: document and line, or how far in."""
        found = [one for one in self.documents if one.title == citation.doc_id]
        if not found:
            return f"section {citation.section_index}"
        document = found[0]
        if document.is_verbatim:
            return f"{document.title}, line {document.text.count(chr(10), 0, citation.start) + 1}"
        percent = 100 * citation.start // max(1, len(document.text))
        return f"{document.title}, {percent}% in"


def load_documents(names: Sequence[Path | str], *, as_outlines: bool) -> LoadedDocuments:
    """Read files and folders in the order given.

    Args:
        names: files, folders or `builtin`.
        as_outlines: render Python files as outlines of statements.

    Raises:
        DataError: a file cannot be read, or there is no text.
    """
    if not names:
        raise DataError("no documents given; expected at least one file or folder")
    if "" in names:  # an empty variable of a shell; as a path it would be the current folder
        raise DataError("a document has an empty name; expected a file or a folder")
    left_out: list[str] = []
    documents: list[LoadedDocument] = []
    for name in names:
        documents += _outlines(str(name)) if as_outlines else _texts(str(name), left_out)
    documents = _with_distinct_titles([one for one in documents if one.text.strip()])
    if not documents:
        reasons = f" ({'; '.join(left_out[:3])})" if left_out else ""
        raise DataError(
            f"documents {', '.join(map(str, names))} hold no text{reasons}; expected files with "
            "text"
        )
    return LoadedDocuments(
        context=_joined(documents, has_titles=not as_outlines and len(documents) > 1),
        documents=tuple(documents),
        left_out=tuple(left_out),
    )


def _outlines(name: str) -> list[LoadedDocument]:
    return [
        LoadedDocument(title=document.title, text=document.text, is_verbatim=False)
        for document in read_corpus(name).documents
    ]


def _texts(name: str, left_out: list[str]) -> list[LoadedDocument]:
    """Read a file, or the files of a folder, where those that cannot be read are left out."""
    path = str(Path(name).expanduser())
    files = find_files(path)
    documents: list[LoadedDocument] = []
    for file in files:
        try:
            documents += _documents_of(file)
        except (DataError, OSError, RecursionError, MemoryError) as error:
            reason = _reason_of(error)
            if Path(path).is_file():
                raise DataError(
                    f"document {name!r} cannot be read: {reason}; expected text, PDF, HTML, XML or "
                    "Parquet with text in it"
                ) from None
            left_out.append(f"{file.name}: {reason}")
    return documents


def _reason_of(error: Exception) -> str:
    if isinstance(error, DataError):
        return str(error)
    stated = error.strerror if isinstance(error, OSError) else None
    return stated or type(error).__name__


def _documents_of(file: FoundFile) -> list[LoadedDocument]:
    if file.num_bytes > MAX_FILE_BYTES:
        raise DataError(f"{file.num_bytes} bytes; expected at most {MAX_FILE_BYTES}")
    source = SourceFile(name=file.name, payload=file.path.read_bytes())
    if not source.payload.strip():
        raise DataError("the file is empty")
    is_markup = any(reader.accepts(source) for reader in _MARKUP)
    if not is_markup and not source.name.lower().endswith(_TABLE_SUFFIX):
        return [LoadedDocument(title=file.name, text=_text_of(source), is_verbatim=True)]
    rendered = [reading.document for reading in read_file(source)]
    return [
        LoadedDocument(
            title=file.name if len(rendered) == 1 else f"{file.name}, {document.title}",
            text=document.text,
            is_verbatim=False,
        )
        for document in rendered
    ]


def _text_of(source: SourceFile) -> str:
    """Return the text of a file in UTF-8, or in UTF-16 if it begins with that mark."""
    payload = source.payload
    if payload.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        payload = payload.decode("utf-16", "replace").encode("utf-8", "replace")
    elif b"\0" in payload:
        raise DataError("not text: it holds zero bytes")
    return decoded(replace(source, payload=payload))


def _with_distinct_titles(documents: list[LoadedDocument]) -> list[LoadedDocument]:
    """Return the documents, with a number in titles that come again."""
    times: dict[str, int] = {}
    distinct = []
    for document in documents:
        times[document.title] = number = times.get(document.title, 0) + 1
        title = document.title if number == 1 else f"{document.title} ({number})"
        distinct.append(
            LoadedDocument(title=title, text=document.text, is_verbatim=document.is_verbatim)
        )
    return distinct


def _joined(documents: Sequence[LoadedDocument], *, has_titles: bool) -> Context:
    """Return one text of all documents, each under its title where there are several."""
    pieces: list[str] = []
    parts: list[ContextPart] = []
    num_characters = 0
    for document in documents:
        heading = f"# {document.title}\n\n" if has_titles else ""
        opening = f"\n\n{heading}" if pieces else heading
        parts.append(
            ContextPart(
                doc_id=document.title,
                doc_start=0,
                doc_end=len(document.text),
                context_start=num_characters + len(opening),
            )
        )
        pieces += [opening, document.text]
        num_characters += len(opening) + len(document.text)
    text = "".join(pieces)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return Context(context_id=digest, text=text, parts=tuple(parts))
