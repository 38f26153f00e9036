"""Documents as they are read."""

from dataclasses import dataclass
from enum import StrEnum


class DocumentKind(StrEnum):
    """The paper's five kinds of document (QwenLong-L1.5, section 3)."""

    ACADEMIC = "academic"
    CODE = "code"
    DIALOGUE = "dialogue"
    GENERAL = "general"
    PROFESSIONAL = "professional"


class BlockKind(StrEnum):
    """What a block of a document is."""

    CODE = "code"
    HEADING = "heading"
    PARAGRAPH = "paragraph"
    TABLE = "table"
    TURN = "turn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A contiguous piece of a document that is never cut when contexts are assembled."""

    kind: BlockKind
    """What the block is."""
    start: int
    """First character, in document coordinates."""
    end: int
    """One past the last character, in document coordinates."""
    level: int = 0
    """Depth of a heading, 1 for the highest; 0 for everything else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document rendered once to text; `text` is its only coordinate system."""

    doc_id: str
    """Hex digest of title and text."""
    title: str
    """Short human name, unique within a corpus (`heapq`, `reports/2021.md`)."""
    kind: DocumentKind
    """One of the paper's five kinds."""
    source: str
    """Where it was read from, without machine paths (`stdlib:heapq.py`)."""
    licence: str
    """Licence name, or `unknown`."""
    text: str
    """The rendered text: NFC, newline line ends."""
    blocks: tuple[Block, ...]
    """Blocks in order, without overlap."""
    genre: str = ""
    """What it is, more closely than its kind: `filing`, `law`, `novel`, `table`, ..."""
    date: str = ""
    """ISO date of the document itself, as far as it states one (`2024`, `2024-05-31`)."""
    may_be_altered: bool = True
    """False if its licence forbids changes; such a document is placed whole or not at all."""
