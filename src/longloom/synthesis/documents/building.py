"""Build a document: the one place where document coordinates are made.

    builder = DocumentBuilder(title="PEP 8", kind=DocumentKind.PROFESSIONAL, genre="proposal", ...)
    builder.begin(BlockKind.PARAGRAPH)
    builder.add("It was written by ")
    span = builder.add("Guido van Rossum")
    builder.mark("header", span, name="author")
    builder.end()
    reading = builder.build()

Text is stored in NFC with newline line ends. Blocks stand `BLOCK_SEPARATOR` apart, are never empty
and neither begin nor end with a line break; a text is the same with and without marks.
"""

import hashlib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

from longloom.records import Block, BlockKind, Document, DocumentKind

BLOCK_SEPARATOR = "\n\n"
"""What stands between two blocks of a document."""

Span = tuple[int, int]
"""First character and one past the last, in document coordinates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What the markup says about a span of the text."""

    name: str
    """What is said: `header`, `link`, `cell`, `number`, `reference`, `turn`, ..."""
    start: int
    """First character, in document coordinates."""
    end: int
    """One past the last character; equal to `start` for a remark on a place."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Its details, as strings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A document with what its markup says."""

    document: Document
    """The rendered document."""
    marks: tuple[Mark, ...] = ()
    """Marks in the order in which they were made."""


def clean_text(text: str) -> str:
    """Return `text` in NFC with newline line ends, without byte order mark and NUL."""
    unified = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    unified = unified.replace("\0", "")
    return unified if unified.isascii() else unicodedata.normalize("NFC", unified)


def document_id(title: str, text: str) -> str:
    """Return the id of a document: a digest of its title and text."""
    return hashlib.sha256(f"{title}\0{text}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


class DocumentBuilder:
    """Collects the pieces of one document in order."""

    def __init__(
        self,
        *,
        title: str,
        kind: DocumentKind,
        genre: str,
        source: str,
        licence: str,
        date: str = "",
        may_be_altered: bool = True,
    ) -> None:
        self.title = title
        self.kind = kind
        self.genre = genre
        self.source = source
        self.licence = licence
        self.date = date
        self.may_be_altered = may_be_altered
        self._pieces: list[str] = []
        self._length = 0
        self._blocks: list[Block] = []
        self._marks: list[Mark] = []
        self._open: tuple[BlockKind, int, int, int, int] | None = None

    @property
    def position(self) -> int:
        """The place where the next character will stand."""
        return self._length

    def begin(self, kind: BlockKind, level: int = 0) -> None:
        """Open a block; an open one is ended first."""
        self.end()
        before = (self._length, len(self._pieces), len(self._marks))
        if self._blocks:
            self._append(BLOCK_SEPARATOR)
        self._open = (kind, level, *before)

    def add(self, text: str) -> Span:
        """Append text to the open block and return where it stands.

        At the start of a block, line breaks that lead are left out.
        """
        assert self._open is not None, "add() outside of a block"
        cleaned = clean_text(text)
        if self._length == self._block_start():
            cleaned = cleaned.lstrip("\n")
        start = self._length
        self._append(cleaned)
        return start, self._length

    def mark(self, name: str, span: Span, /, **attributes: str) -> None:
        """Say something about a span."""
        self._marks.append(Mark(name=name, start=span[0], end=span[1], attributes=attributes))

    def end(self) -> None:
        """Close the open block; a block of white space alone leaves no trace."""
        if self._open is None:
            return
        kind, level, length, num_pieces, num_marks = self._open
        start = self._block_start()
        text = "".join(self._pieces[num_pieces:])[start - length :]
        self._open = None
        if not text.strip():
            del self._pieces[num_pieces:]
            del self._marks[num_marks:]
            self._length = length
            return
        kept = text.rstrip()
        if len(kept) < len(text):
            del self._pieces[num_pieces:]
            self._pieces += [BLOCK_SEPARATOR, kept] if start > length else [kept]
            self._length = start + len(kept)
            self._cut_marks(num_marks)
        self._blocks.append(Block(kind=kind, start=start, end=self._length, level=level))

    def block(self, kind: BlockKind, text: str, level: int = 0) -> Span:
        """Append a whole block and return where its text stands (an empty span if it is blank)."""
        self.begin(kind, level)
        start = self.add(text)[0]
        self.end()
        return start, max(start, self._length)

    def build(self) -> Reading:
        """Return the document; its id is a digest of title and text."""
        self.end()
        text = "".join(self._pieces)
        document = Document(
            doc_id=document_id(self.title, text),
            title=self.title,
            kind=self.kind,
            source=self.source,
            licence=self.licence,
            text=text,
            blocks=tuple(self._blocks),
            genre=self.genre,
            date=self.date,
            may_be_altered=self.may_be_altered,
        )
        return Reading(document=document, marks=tuple(self._marks))

    def _block_start(self) -> int:
        assert self._open is not None
        return self._open[2] + (len(BLOCK_SEPARATOR) if self._blocks else 0)

    def _append(self, text: str) -> None:
        if text:
            self._pieces.append(text)
            self._length += len(text)

    def _cut_marks(self, first: int) -> None:
        """Cut the marks of the block just ended to the text that is kept."""
        for place in range(first, len(self._marks)):
            mark = self._marks[place]
            if mark.end > self._length:
                self._marks[place] = Mark(
                    name=mark.name,
                    start=min(mark.start, self._length),
                    end=self._length,
                    attributes=mark.attributes,
                )
