"""Where an answer stands in what was read."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """A place in a document that supports an answer."""

    doc_id: str
    """The document; empty if the context names none."""
    start: int
    """First character, in document coordinates (of the context where it names no document)."""
    end: int
    """One past the last character."""
    section_index: int
    """The section that holds it, from 1."""
    quote: str
    """The text there, copied."""
    is_verified: bool
    """Whether the answer or a note of the memory stands there word for word; otherwise it is the
    place most like it."""
