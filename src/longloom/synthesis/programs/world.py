"""The facts of one context, with look-up by key, by value and by document."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TypeVar

from longloom.synthesis.facts.fact import Fact

KeyT = TypeVar("KeyT")

_NONE: tuple[Fact, ...] = ()


class World:
    """What the documents of a context state, and nothing else.

    Facts keep the order of the context: by document, then by span. `without` and `only` give
    worlds with fewer documents; they share the look-ups, so they cost nothing to make.
    """

    __slots__ = ("_by_key", "_by_relation", "_by_value", "_facts_by_document", "_visible")

    def __init__(self, facts_by_document: Mapping[str, Sequence[Fact]]) -> None:
        """Take the facts of every document, in the order of the context."""
        ordered = {
            doc_id: tuple(sorted(facts, key=lambda fact: (fact.start, fact.end, fact.relation)))
            for doc_id, facts in facts_by_document.items()
        }
        self._facts_by_document = ordered
        self._visible: Collection[str] = ordered.keys()
        every = [fact for facts in ordered.values() for fact in facts]
        self._by_key = _grouped(every, lambda fact: (fact.subject, fact.relation))
        self._by_value = _grouped(every, lambda fact: (fact.relation, fact.value))
        self._by_relation = _grouped(every, lambda fact: fact.relation)

    @property
    def documents(self) -> tuple[str, ...]:
        """The documents of the world, in the order of the context."""
        return tuple(doc_id for doc_id in self._facts_by_document if doc_id in self._visible)

    @property
    def facts(self) -> tuple[Fact, ...]:
        """Every fact, in order."""
        return tuple(fact for doc_id in self.documents for fact in self._facts_by_document[doc_id])

    @property
    def relations(self) -> tuple[str, ...]:
        """Names of the relations that are stated, in order of first appearance."""
        return tuple(name for name in self._by_relation if self.facts_with(name))

    def facts_of(self, subject: str, relation: str) -> tuple[Fact, ...]:
        """Return what is stated of a subject."""
        return self._seen(self._by_key.get((subject, relation), _NONE))

    def facts_naming(self, relation: str, value: str) -> tuple[Fact, ...]:
        """Return the facts with this relation and value: the inverse of `facts_of`."""
        return self._seen(self._by_value.get((relation, value), _NONE))

    def facts_with(self, relation: str) -> tuple[Fact, ...]:
        """Return every fact of a relation."""
        return self._seen(self._by_relation.get(relation, _NONE))

    def facts_in(self, doc_id: str) -> tuple[Fact, ...]:
        """Return the facts of one document."""
        return self._facts_by_document.get(doc_id, _NONE) if doc_id in self._visible else _NONE

    def without(self, doc_ids: Iterable[str]) -> "World":
        """Return the world without some documents."""
        return self._narrowed(frozenset(self._visible).difference(doc_ids))

    def only(self, doc_ids: Iterable[str]) -> "World":
        """Return the world of some of its documents."""
        return self._narrowed(frozenset(self._visible).intersection(doc_ids))

    def _narrowed(self, visible: frozenset[str]) -> "World":
        narrowed = object.__new__(World)
        narrowed._facts_by_document = self._facts_by_document
        narrowed._by_key = self._by_key
        narrowed._by_value = self._by_value
        narrowed._by_relation = self._by_relation
        narrowed._visible = visible
        return narrowed

    def _seen(self, facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
        if len(self._visible) == len(self._facts_by_document):
            return facts
        return tuple(fact for fact in facts if fact.doc_id in self._visible)


def _grouped(facts: Iterable[Fact], key_of: Callable[[Fact], KeyT]) -> dict[KeyT, tuple[Fact, ...]]:
    groups: dict[KeyT, list[Fact]] = {}
    for fact in facts:
        groups.setdefault(key_of(fact), []).append(fact)
    return {key: tuple(group) for key, group in groups.items()}
