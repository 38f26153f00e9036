"""A statement of a document, with the place that says it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One statement of a document: `relation(subject) = value`, with the place that says it."""

    subject: str
    """What the fact is about."""
    relation: str
    """Relation name; see `facts/relations.py`."""
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
