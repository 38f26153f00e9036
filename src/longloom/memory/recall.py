"""Notes of earlier memories, found by the words of a query (an idea of ReMemR1).

An update may end its plan with `<recall>words</recall>`. As the query stands in the plan, a reading
that is taken up again recalls what it would have recalled.

What it leaves out: stemming, synonyms, embeddings; words count as they are written.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from longloom.memory.overflow import first_entries
from longloom.memory.parsing import MemoryState, last_tagged
from longloom.text.prompts import EMPTY_MEMORY
from longloom.text.token_starts import TextTokens

_WORD = re.compile(r"\w+")
_MAX_QUERY_WORDS = 32
_SATURATION = 1.2
"""How soon more of the same word counts less (BM25's k1; the usual value)."""
_LENGTH_WEIGHT = 0.75
"""How much long memories are held back (BM25's b; the usual value)."""


def with_recall(state: MemoryState, response: str) -> MemoryState:
    """Return `state` with a query that `response` wrote elsewhere at the end of its plan."""
    query = last_tagged(response, "recall")
    if not query or last_tagged(state.plan, "recall") == query:
        return state
    return replace(state, plan=f"{state.plan} <recall>{query}</recall>")


class PastMemories:
    """The memories of a reading so far."""

    def __init__(self) -> None:
        """Begin without any."""
        self._words_by_memory: dict[str, Counter[str]] = {}

    def add(self, memory: str) -> None:
        """Keep a memory; one that is known already counts once."""
        if memory != EMPTY_MEMORY and memory not in self._words_by_memory:
            self._words_by_memory[memory] = Counter(_words(memory))

    def recalled(self, state: MemoryState, tokens: TextTokens, max_tokens: int) -> str:
        """Return what the plan of `state` asks for: lines of the memory that fits it best.

        Empty if the plan asks for nothing, or no earlier memory has a word of the query. The lines
        with most of the query's words are kept, in their order, up to `max_tokens`.
        """
        query = dict.fromkeys(list(_words(last_tagged(state.plan, "recall")))[:_MAX_QUERY_WORDS])
        earlier = [memory for memory in self._words_by_memory if memory != state.memory]
        if not query or not earlier:
            return ""
        weights = {word: self._rarity(word) for word in query}
        scores = [self._score(memory, weights) for memory in earlier]
        best = max(range(len(earlier)), key=lambda number: (scores[number], number))
        if scores[best] <= 0:
            return ""
        return _best_lines(earlier[best], weights, tokens, max_tokens)

    def _rarity(self, word: str) -> float:
        num_memories = len(self._words_by_memory)
        num_holding = sum(word in words for words in self._words_by_memory.values())
        return math.log(1 + (num_memories - num_holding + 0.5) / (num_holding + 0.5))

    def _score(self, memory: str, weights: dict[str, float]) -> float:
        words = self._words_by_memory[memory]
        mean_words = sum(counts.total() for counts in self._words_by_memory.values()) / len(
            self._words_by_memory
        )
        relative = words.total() / max(1.0, mean_words)
        damping = _SATURATION * (1 - _LENGTH_WEIGHT + _LENGTH_WEIGHT * relative)
        return sum(
            weight * words[word] * (_SATURATION + 1) / (words[word] + damping)
            for word, weight in weights.items()
            if words[word]
        )


def _best_lines(memory: str, weights: dict[str, float], tokens: TextTokens, max_tokens: int) -> str:
    lines = memory.split("\n")
    matches = [sum(weights.get(word, 0.0) for word in set(_words(line))) for line in lines]
    chosen: list[int] = []
    room = max_tokens
    for number in sorted(range(len(lines)), key=lambda number: -matches[number]):
        if matches[number] <= 0:
            break
        needed = tokens.count(lines[number] + "\n")
        if needed > room:
            continue
        chosen.append(number)
        room -= needed
    if not chosen:  # one long line
        best = max(range(len(lines)), key=lambda number: matches[number])
        return first_entries(lines[best], tokens, max_tokens)
    return "\n".join(lines[number] for number in sorted(chosen))


def _words(text: str) -> Iterable[str]:
    return (match[0].casefold() for match in _WORD.finditer(text))
