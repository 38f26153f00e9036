"""Documents as they are read, and the facts found in them."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One statement of a document: `relation(subject) = value`, with the place that says it."""

    subject: str
    """What the fact is about."""
    relation: str
    """Relation name; see `synthesis.facts.relations`."""
    value: str
    """What is stated, as it stands in the text."""
    is_number: bool
    """Whether `value` is a number."""
    doc_id: str
    """The document that states it."""
    start: int
    """First character of the statement, in document coordinates."""
    end: int
    """One past the last character of the statement."""
    certainty: int
    """1 asserted by markup, 2 by grammar or syntax tree, 3 by a model that quoted its span."""
