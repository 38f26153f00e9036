"""Read JSON Lines of texts: one document a line.

    {"text": "...", "title": "...", "date": "2024-05-31", "licence": "CC0-1.0", "source": "..."}

`content` stands for `text`, `license` for `licence`, `url` for `source`. Bad lines are counted.
"""

import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from longloom.errors import DataError
from longloom.records import BlockKind, DocumentKind
from longloom.synthesis.documents.building import DocumentBuilder, Reading, clean_text
from longloom.synthesis.documents.reader import SourceFile

MAX_LINES = 100_000
MAX_LINE_BYTES = 20_000_000

_PARAGRAPHS = re.compile(r"\n[ \t]*\n\s*")
_DATE = re.compile(r"[0-9]{4}(?:-[0-9]{2}(?:-[0-9]{2})?)?")
_log = logging.getLogger(__name__)


def read(source: SourceFile) -> Iterator[Reading]:
    """Yield one document a line.

    Raises:
        DataError: no line holds a text; raised at the end, after every line was tried.
    """
    num_read = num_bad = 0
    for number, line in enumerate(_lines(source.payload), start=1):
        fields = _fields(line)
        if fields is None:
            num_bad += 1
            continue
        num_read += 1
        yield _reading(source, number, fields)
    if not num_read:
        raise DataError(f"no JSON Lines of texts: none of {num_bad} lines has a text")
    if num_bad:
        _log.warning("%s: %d of %d lines hold no text", source.name, num_bad, num_read + num_bad)


def _lines(payload: bytes) -> Iterable[bytes]:
    lines = (line for line in payload.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip())
    return (line for line, _ in zip(lines, range(MAX_LINES), strict=False))


def _fields(line: bytes) -> Mapping[str, Any] | None:
    """Return the line's object with a `text`, or None if it is bad."""
    if len(line) > MAX_LINE_BYTES:
        return None
    try:
        fields = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    text = fields.get("text", fields.get("content"))
    if not isinstance(text, str) or not text.strip() or _has_surrogate(text):
        return None
    return {**fields, "text": text}


def _has_surrogate(text: str) -> bool:
    """Whether an escape left half a surrogate pair, which no file can store."""
    return not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)


def _reading(source: SourceFile, number: int, fields: Mapping[str, Any]) -> Reading:
    date = _text_of(fields, "date")
    title = _text_of(fields, "title")
    builder = DocumentBuilder(
        title=title or f"{source.name} line {number}",
        kind=DocumentKind.GENERAL,
        genre="text",
        source=_text_of(fields, "source", "url") or f"{source.name}#{number}",
        licence=_text_of(fields, "licence", "license") or source.licence,
        date=date if _DATE.fullmatch(date) else "",
        may_be_altered=source.may_be_altered,
    )
    if title:
        builder.block(BlockKind.HEADING, title, level=1)
    for paragraph in _PARAGRAPHS.split(clean_text(fields["text"])):
        builder.block(BlockKind.PARAGRAPH, paragraph)
    return builder.build()


def _text_of(fields: Mapping[str, Any], *names: str) -> str:
    for name in names:
        value = fields.get(name)
        if isinstance(value, str) and value.strip() and not _has_surrogate(value):
            return " ".join(clean_text(value).split())[:300]
    return ""
