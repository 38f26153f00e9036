"""Find in a section the place that says what a note says.

"Word for word" means the same words in the same order; case, spacing and punctuation aside, so
that a line break or a thousands separator hides nothing. Texts are compared by the positions of
their rare words, never character by character: a section of 32K tokens takes milliseconds.
"""

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from longloom.memory.words import is_telling, is_unspaced, word_spans, words_of

_MAX_PLACES = 200
"""Places of a phrase that are looked at."""
_MAX_RARE_PLACES = 64
"""A word with more places tells little of one."""
_WINDOW_WORDS = 40
"""Words that are taken for one place."""
_SIDE_CHARACTERS = 240
"""The most that a quote is widened to its sentence on each side."""
_MAX_QUOTE_CHARACTERS = 1_200
_BORDER = re.compile(
    r"[.!?\u2026][\"')\]\u201d\u2019]{0,3}\s+|[\u3002\uff01\uff1f]|\n[^\S\n]{0,40}\n\s*|\n(?![a-z])"
)
_SPACE = re.compile(r"\s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Words of a section that stand together."""

    first: int
    """The first word."""
    last: int
    """The last word."""
    support: float
    """How much of what was looked for stands there, 0 to 1."""

    @property
    def num_words(self) -> int:
        """Words of the place."""
        return self.last - self.first + 1


class SectionWords:
    """The words of one section of a text and where they stand."""

    def __init__(self, text: str, start: int, end: int, *, sought: Collection[str]) -> None:
        """Take the section from `start` to `end` of `text`, and all words ever looked for."""
        self._text = text
        self._start = start
        self._end = end
        self._words = words_of(text[start:end])
        self._places_by_word: dict[str, list[int]] = {}
        for place, word in [found for found in enumerate(self._words) if found[1] in sought]:
            self._places_by_word.setdefault(word, []).append(place)

    def weights(self, words: Collection[str]) -> dict[str, float]:
        """Return how much each telling word tells of a place here; words that are absent tell 1."""
        num_words = len(self._words) + 1
        whole = math.log(1 + num_words)
        return {
            word: math.log(1 + num_words / max(1, len(self._places_by_word.get(word, ())))) / whole
            for word in sorted(words)
            if is_telling(word)
        }

    def phrase(self, words: Sequence[str], weights: Mapping[str, float]) -> Place | None:
        """Return where `words` stand word for word, best supported by others around them.

        Of places supported alike, the one whose supporting words stand nearest.
        """
        if not words:
            return None
        rarest = min(range(len(words)), key=lambda at: len(self._places_by_word.get(words[at], ())))
        best: Place | None = None
        nearest = -1.0
        sought = list(words)
        for place in self._places_by_word.get(words[rarest], ())[:_MAX_PLACES]:
            first = place - rarest
            if first < 0 or self._words[first : first + len(sought)] != sought:
                continue
            last = first + len(sought) - 1
            support = self._support(first, last, weights)
            if best is not None and support < best.support:
                continue
            nearness = self._nearness(first, last, weights)
            if best is None or (support, nearness) > (best.support, nearest):
                best, nearest = Place(first=first, last=last, support=support), nearness
        return best

    def longest_run(self, words: Sequence[str], weights: Mapping[str, float]) -> Place | None:
        """Return the longest run of `words` that stands here word for word."""
        ends: dict[int, int] = {}
        best_end, best_length = 0, 0
        for word in words:
            places = self._places_by_word.get(word, ())
            if len(places) <= _MAX_RARE_PLACES:
                ends = {place: ends.get(place - 1, 0) + 1 for place in places}
            else:  # a frequent word goes on with runs and begins none
                ends = {
                    place + 1: length + 1
                    for place, length in ends.items()
                    if place + 1 < len(self._words) and self._words[place + 1] == word
                }
            for place, length in ends.items():
                if length > best_length:
                    best_end, best_length = place, length
        if not best_length:
            return None
        first = best_end - best_length + 1
        return Place(first=first, last=best_end, support=self._support(first, best_end, weights))

    def likest(self, weights: Mapping[str, float]) -> Place | None:
        """Return the words that hold most of what is looked for, each word counted once."""
        hits = sorted(
            (place, word)
            for word in weights
            if len(places := self._places_by_word.get(word, ())) <= _MAX_PLACES
            for place in places
        )
        counts: dict[str, int] = {}
        best, best_weight, weight, oldest = (0, 0), 0.0, 0.0, 0
        for place, word in hits:
            counts[word] = counts.get(word, 0) + 1
            weight += weights[word] if counts[word] == 1 else 0.0
            while hits[oldest][0] < place - _WINDOW_WORDS:
                left = hits[oldest][1]
                counts[left] -= 1
                weight -= weights[left] if counts[left] == 0 else 0.0
                oldest += 1
            if weight > best_weight + 1e-9:
                best, best_weight = (hits[oldest][0], place), weight
        total = sum(weights.values())
        if best_weight <= 0 or total <= 0:
            return None
        return Place(first=best[0], last=best[1], support=min(1.0, best_weight / total))

    def span(self, place: Place) -> tuple[int, int]:
        """Return the characters of a place in the text, widened to its sentence."""
        start, end = self._characters(place)
        if end - start >= _MAX_QUOTE_CHARACTERS:
            return start, _last_space(self._text, start, start + _MAX_QUOTE_CHARACTERS)
        return self._sentence_start(start), self._sentence_end(end)

    def num_telling(self, place: Place) -> int:
        """Return how many different telling words a place has."""
        return len({word for word in self._words[place.first : place.last + 1] if is_telling(word)})

    def num_unspaced(self, place: Place) -> int:
        """Return how many characters of scripts without spaces a place has."""
        return sum(is_unspaced(word) for word in self._words[place.first : place.last + 1])

    def _support(self, first: int, last: int, weights: Mapping[str, float]) -> float:
        near = set(self._words[max(0, first - _WINDOW_WORDS // 2) : last + 1 + _WINDOW_WORDS // 2])
        total = sum(weights.values())
        return sum(weight for word, weight in weights.items() if word in near) / (total or 1.0)

    def _nearness(self, first: int, last: int, weights: Mapping[str, float]) -> float:
        """Return the weights of the words around a place, each less the farther it stands."""
        reach = _WINDOW_WORDS // 2
        by_word: dict[str, float] = {}
        for at in range(max(0, first - reach), min(len(self._words), last + 1 + reach)):
            word = self._words[at]
            if word in weights:
                distance = max(first - at, at - last, 0)
                by_word[word] = max(by_word.get(word, 0.0), weights[word] / (1 + distance))
        return sum(by_word.values())

    def _characters(self, place: Place) -> tuple[int, int]:
        spans = islice(word_spans(self._text, self._start, self._end), place.first, None)
        start, end = next(spans)
        if place.last > place.first:
            _, end = next(islice(spans, place.last - place.first - 1, None))
        return start, end

    def _sentence_start(self, start: int) -> int:
        low = max(self._start, start - _SIDE_CHARACTERS)
        before = self._text[low:start]
        borders = list(_BORDER.finditer(before))
        if borders:
            low += borders[-1].end()
        elif low > self._start and (space := _SPACE.search(before)):
            low += space.end()
        while low < start and self._text[low].isspace():
            low += 1
        return low

    def _sentence_end(self, end: int) -> int:
        high = min(self._end, end + _SIDE_CHARACTERS)
        border = _BORDER.search(self._text, end, high)
        if border:
            high = border.end()
        elif high < self._end:
            high = _last_space(self._text, end, high)
        while high > end and self._text[high - 1].isspace():
            high -= 1
        return high


def _last_space(text: str, start: int, end: int) -> int:
    """Return the last white space before `end`, or `end` where there is none."""
    spaces = list(islice(_SPACE.finditer(text, max(start, end - 80), end), 80))
    return spaces[-1].start() if spaces else end
