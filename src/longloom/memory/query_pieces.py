"""Cut a question into the pieces that rules look at: sentences, headers, options, blocks.

    lines -> fenced and JSON blocks | headers | lettered options | sentences

The pieces joined are the question. Time grows with the length alone: no pattern here can turn back
further than a line, and of a very long question only both ends are looked at, where people write
how they want the answer.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

_END_CHARACTERS = 10_000
"""Instructions are looked for in so much of each end of a question."""
_MAX_BLOCK_LINES = 120
"""A JSON block that is longer is no block."""

_FENCE = re.compile(r"[ \t]*(```|~~~)")
_OPTION = re.compile(r"[ \t]*(?:\([A-Ja-j]\)|[A-Ja-j][.):\u3001\uff0e])[ \t]*\S")
_BRACKETS = {"{": "}", "[": "]"}
_STOP = re.compile(
    r"[.!?\u2026][)\]*]{0,3}(?=\s)|[\u3002\uff01\uff1f]|[\"\u201c\u201d\u300c\u300d]"
)
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:[A-Z]|e\.g|i\.e|etc|vs|Mr|Mrs|Ms|Dr|St|No|Nos|approx|cf|Inc|Ltd|Co|Corp"
    r"|z\.B|d\.h|Nr|bzw|ca)\.$"
)
_OPENING = "\u201c\u300c"
_CLOSING = "\u201d\u300d"


class PieceKind(StrEnum):
    """What a piece is, by its looks."""

    BLOCK = "block"
    BULK = "bulk"
    HEADING = "heading"
    OPTION = "option"
    SENTENCE = "sentence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of a question; the pieces in order are the question."""

    text: str
    """The characters, white space after them included."""
    kind: PieceKind
    """What it is."""
    begins_line: bool
    """Whether it is the first of its line."""
    begins_paragraph: bool
    """Whether a blank line, or nothing, stands before it."""

    @property
    def bare(self) -> str:
        """The text without white space around it."""
        return self.text.strip()


def cut_pieces(question: str) -> tuple[Piece, ...]:
    """Return the pieces of `question` in order."""
    if len(question) <= 2 * _END_CHARACTERS:
        return tuple(_pieces(question, begins_paragraph=True))
    start = question.rfind("\n", 0, _END_CHARACTERS) + 1 or _END_CHARACTERS
    last = len(question) - _END_CHARACTERS
    end = question.find("\n", last) + 1 or last
    bulk = Piece(
        text=question[start:end], kind=PieceKind.BULK, begins_line=True, begins_paragraph=True
    )
    return (
        *_pieces(question[:start], begins_paragraph=True),
        bulk,
        *_pieces(question[end:], begins_paragraph=question[:end].endswith("\n\n")),
    )


def _pieces(text: str, *, begins_paragraph: bool) -> Iterator[Piece]:
    lines = text.splitlines(keepends=True)
    number = 0
    while number < len(lines):
        end, kind = _line_kind(lines, number)
        content = "".join(lines[number:end])
        while end < len(lines) and not lines[end].strip():
            content += lines[end]
            end += 1
        parts = _sentences(content) if kind is PieceKind.SENTENCE else [content]
        for index, part in enumerate(parts):
            yield Piece(
                text=part,
                kind=kind,
                begins_line=index == 0,
                begins_paragraph=begins_paragraph and index == 0,
            )
        begins_paragraph = not lines[end - 1].strip()
        number = end


def _line_kind(lines: list[str], number: int) -> tuple[int, PieceKind]:
    """Return the line after the piece that begins with this line, and the kind of the piece."""
    line = lines[number]
    if fence := _FENCE.match(line):
        for end in range(number + 1, len(lines)):
            if lines[end].strip() == fence[1]:
                return end + 1, PieceKind.BLOCK
        return len(lines), PieceKind.BLOCK
    if (json_end := _json_end(lines, number)) is not None:
        return json_end, PieceKind.BLOCK
    if line.lstrip().startswith("#"):
        return number + 1, PieceKind.HEADING
    return number + 1, PieceKind.OPTION if _OPTION.match(line) else PieceKind.SENTENCE


def _json_end(lines: list[str], number: int) -> int | None:
    """Return the line after a JSON value that begins with this line, or None if none does.

    Brackets are not counted: the value ends where its closing bracket begins a line.
    """
    bare = lines[number].strip()
    closing = _BRACKETS.get(bare[:1])
    if closing is None:
        return None
    if len(bare) > 1 and bare.endswith(closing):
        return number + 1
    indent = len(lines[number]) - len(lines[number].lstrip())
    for end in range(number + 1, min(len(lines), number + _MAX_BLOCK_LINES)):
        line = lines[end]
        if line.strip().startswith(closing) and len(line) - len(line.lstrip()) <= indent:
            return end + 1
    return None


def _sentences(line: str) -> list[str]:
    """Cut a line after its sentences; none ends inside quotation marks."""
    cuts, is_quoted = [], False
    tracks_quotes = line.count('"') % 2 == 0 and (
        sum(map(line.count, _OPENING)) == sum(map(line.count, _CLOSING))
    )
    for stop in _STOP.finditer(line):
        mark, end = stop[0], stop.end()
        if mark in '"\u201c\u201d\u300c\u300d':
            closes = is_quoted if mark == '"' else mark in _CLOSING
            is_quoted = tracks_quotes and not closes
            is_end = closes and line[stop.start() - 1] in ".!?" and line[end : end + 1].isspace()
        else:
            is_end = not is_quoted and not _is_abbreviation(line, stop)
        if is_end:
            while line[end : end + 1].isspace():
                end += 1
            cuts.append(end)
    borders = [0, *(cut for cut in cuts if cut < len(line)), len(line)]
    return [line[start:end] for start, end in pairwise(borders)]


def _is_abbreviation(line: str, stop: re.Match[str]) -> bool:
    before = line[max(0, stop.start() - 8) : stop.start() + 1]
    return stop[0] == "." and _ABBREVIATION.search(before) is not None
