"""The documents and facts of a context with names, numbers and dates replaced.

    facts -> pseudonyms, changed values -> replacements in each text -> texts, blocks, spans, facts

Spans stay exact although texts change their length: a place between characters moves with what was
replaced before it. A replacement that cuts a span, or two that want one place, refuse the world.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from longloom.errors import DataError
from longloom.records import Document
from longloom.synthesis.checks.changed_values import ChangedValues
from longloom.synthesis.checks.pseudonyms import Pseudonyms, Replacement, rewritten
from longloom.synthesis.documents.building import document_id
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.facts.showing import shows_value
from longloom.synthesis.programs.world import World

LICENCE_NOTE = "altered: names, numbers and dates are made up"


class TwinRefusal(DataError):
    """Why an example has no exact twin; the reason is short."""


@dataclass(frozen=True)
class AlteredWorld:
    """The documents of a context with names, numbers and dates replaced; serves many questions."""

    documents: Mapping[str, Document]
    """The original documents by id."""
    world: World
    """Their facts."""
    seed: str
    """Everything is drawn from this seed."""

    @cached_property
    def texts(self) -> dict[str, str]:
        """The original texts by document."""
        return {doc_id: self.documents[doc_id].text for doc_id in self.world.documents}

    @cached_property
    def names(self) -> Pseudonyms:
        """What names are replaced by."""
        return Pseudonyms.of(self.world.facts, self.texts.values(), self.seed)

    @cached_property
    def values(self) -> ChangedValues:
        """How numbers and dates change."""
        return ChangedValues.of(self.world.facts, self.texts, self.seed)

    @cached_property
    def rewrites(self) -> dict[str, "_Rewrite"]:
        """The replacements in each document.

        Raises:
            TwinRefusal: two facts want different texts in one place.
        """
        return {
            doc_id: _Rewrite(self.texts[doc_id], self._replacements(doc_id))
            for doc_id in self.world.documents
        }

    @cached_property
    def altered_documents(self) -> dict[str, Document]:
        """The altered documents by the id of the original."""
        return {
            doc_id: self._altered(self.documents[doc_id], rewrite)
            for doc_id, rewrite in self.rewrites.items()
        }

    @cached_property
    def altered_facts(self) -> dict[Fact, Fact]:
        """The facts of the twin by the facts they stand for.

        Raises:
            TwinRefusal: a span is cut, or does not show its value.
        """
        return {fact: self._altered_fact(fact) for fact in self.world.facts}

    @cached_property
    def altered_world(self) -> World:
        """The world of the twin."""
        by_document: dict[str, list[Fact]] = {
            document.doc_id: [] for document in self.altered_documents.values()
        }
        for fact in self.altered_facts.values():
            by_document[fact.doc_id].append(fact)
        return World(by_document)

    def _replacements(self, doc_id: str) -> list[Replacement]:
        """Return what is replaced: values at their spans, dates as shown there, then names."""
        taken: dict[int, Replacement] = {}
        shown_dates: dict[str, str] = {}
        text = self.texts[doc_id]
        for fact in self.world.facts_in(doc_id):
            edit = self.values.edit(fact, self.texts)
            moved = self.names.moved(fact.value, text[fact.start : fact.end])
            if edit is None and moved is not None:
                edit = (fact.start, fact.end, moved)
            if edit is None:
                continue
            found = Replacement(start=edit[0], end=edit[1], text=edit[2])
            if taken.setdefault(found.start, found) != found:
                raise TwinRefusal("two facts change one span")
            shown = text[fact.start : fact.end]
            if fact.value_kind == "date" and len(shown) >= len("1 May 2019"):
                year = found.start - fact.start
                shown_dates[shown] = shown[:year] + found.text + shown[year + 4 :]
        _add_free(taken, _repeated_dates(text, shown_dates))
        _add_free(taken, self.names.replacements(text))
        return [taken[start] for start in sorted(taken)]

    def _altered(self, document: Document, rewrite: "_Rewrite") -> Document:
        title = self.names.applied(document.title)
        blocks = tuple(
            replace(block, start=rewrite.moved(block.start), end=rewrite.moved(block.end))
            for block in document.blocks
        )
        return replace(
            document,
            doc_id=document_id(title, rewrite.text),
            title=title,
            licence=f"{document.licence} ({LICENCE_NOTE})",
            text=rewrite.text,
            blocks=blocks,
        )

    def _altered_fact(self, fact: Fact) -> Fact:
        rewrite = self.rewrites[fact.doc_id]
        if rewrite.cuts(fact.start) or rewrite.cuts(fact.end):
            raise TwinRefusal("a span cuts a name")
        start, end = rewrite.moved(fact.start), rewrite.moved(fact.end)
        document = self.altered_documents[fact.doc_id]
        shown = document.text[start:end]
        before = self.texts[fact.doc_id][fact.start : fact.end]
        altered = replace(
            fact,
            doc_id=document.doc_id,
            start=start,
            end=end,
            subject=self.names.applied(fact.subject),
            value=shown if fact.value == before else self._altered_value(fact),
            qualifiers=tuple((name, self.names.applied(value)) for name, value in fact.qualifiers),
        )
        if fact.value_kind in ("date", "number"):
            altered = replace(altered, value=self._altered_value(fact))
        if shows_value(fact, before) and not shows_value(altered, shown):
            raise TwinRefusal("a span does not show its value any more")
        return altered

    def _altered_value(self, fact: Fact) -> str:
        if fact.value_kind in ("date", "number"):
            return self.values.value(fact.relation, fact.value)
        return self.names.applied(fact.value)


class _Rewrite:
    """A text with replacements, and where its places are afterwards."""

    def __init__(self, text: str, replacements: Sequence[Replacement]) -> None:
        self.text = rewritten(text, replacements)
        self._starts = [replacement.start for replacement in replacements]
        self._ends = [replacement.end for replacement in replacements]
        self._shifts = [0]
        for found in replacements:
            self._shifts.append(self._shifts[-1] + len(found.text) - (found.end - found.start))

    def moved(self, place: int) -> int:
        """Return where a place between characters is afterwards."""
        return place + self._shifts[bisect_right(self._ends, place)]

    def cuts(self, place: int) -> bool:
        """Tell whether a place lies within what was replaced."""
        return bisect_left(self._starts, place) > bisect_right(self._ends, place)


def _add_free(taken: dict[int, Replacement], found: Iterable[Replacement]) -> None:
    """Add replacements that overlap with none of those taken."""
    starts = sorted(taken)
    ends = [taken[start].end for start in starts]
    for replacement in found:
        if bisect_left(starts, replacement.end) <= bisect_right(ends, replacement.start):
            taken.setdefault(replacement.start, replacement)


def _repeated_dates(text: str, dates: Mapping[str, str]) -> Iterator[Replacement]:
    """Yield the places where a text repeats a changed date, as it was shown."""
    if not dates:
        return
    alternatives = "|".join(map(re.escape, sorted(dates, key=lambda date: (-len(date), date))))
    for match in re.finditer(rf"(?<!\w)(?:{alternatives})(?!\w)", text):
        yield Replacement(start=match.start(), end=match.end(), text=dates[match[0]])
