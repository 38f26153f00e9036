"""Readings: whether the texts of a context bear out what a model read in one of them.

A model that read "founded by Ada Stone" may have passed over "and Bo Wren", or the other document
that says somebody else founded it. So a reading is followed only if its value is not one of a
list, no other fact of the subject states another value under a like name, and no sentence that
names the subject speaks of the relation without the value. In doubt the question is not asked.
"""

import re
from collections.abc import Iterator, Mapping

from longloom.records import Document
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.generators.prose_relations import (
    ANY_KIND,
    PROSE_PREFIX,
    is_read,
    may_be_same,
)
from longloom.synthesis.programs.world import World

_COMMON_WORDS = frozenset(
    (
        *("amount", "and", "are", "at", "by", "city", "country", "date", "day", "for", "from"),
        *("has", "in", "is", "its", "location", "main", "month", "name", "near", "number", "of"),
        *("on", "place", "the", "title", "to", "total", "town", "was", "were", "with", "year"),
    )
)
"""Words of labels that say nothing of what is meant: `place of birth`, `place of death`."""
_WORD = re.compile(r"[^\W\d_]+")
_LISTED_AFTER = re.compile(r"(?:,|,? and|,? or| &)\s+(?:the |a |an )?[A-Z\d]")
_PLACES_AFTER = re.compile(r"(?:,\s+[A-Z][\w .'-]{0,30}){0,3}(?:,? and|,? or| &)\s+(?:the )?[A-Z]")
"""`Orrin, Wales` is one place; `Orrin, Pelham and Quarn` are three."""
_LISTED_BEFORE = re.compile(r"(?:[A-Z][\w.'-]*|\d{4})(?:,|,? and|,? or| &)\s+(?:the |a |an )?$")
_ANOTHER_DATE = re.compile(r",? (?:and|or|to|but) (?:\w+ ){0,2}\d")
_SENTENCE_END = re.compile(r"[.!?][\"')\]]*\s+(?=[A-Z\"'(\[])|\n\s*\n")
_STEM_CHARACTERS = 5
_MIN_STEM_CHARACTERS = 3
_AROUND_CHARACTERS = 60
_MAX_MENTIONS = 200
"""Sentences looked at in one document; a name that stands oftener is looked at no further."""


class Readings:
    """What texts say about the facts that a model read in them."""

    def __init__(
        self, world: World, documents: Mapping[str, Document], folded: Mapping[str, str]
    ) -> None:
        self._folded = folded
        self._world = world
        self._documents = documents
        self._by_subject: dict[str, list[Fact]] | None = None
        self._known: dict[Fact, bool] = {}
        self._sentences: dict[str, list[tuple[str, frozenset[str]]]] = {}

    def is_undisputed(self, fact: Fact) -> bool:
        """Return whether no text or fact gives another value of a relation than this."""
        if fact not in self._known:
            self._known[fact] = self._decide(fact)
        return self._known[fact]

    def _decide(self, fact: Fact) -> bool:
        stated = self._world.facts_of(fact.subject, fact.relation)
        if len({(other.value, other.unit) for other in stated}) > 1 or self._is_listed(fact):
            return False
        if not fact.relation.startswith(PROSE_PREFIX):
            return True
        stems = _stems(fact.label) - _stems(fact.subject)
        if any(self._contradicts(other, fact, stems) for other in self._facts_about(fact.subject)):
            return False
        return not self._is_said_otherwise(fact, stems)

    def _facts_about(self, subject: str) -> list[Fact]:
        if self._by_subject is None:
            self._by_subject = {}
            spoken_of = {fact.subject for fact in self._world.facts if is_read(fact)}
            for fact in self._world.facts:
                if fact.subject in spoken_of:
                    self._by_subject.setdefault(fact.subject, []).append(fact)
        return self._by_subject.get(subject, [])

    def _contradicts(self, other: Fact, fact: Fact, stems: frozenset[str]) -> bool:
        """Return whether a fact states another value under a name that may mean the same."""
        if other.relation == fact.relation or other.value == fact.value:
            return False
        if not _may_be_alike(other.value_kind, fact.value_kind):
            return False
        name = other.label or other.relation.rpartition(".")[2].replace("_", " ")
        return bool(stems & _stems(name)) or _shape(name) == _shape(fact.label)

    def _is_listed(self, fact: Fact) -> bool:
        """Return whether the value stands in a list: `by Ada Stone and Bo Wren`."""
        document = self._documents.get(fact.doc_id)
        if document is None:
            return False
        after = document.text[fact.end : fact.end + _AROUND_CHARACTERS]
        if fact.value_kind in ("date", "number"):
            return bool(_ANOTHER_DATE.match(after))
        if fact.value_kind == "place":
            return bool(_PLACES_AFTER.match(after))
        before = document.text[max(0, fact.start - _AROUND_CHARACTERS) : fact.start]
        return bool(_LISTED_AFTER.match(after) or _LISTED_BEFORE.search(before))

    def _is_said_otherwise(self, fact: Fact, stems: frozenset[str]) -> bool:
        """Return whether a sentence names the subject and the relation but not the value."""
        source = self._documents.get(fact.doc_id)
        shown = source.text[fact.start : fact.end].casefold() if source else ""
        accepted = {fact.value.casefold(), shown} - {""}
        return any(
            stems & spoken and not any(value in sentence for value in accepted)
            for sentence, spoken in self._sentences_on(fact.subject)
        )

    def _sentences_on(self, subject: str) -> list[tuple[str, frozenset[str]]]:
        """Return all sentences that name a subject, in small letters, with their stems."""
        if subject not in self._sentences:
            bare = re.sub(r"^[Tt]he ", "", subject)
            self._sentences[subject] = [
                (sentence.casefold(), _stems(sentence))
                for doc_id, document in self._documents.items()
                if bare.casefold() in self._folded[doc_id]
                for sentence in _sentences_naming(document.text, bare)
            ]
        return self._sentences[subject]


def _sentences_naming(text: str, name: str) -> Iterator[str]:
    """Yield the sentences in which a name stands as whole words."""
    pattern = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", re.IGNORECASE)
    start = num_found = 0
    while num_found < _MAX_MENTIONS and (mention := pattern.search(text, start)):
        num_found += 1
        first = max(0, mention.start() - 400)
        before = list(_SENTENCE_END.finditer(text, first, mention.start()))
        ending = _SENTENCE_END.search(text, mention.end(), mention.end() + 400)
        end = ending.start() + 1 if ending else mention.end() + 400
        yield text[before[-1].end() if before else first : end]
        start = max(end, mention.end())


def _may_be_alike(kind: str, other: str) -> bool:
    """Return whether values of two kinds can contradict each other."""
    if kind == other:
        return True
    if {kind, other} & {"date", "number"}:
        return False
    return bool({kind, other} & {ANY_KIND, "text", "page"}) or may_be_same(" ", kind, other)


def _stems(text: str) -> frozenset[str]:
    """Return how the telling words of a text begin: `founder` and `founded` begin alike."""
    return frozenset(
        word[:_STEM_CHARACTERS]
        for word in _WORD.findall(text.casefold())
        if word not in _COMMON_WORDS and len(word) >= _MIN_STEM_CHARACTERS
    )


def _shape(name: str) -> frozenset[str]:
    """Return the words of a name, in any order."""
    return frozenset(_WORD.findall(name.casefold()))
