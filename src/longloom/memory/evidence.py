"""Map an answer back to the places of the document that it rests on.

    memory after every section -> notes with the sections they came from
    answer -> notes that support it -> their sections -> places, checked word for word

Nothing is asked of the model: a note (a line or sentence of the memory) came from the section
after which it first appeared, or gained words. Marks such as `[c17]` that a model writes count
first. What it leaves out: an answer that no note shares a telling word with, such as a bare yes,
has no citation.
"""

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from longloom.memory.answer_phrases import answer_phrases
from longloom.memory.notes import Note, TrackedNotes, holds
from longloom.memory.quotes import Place, SectionWords
from longloom.memory.words import is_telling, is_unspaced, words_of
from longloom.records import Citation, Context
from longloom.text.sections import Section

_MAX_CITATIONS = 5
_MAX_NOTES = 12
"""Notes whose sections are searched."""
_MAX_SECTIONS = 16
"""Sections that are searched for one answer."""
_MAX_WHOLE_NOTES = 4
"""Notes in whose sections the whole answer is looked for."""
_MAX_ANSWER_WORDS = 1_000
_RUN_WORDS = 4
"""So many words in a row, two of them telling, stand nowhere by chance."""
_RUN_UNSPACED = 8
"""The same for scripts without spaces, in characters."""
_LONG_RUN_WORDS = 12
_STRONG_UNSPACED = 3
_LIKE_FRACTION = 0.3
"""Share of a note's weight that must stand together for a place to be like it."""
_ENOUGH_SUPPORT = 0.6
"""A note's other sections are not searched once this much of it was found."""

_QUOTED = re.compile(
    r"[\"\u201c\u201e\u00ab\u300c]([^\"\u201c\u201d\u00ab\u00bb\u300d]{8,600})"
    r"[\"\u201d\u201c\u00bb\u300d]"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A place that may be cited."""

    section: int
    place: Place
    is_verified: bool
    score: float

    @property
    def rank(self) -> tuple[bool, float]:
        """What stands word for word goes before all that is only alike."""
        return self.is_verified, self.score


class Notes:
    """Follows the memory of one reading and says where an answer came from."""

    def __init__(self) -> None:
        self._notes = TrackedNotes()

    def update(self, memory: str, section_index: int) -> None:
        """Take the memory after a section was read; lines that stayed cost a look-up.

        Args:
            memory: the whole memory after the section.
            section_index: place of the section in the `sections` of `cite`, from 0.
        """
        self._notes.update(memory, section_index)

    def cite(
        self, answer: str, sections: Sequence[Section], context: Context
    ) -> tuple[Citation, ...]:
        """Return the places of the context that support `answer`, the best first.

        Args:
            answer: what was answered, without thinking.
            sections: the sections that were read, in order, in context coordinates.
            context: the text they were cut from.
        """
        phrases = answer_phrases(answer)
        notes = self._notes.supporting(answer, phrases, _MAX_NOTES)
        search = _Search(context.text, sections, notes, answer)
        found = [search.whole(), *(search.note(note, phrases, share) for note, share in notes)]
        return _citations([place for place in found if place], search, context)


class _Search:
    """Looks for notes in the sections they came from; a section is cut into words once."""

    def __init__(
        self,
        text: str,
        sections: Sequence[Section],
        notes: Sequence[tuple[Note, float]],
        answer: str,
    ) -> None:
        self._text = text
        self._sections = sections
        self._notes = notes
        self._answer = words_of(answer)[:_MAX_ANSWER_WORDS]
        self._sought = {*self._answer, *(word for note, _ in notes for word in note.words)}
        self._words_by_section: dict[int, SectionWords] = {}

    def note(self, note: Note, phrases: Sequence[tuple[str, ...]], share: float) -> _Found | None:
        """Return the best place of a note: word for word where there is one, else the likest."""
        exact = [phrase for phrase in phrases if holds(note.words, phrase)]
        exact += [tuple(words_of(quote)) for quote in _QUOTED.findall(note.text)]
        best: _Found | None = None
        for section in note.sections:
            words = self._words(section)
            if words is None:
                continue
            weights = words.weights(note.telling)
            place, is_verified = _verified(words, note, exact, weights), True
            if place is None:
                place, is_verified = _likest(words, weights), False
            if place is None:
                continue
            found = _Found(
                section=section,
                place=place,
                is_verified=is_verified,
                score=place.support + share,
            )
            if best is None or found.rank > best.rank:
                best = found
            if best.is_verified and best.score >= _ENOUGH_SUPPORT + share:
                break
        return best

    def whole(self) -> _Found | None:
        """Return where a long answer stands word for word: a reply that was to be repeated."""
        if len(self._answer) < _LONG_RUN_WORDS:
            return None
        notes = (note for note, _ in self._notes[:_MAX_WHOLE_NOTES])
        best: _Found | None = None
        for section in dict.fromkeys(section for note in notes for section in note.sections):
            words = self._words(section)
            place = words.longest_run(self._answer, {}) if words else None
            if place and place.num_words >= _LONG_RUN_WORDS:
                score = 1 + place.num_words / len(self._answer)
                if best is None or score > best.score:
                    best = _Found(section=section, place=place, is_verified=True, score=score)
        return best

    def span(self, found: _Found) -> tuple[int, int]:
        """Return the characters of a place, widened to its sentence."""
        return self._words_by_section[found.section].span(found.place)

    def _words(self, section: int) -> SectionWords | None:
        if section not in self._words_by_section:
            if len(self._words_by_section) >= _MAX_SECTIONS or section >= len(self._sections):
                return None
            cut = self._sections[section]
            self._words_by_section[section] = SectionWords(
                self._text, cut.start, cut.end, sought=self._sought
            )
        return self._words_by_section[section]


def _verified(
    words: SectionWords,
    note: Note,
    exact: Sequence[tuple[str, ...]],
    weights: Mapping[str, float],
) -> Place | None:
    """Return where a phrase, else a good part of the note, stands word for word."""
    places = []
    for phrase in exact:
        place = words.phrase(phrase, weights)
        if place and (_is_strong(phrase) or _has_company(place, phrase, weights)):
            places.append(place)
    if not places:
        run = words.longest_run(note.words, weights)
        places = [run] if run and _is_long(words, run) else []
    return max(places, key=lambda place: place.support, default=None)


def _likest(words: SectionWords, weights: Mapping[str, float]) -> Place | None:
    place = words.likest(weights)
    is_like = place and place.support >= _LIKE_FRACTION and words.num_telling(place) > 1
    return place if is_like else None


def _is_strong(phrase: Sequence[str]) -> bool:
    """Whether a phrase is long enough not to stand somewhere by chance."""
    telling = [word for word in phrase if is_telling(word)]
    num_unspaced = sum(map(is_unspaced, telling))
    return num_unspaced >= _STRONG_UNSPACED if num_unspaced else len(telling) > 1


def _has_company(place: Place, phrase: Sequence[str], weights: Mapping[str, float]) -> bool:
    """Whether other words of the note stand around a phrase; always if it has no others."""
    own = sum(weights.get(word, 0.0) for word in set(phrase))
    total = sum(weights.values())
    return own >= total or place.support > own / total + 0.1


def _is_long(words: SectionWords, run: Place) -> bool:
    num_unspaced = words.num_unspaced(run)
    if num_unspaced:
        return num_unspaced >= _RUN_UNSPACED
    return run.num_words >= _RUN_WORDS and words.num_telling(run) > 1


def _citations(found: Sequence[_Found], search: _Search, context: Context) -> tuple[Citation, ...]:
    """Return the best places once each, in document coordinates."""
    starts = [part.context_start for part in context.parts]
    spans: list[tuple[int, int]] = []
    citations: list[Citation] = []
    for one in sorted(found, key=lambda one: one.rank, reverse=True):
        start, end = search.span(one)
        if any(start < other_end and other_start < end for other_start, other_end in spans):
            continue
        citation = _citation(one, start, end, starts, context)
        if all(citation.quote != other.quote for other in citations):
            spans.append((start, end))
            citations.append(citation)
        if len(citations) == _MAX_CITATIONS:
            break
    return tuple(citations)


def _citation(
    found: _Found, start: int, end: int, starts: Sequence[int], context: Context
) -> Citation:
    """Return a place in the coordinates of the document that holds most of it."""
    doc_id, shift, best_start, best_end = "", 0, start, start
    for index in range(max(0, bisect_right(starts, start) - 1), len(starts)):
        part = context.parts[index]
        if part.context_start >= end:
            break
        first = max(start, part.context_start)
        last = min(end, part.context_start + part.doc_end - part.doc_start)
        if last - first > best_end - best_start:
            doc_id, best_start, best_end = part.doc_id, first, last
            shift = part.doc_start - part.context_start
    if best_end == best_start:  # between the parts: the context is all there is
        best_end = end
    return Citation(
        doc_id=doc_id,
        start=best_start + shift,
        end=best_end + shift,
        section_index=found.section + 1,
        quote=context.text[best_start:best_end],
        is_verified=found.is_verified,
    )
