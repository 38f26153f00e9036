"""Python source files: the text is the file, cut into blocks between statements.

Nothing is imported or run. Blocks are top-level statements, short ones joined; a large class is
cut between its methods; a function is never cut.
"""

import ast
import codecs
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from longloom.errors import DataError
from longloom.records import Block, BlockKind, Document, DocumentKind
from longloom.synthesis.documents.building import Reading, clean_text, document_id
from longloom.synthesis.documents.reader import SourceFile

MAX_SOURCE_BYTES = 2_000_000
"""Larger files are generated tables, and slow to parse."""
_MAX_BLOCK_CHARS = 3000
_COOKIE = re.compile(rb"^[ \t\f]*#.{0,80}?coding[:=][ \t]*([-\w.]{1,40})")
_ENCODINGS = (
    "ascii",
    "utf-8",
    "iso8859-1",
    "iso8859-2",
    "iso8859-15",
    "cp1252",
    "euc_jp",
    "koi8-r",
)
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def accepts(source: SourceFile) -> bool:
    """Tell whether a file is named like Python source and is text."""
    return source.name.endswith(".py") and b"\0" not in source.payload[:4096]


def read(source: SourceFile) -> Iterable[Reading]:
    """Read one module as one document.

    Raises:
        DataError: If it is too large, in an unknown encoding, not Python, or without statements.
    """
    if len(source.payload) > MAX_SOURCE_BYTES:
        raise DataError(f"{len(source.payload)} bytes of Python, limit {MAX_SOURCE_BYTES}")
    text = clean_text(_decode(source.payload))
    tree = syntax_tree(text)
    if not tree.body:
        raise DataError("no statement in it")
    document = Document(
        doc_id=document_id(source.name, text),
        title=source.name,
        kind=DocumentKind.CODE,
        source=source.name,
        licence=source.licence,
        text=text,
        blocks=tuple(_blocks(text, tree)),
        genre="code",
        may_be_altered=source.may_be_altered,
    )
    return [Reading(document=document)]


def syntax_tree(text: str) -> ast.Module:
    """Parse Python source.

    Raises:
        DataError: If it is not Python, or nested too deeply to be parsed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes are the file's business
            return ast.parse(text)
    except SyntaxError as error:
        raise DataError(f"not Python: {error.msg} (line {error.lineno})") from error
    except (MemoryError, RecursionError, ValueError) as error:
        raise DataError(f"Python nested too deeply: {type(error).__name__}") from error


def _decode(payload: bytes) -> str:
    """Decode as the coding line says, among encodings that are plain and fast."""
    cookies = [_COOKIE.match(line) for line in payload[:1000].split(b"\n")[:2]]
    name = next((cookie[1].decode("ascii", "replace") for cookie in cookies if cookie), "utf-8")
    try:
        encoding = codecs.lookup(name).name
        if encoding not in _ENCODINGS:
            raise LookupError(encoding)
        return payload.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except LookupError as error:
        raise DataError(f"encoding {name} is not read") from error
    except UnicodeDecodeError as error:
        raise DataError(f"not {name} at byte {error.start}") from error


@dataclass(frozen=True, slots=True)
class _Segment:
    """Lines that belong together."""

    first: int
    last: int
    is_definition: bool


def _blocks(text: str, tree: ast.Module) -> Iterator[Block]:
    lines = text.split("\n")
    offsets = [0]
    for line in lines:
        offsets.append(offsets[-1] + len(line) + 1)
    for segment in _merged(_segments(tree, lines), offsets):
        start, end = offsets[segment.first], offsets[segment.last + 1] - 1
        yield Block(kind=BlockKind.CODE, start=start, end=end)


def _segments(tree: ast.Module, lines: Sequence[str]) -> Iterator[_Segment]:
    """Yield the lines of every statement with the comments before it, then comments at the end."""
    done = 0
    for node in _pieces(tree.body, lines):
        first = _skip_blank(lines, done)
        last = node.last
        if last >= first:
            yield _Segment(first, last, node.is_definition)
            done = last + 1
    last = len(lines) - 1
    while last >= done and not lines[last].strip():
        last -= 1
    if last >= done:
        yield _Segment(_skip_blank(lines, done), last, is_definition=False)


def _pieces(body: Sequence[ast.stmt], lines: Sequence[str]) -> Iterator[_Segment]:
    """Yield the statements of a module, large classes as their head and their members."""
    for node in body:
        first, last = _lines_of(node)
        num_chars = sum(len(line) + 1 for line in lines[first : last + 1])
        if isinstance(node, ast.ClassDef) and num_chars > _MAX_BLOCK_CHARS:
            for member in node.body:
                yield _Segment(*_lines_of(member), isinstance(member, _Definition))
        yield _Segment(first, last, isinstance(node, _Definition))


def _lines_of(node: ast.stmt) -> tuple[int, int]:
    """Return the first and last line of a statement, from 0, decorators included."""
    first = node.lineno
    if isinstance(node, _Definition) and node.decorator_list:
        first = min(first, node.decorator_list[0].lineno)
    return first - 1, (node.end_lineno or node.lineno) - 1


def _merged(segments: Iterable[_Segment], offsets: Sequence[int]) -> Iterator[_Segment]:
    """Join short neighbours that are not definitions."""
    held: _Segment | None = None
    for segment in segments:
        if held is None:
            held = segment
            continue
        is_short = offsets[segment.last + 1] - offsets[held.first] <= _MAX_BLOCK_CHARS
        if is_short and not (held.is_definition or segment.is_definition):
            held = _Segment(held.first, segment.last, is_definition=False)
            continue
        yield held
        held = segment
    if held is not None:
        yield held


def _skip_blank(lines: Sequence[str], place: int) -> int:
    while place < len(lines) and not lines[place].strip():
        place += 1
    return place
