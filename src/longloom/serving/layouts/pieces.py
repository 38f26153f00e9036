"""The pieces a message is cut into, and the bounded searches that recognisers share."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

MAX_DOCUMENTS = 10_000
"""Further marks between documents are text of the last one."""
_MAX_BLANKS = 16
"""White space looked over between two tags, characters."""


class PieceKind(StrEnum):
    """What a stretch of a message is."""

    DOCUMENT = "document"
    DROPPED = "dropped"
    QUESTION = "question"


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A stretch of a message."""

    kind: PieceKind
    """What it is."""
    start: int
    """First character, in the message."""
    end: int
    """One past the last character."""
    name: str = ""
    """Of a document: what the message calls it; empty if nothing."""


def document(start: int, end: int, name: str = "") -> Piece:
    """Return a piece to read."""
    return Piece(kind=PieceKind.DOCUMENT, start=start, end=end, name=name)


def dropped(start: int, end: int) -> Piece:
    """Return a piece that neither reader nor answer needs: tags, a client's template."""
    return Piece(kind=PieceKind.DROPPED, start=start, end=end)


def question(start: int, end: int) -> Piece:
    """Return a piece of what is asked."""
    return Piece(kind=PieceKind.QUESTION, start=start, end=end)


def nonempty(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """Return the pieces that have characters."""
    return tuple(piece for piece in pieces if piece.end > piece.start)


def skip_blanks(text: str, start: int) -> int:
    """Return where the white space at `start` ends, at most a few characters on."""
    end = min(len(text), start + _MAX_BLANKS)
    while start < end and text[start].isspace():
        start += 1
    return start


def line_starts(text: str, start: int, end: int) -> Iterator[int]:
    """Yield the positions in [start, end) where a line begins; `start` counts as one."""
    yield start
    at = text.find("\n", start, end)
    while at >= 0:
        if at + 1 < end:
            yield at + 1
        at = text.find("\n", at + 1, end)


def starts_with_any(text: str, marks: Sequence[str], start: int) -> bool:
    """Whether one of `marks` stands at `start`, in any case."""
    longest = max(len(mark) for mark in marks)
    return text[start : start + longest].lower().startswith(tuple(mark.lower() for mark in marks))
