"""reStructuredText, above all Python Enhancement Proposals.

A reader by lines, in linear time. It is NOT docutils: it follows no includes, resolves nothing
outside of the file and forgives every mistake. Header lines (`Author: ...`) stay text, their
values marked `header`; roles are displayed (`PEP 8`) and marked `reference`; comments and what
only steers layout are left out.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from longloom.errors import DataError
from longloom.records import DocumentKind
from longloom.synthesis.documents.building import DocumentBuilder, Reading, clean_text
from longloom.synthesis.documents.reader import SourceFile
from longloom.synthesis.documents.rst_inline import Inline
from longloom.synthesis.documents.rst_writer import DIRECTIVE, TARGET, RstWriter

_HEADER_LINE = re.compile(r"([A-Z][A-Za-z-]{1,30}):(?:[ \t]+(.*)|)\Z")
_FIELD = re.compile(r":([A-Za-z][^:`]{0,60}):(?:\s+(.*)|)\Z")
_RFC822 = re.compile(r"PEP:[ \t]*\d{1,5}\s*$", re.MULTILINE)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CREATED = re.compile(r"(\d{1,2})[- ]([A-Za-z]{3})[a-z]*[- ](\d{4})\b")


def accepts(source: SourceFile) -> bool:
    """Tell whether a file looks like reStructuredText."""
    suffix = PurePosixPath(source.name).suffix.lower()
    head = source.payload[:4096]
    if suffix in (".rst", ".rest"):
        return b"\0" not in head
    return suffix == ".txt" and _RFC822.match(head.decode("utf-8", "replace")) is not None


def read(source: SourceFile) -> Iterable[Reading]:
    """Read one file as one document.

    Raises:
        DataError: If it is not UTF-8 or holds no text.
    """
    try:
        text = clean_text(source.payload.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise DataError(f"not UTF-8 at byte {error.start}") from error
    lines = [line.expandtabs(8).rstrip() for line in text.split("\n")]
    if not any(lines):
        raise DataError("no text in it")
    header, body_start = _header(lines)
    value_by_name = {name.lower(): value for name, value in header}
    is_proposal = value_by_name.get("pep", "").isdecimal()
    title = f"PEP {int(value_by_name['pep'])}" if is_proposal else source.name
    builder = DocumentBuilder(
        title=title,
        kind=DocumentKind.PROFESSIONAL,
        genre="proposal" if is_proposal else "manual",
        source=source.name,
        licence=source.licence,
        date=_iso_date(value_by_name.get("created", "")),
        may_be_altered=source.may_be_altered,
    )
    writer = RstWriter(builder, _inline_of(lines))
    writer.write_header(header)
    writer.write(lines[body_start:], depth=0)
    reading = builder.build()
    if not reading.document.text:
        raise DataError("no text in it")
    return [reading]


def _header(lines: Sequence[str]) -> tuple[list[tuple[str, str]], int]:
    """Return the header's names and values, and the line where the body begins."""
    fields: list[list[str]] = []
    place = 0
    while place < len(lines):
        line = lines[place]
        match = _HEADER_LINE.match(line) or _FIELD.match(line)
        if match:
            fields.append([match[1], match[2] or ""])
        elif fields and line.startswith(" "):
            fields[-1].append(line.strip())
        elif fields or line:
            break
        place += 1
    if len(fields) < 3 or (place < len(lines) and lines[place]):
        return [], 0
    return [(name, " ".join(filter(None, values))) for name, *values in fields], place


def _iso_date(text: str) -> str:
    match = _CREATED.search(text)
    if not match or match[2].lower() not in _MONTHS:
        return ""
    return f"{match[3]}-{_MONTHS.index(match[2].lower()) + 1:02}-{int(match[1]):02}"


def _inline_of(lines: Sequence[str]) -> Inline:
    """Collect the targets and substitutions of a document."""
    targets: dict[str, str] = {}
    substitutions: dict[str, str] = {}
    for place, line in enumerate(lines):
        text = line.strip()
        if not text.startswith(".. "):
            continue
        if target := TARGET.match(text):
            name = target[1].strip("`").replace("\\", "").lower()
            following = lines[place + 1].strip() if place + 1 < len(lines) else ""
            address = target[2] or (following if "://" in following else "")
            targets.setdefault(" ".join(name.split()), address or name)
        elif (directive := DIRECTIVE.match(text)) and directive[1] and directive[2] == "replace":
            substitutions.setdefault(directive[1], directive[3] or "")
    return Inline(targets, substitutions)
