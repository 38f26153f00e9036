"""One statement of a document, with the span that makes it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

PLAIN_VALUES = frozenset({"date", "number", "text"})
"""Kinds of value that name no entity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """`relation(subject) = value`, as a span of a document states it."""

    subject: str
    """What it is about, by its display name, one name an entity in the corpus: `PEP 440`."""
    relation: str
    """Name of the relation, with its genre: `pep.author`, `cell.population`."""
    value: str
    """What is stated, normalised: a name, an ISO date (`2024`, `2024-05`, `2024-05-31`), a plain
    decimal (`-1200.5`, scaled to units), or text."""
    value_kind: str
    """`date`, `number`, `text`, or the kind of entity the value names: `PEP`, `person`."""
    subject_kind: str
    """Kind of entity the subject is: `PEP`, `company`, `dialogue`."""
    doc_id: str
    """The document that states it."""
    start: int
    """First character of the span that shows the value, in document coordinates."""
    end: int
    """One past its last character."""
    certainty: int
    """1 asserted by markup, 2 by grammar or syntax tree, 3 by a model that quoted its span."""
    label: str = ""
    """How the document itself calls the relation (`Total revenues`), where that is open."""
    unit: str = ""
    """Unit of a number: `USD`, `USD/share`, `%`, `shares`; empty if none is stated."""
    scale: int = 0
    """Power of ten from the displayed number to the value (6 for millions)."""
    period_start: str = ""
    """ISO date on which a flow begins; empty for an instant."""
    period_end: str = ""
    """ISO date of an instant, or on which a flow ends (inclusive)."""
    qualifiers: tuple[tuple[str, str], ...] = ()
    """Further keys that tell it from its like, sorted: dimensions, speaker, table."""
    position: int = 0
    """Place in a sequence the document itself has: turn, row, chapter; 0 if none."""

    @property
    def key(self) -> tuple[str, str]:
        """Subject and relation."""
        return (self.subject, self.relation)


def facts_within(facts: Iterable[Fact], spans: Sequence[tuple[int, int]]) -> tuple[Fact, ...]:
    """Return the facts whose spans lie within one of the spans that are shown."""
    return tuple(
        fact
        for fact in facts
        if any(start <= fact.start and fact.end <= end for start, end in spans)
    )
