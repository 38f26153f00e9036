"""The documents contexts are drawn from, and which of them belong together."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from longloom.records import Document, Split
from longloom.synthesis.facts.fact import PLAIN_VALUES, Fact

_MAX_SHARING = 25
"""A name in more documents than this links none of them."""
_MAX_NEIGHBOURS = 40


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CollectionDocument:
    """A document that may stand in contexts."""

    document: Document
    """The document."""
    block_tokens: tuple[float, ...]
    """Tokens of each block with the blank line that follows it."""
    facts: tuple[Fact, ...]
    """Its facts."""
    split: Split
    """Held-out documents stand in held-out contexts only."""
    near_copies: frozenset[str] = frozenset()
    """Documents too similar to stand beside it."""

    @property
    def doc_id(self) -> str:
        """The document's id."""
        return self.document.doc_id

    @classmethod
    def of(cls, document: Document) -> Self:
        """Return a document alone, for laying out a context that is known already."""
        return cls(document=document, block_tokens=(), facts=(), split=Split.TRAIN)


class Collection:
    """Documents with their links: names that one states and another is about or states too."""

    def __init__(self, entries: Sequence[CollectionDocument]) -> None:
        self.entries = tuple(entries)
        self.entry_by_id: Mapping[str, CollectionDocument] = {
            entry.doc_id: entry for entry in entries
        }
        self.num_tokens_by_id: Mapping[str, float] = {
            entry.doc_id: sum(entry.block_tokens) for entry in entries
        }
        self._neighbours = _neighbours(self.entries)

    @property
    def genres(self) -> tuple[str, ...]:
        """Genres of the documents, in alphabetical order."""
        return tuple(sorted({entry.document.genre for entry in self.entries}))

    def neighbours(self, doc_id: str) -> tuple[str, ...]:
        """Return the documents linked with one, most strongly linked first."""
        return self._neighbours.get(doc_id, ())


def _neighbours(entries: Iterable[CollectionDocument]) -> dict[str, tuple[str, ...]]:
    """Return linked documents: each shared name counts by how few documents share it."""
    documents_by_name: dict[str, dict[str, None]] = defaultdict(dict)
    for entry in entries:
        for name in _names(entry.facts):
            documents_by_name[name][entry.doc_id] = None
    strength: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for sharing in documents_by_name.values():
        if not 2 <= len(sharing) <= _MAX_SHARING:
            continue
        weight = 1 / (len(sharing) - 1)
        for first in sharing:
            for second in sharing:
                if first != second:
                    strength[first][second] += weight
    return {
        doc_id: tuple(sorted(counts, key=lambda other: (-counts[other], other))[:_MAX_NEIGHBOURS])
        for doc_id, counts in strength.items()
    }


def _names(facts: Iterable[Fact]) -> dict[str, None]:
    names: dict[str, None] = {}
    for fact in facts:
        names[fact.subject] = None
        if fact.value_kind not in PLAIN_VALUES:
            names[fact.value] = None
    return names
