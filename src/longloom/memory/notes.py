"""The notes of a memory and the sections they came from.

Nothing is asked of the model: a note (a line or sentence of the memory) came from the section
after which it first appeared, or gained words. Marks such as `[c17]` that a model writes count
first. A rewritten note is known again by the words it shares with an earlier one; texts are never
compared character by character.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from longloom.memory.words import is_telling, words_of

_MAX_SECTIONS = 8
_FIRST_SECTIONS = 3
"""Of the sections of a note that was rewritten often, so many first ones are kept."""
_SEED_WORDS = 8
"""Rarest words of a note by which earlier ones are found."""
_MAX_POSTINGS = 64
_MAX_LIKE = 4
_SAME_FRACTION = 0.6
"""Share of the smaller note's words from which one note is a rewritten form of another."""
_MAX_NOTE_WORDS = 200
_MAX_ANSWER_WORDS = 2_000

_MARK = re.compile(r"\s?\[c\d{1,6}(?:\s?[,;-]\s?c?\d{1,6}){0,20}\]")
_NUMBER = re.compile(r"\d+")
_SENTENCE_END = re.compile(r"[.!?\u2026][\"')\]\u201d]{0,3}\s+|[\u3002\uff01\uff1f]")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Note:
    """A line or a sentence of the memory."""

    text: str
    """What it says, without marks."""
    words: tuple[str, ...]
    """Its folded words."""
    telling: frozenset[str]
    """Those that can tell one place from another; at least one."""
    sections: tuple[int, ...]
    """Where it may come from, the most trusted first, from 0."""


class TrackedNotes:
    """Follows the memory of one reading from section to section."""

    def __init__(self) -> None:
        self._notes_by_line: dict[str, tuple[Note, ...]] = {}
        self._notes_by_word: dict[str, dict[Note, None]] = {}

    def update(self, memory: str, section_index: int) -> None:
        """Take the memory after a section was read; lines that stayed cost a look-up.

        Args:
            memory: the whole memory after the section.
            section_index: place of the section among all, from 0.
        """
        lines = dict.fromkeys(line for line in memory.split("\n") if line.strip())
        kept = {line: notes for line in lines if (notes := self._notes_by_line.get(line))}
        fresh = {
            line: tuple(self._new_notes(line, section_index)) for line in lines if line not in kept
        }
        for line, notes in self._notes_by_line.items():
            if line not in kept:
                self._forget(notes)
        for notes in fresh.values():
            for note in notes:
                for word in note.telling:
                    self._notes_by_word.setdefault(word, {})[note] = None
        self._notes_by_line = {line: kept.get(line) or fresh[line] for line in lines}

    def _forget(self, notes: Iterable[Note]) -> None:
        for note in notes:
            for word in note.telling:
                holders = self._notes_by_word[word]
                holders.pop(note, None)
                if not holders:
                    del self._notes_by_word[word]

    def _new_notes(self, line: str, section_index: int) -> Iterator[Note]:
        for sentence in _sentences(line):
            marked = tuple(_marked_sections(sentence, section_index))
            text = _MARK.sub("", sentence).strip()
            words = tuple(words_of(text)[:_MAX_NOTE_WORDS])
            telling = frozenset(filter(is_telling, words))
            if telling:
                seen = self._origin(telling, section_index)
                yield Note(
                    text=text,
                    words=words,
                    telling=telling,
                    sections=tuple(dict.fromkeys((*marked, *seen))),
                )

    def _origin(self, telling: frozenset[str], section_index: int) -> tuple[int, ...]:
        """Return the sections of the notes that this one rewrites, and this one if it adds."""
        earlier = self._rewritten(telling)
        sections = dict.fromkeys(section for note in earlier for section in note.sections)
        if telling.difference(*(note.telling for note in earlier)):
            sections[section_index] = None
        kept = list(sections)
        if len(kept) > _MAX_SECTIONS:
            kept = kept[:_FIRST_SECTIONS] + kept[_FIRST_SECTIONS - _MAX_SECTIONS :]
        return tuple(kept)

    def _rewritten(self, telling: frozenset[str]) -> list[Note]:
        holders = [
            self._notes_by_word[word] for word in sorted(telling) if word in self._notes_by_word
        ]
        holders.sort(key=len)
        counts: Counter[Note] = Counter()
        for notes in holders[:_SEED_WORDS]:
            if len(notes) <= _MAX_POSTINGS or not counts:
                counts.update(dict.fromkeys(list(notes)[:_MAX_POSTINGS], 1))
        likest = []
        for note, _ in counts.most_common(_MAX_LIKE):
            num_shared = len(telling & note.telling)
            if num_shared >= _SAME_FRACTION * min(len(telling), len(note.telling)):
                likest.append(note)
        return likest

    def supporting(
        self, answer: str, phrases: Sequence[tuple[str, ...]], max_notes: int
    ) -> list[tuple[Note, float]]:
        """Return the notes that share most with the answer, with scores of 0 to 1."""
        notes = [note for line in self._notes_by_line.values() for note in line]
        told = {word for word in words_of(answer)[:_MAX_ANSWER_WORDS] if is_telling(word)}
        weights = {
            word: math.log(1 + len(notes) / len(self._notes_by_word[word]))
            for word in told
            if word in self._notes_by_word
        }
        scores = [
            (sum(sorted(weights[word] for word in note.telling & weights.keys())), note)
            for note in notes
        ]
        likely = sorted(
            ((score, note) for score, note in scores if score > 0), key=lambda one: -one[0]
        )[: 20 * max_notes]
        held = [
            (
                score
                + sum(
                    2 * sum(weights.get(word, 0.0) for word in phrase)
                    for phrase in phrases
                    if holds(note.words, phrase)
                ),
                note,
            )
            for score, note in likely
        ]
        held.sort(key=lambda one: -one[0])
        best = held[0][0] if held else 1.0
        return [(note, score / best) for score, note in held[:max_notes]]


def _sentences(line: str) -> Iterator[str]:
    start = 0
    for stop in _SENTENCE_END.finditer(line):
        yield line[start : stop.end()]
        start = stop.end()
    yield line[start:]


def _marked_sections(sentence: str, section_index: int) -> Iterator[int]:
    """Yield the sections that a model named itself, if they were read already."""
    for mark in _MARK.findall(sentence):
        for number in _NUMBER.findall(mark):
            if 1 <= int(number) <= section_index + 1:
                yield int(number) - 1


def holds(words: Sequence[str], phrase: Sequence[str]) -> bool:
    """Whether `phrase` stands in `words`, one word after the other."""
    num_words = len(phrase)
    return any(
        word == phrase[0] and tuple(words[start : start + num_words]) == tuple(phrase)
        for start, word in enumerate(words)
    )
