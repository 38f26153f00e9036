"""What overlaps with benchmarks: documents that hold their texts, questions that are theirs.

    benchmark files -> n-grams of contexts, questions and answers, each with its owner (sorted)
    a text -> its n-grams -> how much of it the benchmark holds, how much of a context it holds

Runs of 13 words as in GPT-3 (Brown et al. 2020, appendix C), but shares of them decide and not a
single one: one clause or one notice that both share is no leak. A document is refused if

    a fifth of its 13-grams stand in benchmark contexts, or
    it holds half of the 13-grams of one context (of 62 words and more), or
    its MinHash signature agrees by 0.35 with that of a context (a copy with many small edits), or
    it holds four fifths of a question of 8 words and more, and an answer of it.

A question is refused if it has half of its 13-grams from one benchmark question, is like one by
exact Jaccard similarity of 3-word shingles (0.8; MinHash estimates no better on so few), or gives
an answer of 13 words and more of which half are a reference answer's. Short answers count only
together with their question, and questions of under 8 words only together with their answer.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from longloom.synthesis.curation.benchmark_files import BenchmarkRecord, read_benchmark
from longloom.synthesis.curation.duplicates import NUM_PERMUTATIONS, signature_of

NGRAM_WORDS = 13
MAX_DOCUMENT_FRACTION = 0.2
"""Share of a document's 13-grams that may stand in benchmark contexts."""
MAX_CONTEXT_FRACTION = 0.5
"""Share of a context's 13-grams that a document may hold."""
MAX_SIGNATURE_FRACTION = 0.35
"""Agreement of signatures; a copy with every 12th word changed keeps no run of 13 words, but 0.41
of its shingles of 5."""
MAX_HELD_QUESTION_FRACTION = 0.8
MAX_QUESTION_FRACTION = 0.5
MAX_QUESTION_SIMILARITY = 0.8
MIN_CONTEXT_NGRAMS = 50
MIN_QUESTION_WORDS = 8

_SHINGLE_WORDS = 3
_WORD = re.compile(r"\w+")
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_Hashes = NDArray[np.uint64]


def words_of(text: str) -> list[str]:
    """Return the words of a text without case and punctuation."""
    return _WORD.findall(text.casefold())


def word_hashes(words: Sequence[str]) -> _Hashes:
    """Return a 64-bit hash for each word, the same in every process."""
    return np.fromiter(map(_word_hash, words), np.uint64, len(words))


@lru_cache(maxsize=200_000)
def _word_hash(word: str) -> int:
    encoded = word.encode("utf-8", "replace")
    return int.from_bytes(hashlib.blake2b(encoded, digest_size=8).digest(), "little")


def ngram_hashes(hashes: _Hashes, num_words: int) -> _Hashes:
    """Return the distinct runs of so many words, hashed and sorted.

    A text with fewer words is one run; one without words has none.
    """
    return np.unique(_runs(hashes, num_words))


def _runs(hashes: _Hashes, num_words: int) -> _Hashes:
    num_words = min(num_words, len(hashes))
    num_runs = len(hashes) - num_words + 1 if num_words else 0
    runs = np.zeros(num_runs, np.uint64)
    for place in range(num_words):
        runs = runs * _MULTIPLIER + hashes[place : place + num_runs]
    return runs


@dataclass(frozen=True, slots=True)
class _Index:
    """Which texts hold an n-gram."""

    hashes: _Hashes
    owners: NDArray[np.int32]
    sizes: NDArray[np.int32]

    @classmethod
    def of(cls, sets: Sequence[_Hashes]) -> Self:
        sizes = np.array([len(hashes) for hashes in sets], np.int32)
        every = np.concatenate([*sets, np.empty(0, np.uint64)])
        owners = np.repeat(np.arange(len(sets), dtype=np.int32), sizes)
        order = np.argsort(every, kind="stable")
        return cls(every[order], owners[order], sizes)

    def shared(self, hashes: _Hashes) -> tuple[int, dict[int, int]]:
        """Return how many of the n-grams are known, and how many each text has of them."""
        first = np.searchsorted(self.hashes, hashes, "left")
        is_known = first < len(self.hashes)
        is_known[is_known] = self.hashes[first[is_known]] == hashes[is_known]
        if not is_known.any():
            return 0, {}
        first = first[is_known]
        last = np.searchsorted(self.hashes, hashes[is_known], "right")
        places = chain.from_iterable(map(range, first, last))
        owners, counts = np.unique(self.owners[list(places)], return_counts=True)
        return len(first), dict(zip(owners.tolist(), counts.tolist(), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A benchmark question as it is compared."""

    name: str
    words: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmarks:
    """Benchmarks that synthesis must not overlap with."""

    digest: str
    """Digest of their texts: changes when anything is decided differently because of them."""
    num_questions: int
    """Questions read."""
    num_contexts: int
    """Texts read that they are asked about."""
    _context_names: tuple[str, ...]
    _contexts: _Index
    _signatures: NDArray[np.uint32]
    _asked: tuple[_Asked, ...]
    _questions: _Index
    _heads: _Index
    _shingles: _Index
    _answer_names: tuple[str, ...]
    _answers: _Index

    @classmethod
    def load(cls, paths: Iterable[str | Path]) -> Self:
        """Read benchmark files and folders.

        Raises:
            DataError: one cannot be read or holds no questions.
        """
        return cls.of([record for path in paths for record in read_benchmark(Path(path))])

    @classmethod
    def of(cls, records: Sequence[BenchmarkRecord]) -> Self:
        """Index the texts of benchmark records."""
        contexts = list(_distinct_contexts(records))
        asked = list(_distinct_questions(records))
        context_sets = [
            ngram_hashes(word_hashes(words_of(text)), NGRAM_WORDS) for _, text in contexts
        ]
        judged = [place for place, found in enumerate(context_sets) if _is_long(found)]
        words = [word_hashes(question.words.split(" ")) for question in asked]
        answers = [
            (question.name, word_hashes(answer.split(" ")))
            for question in asked
            for answer in question.answers
            if answer.count(" ") + 1 >= NGRAM_WORDS
        ]
        signatures = [signature_of(contexts[place][1]) for place in judged]
        return cls(
            digest=_digest(records),
            num_questions=len(asked),
            num_contexts=len(contexts),
            _context_names=tuple(contexts[place][0] for place in judged),
            _contexts=_Index.of([context_sets[place] for place in judged]),
            _signatures=np.array(signatures, np.uint32).reshape(-1, NUM_PERMUTATIONS),
            _asked=tuple(asked),
            _questions=_Index.of([ngram_hashes(each, NGRAM_WORDS) for each in words]),
            _heads=_Index.of(
                [ngram_hashes(each[:MIN_QUESTION_WORDS], MIN_QUESTION_WORDS) for each in words]
            ),
            _shingles=_Index.of([ngram_hashes(each, _SHINGLE_WORDS) for each in words]),
            _answer_names=tuple(name for name, _ in answers),
            _answers=_Index.of([ngram_hashes(each, NGRAM_WORDS) for _, each in answers]),
        )

    def document_overlap(self, text: str) -> str:
        """Return why a document must not be used; empty if it may."""
        words = words_of(text)
        if len(words) < NGRAM_WORDS:
            return ""
        each = word_hashes(words)
        hashes = ngram_hashes(each, NGRAM_WORDS)
        return (
            self._shares_contexts(hashes)
            or self._looks_like_context(text)
            or self._holds_question(words, hashes, _runs(each, MIN_QUESTION_WORDS))
        )

    def question_overlap(self, question: str, answer: str) -> str:
        """Return why a question must not be used; empty if it may."""
        words = words_of(question)
        answer_words = words_of(answer)
        return self._asks_the_same(words, " ".join(answer_words)) or self._answers_the_same(
            answer_words
        )

    def _shares_contexts(self, hashes: _Hashes) -> str:
        num_known, by_context = self._contexts.shared(hashes)
        for owner, count in by_context.items():
            fraction = count / self._contexts.sizes[owner]
            if fraction >= MAX_CONTEXT_FRACTION:
                return f"benchmark: holds {fraction:.0%} of {self._context_names[owner]}"
        fraction = num_known / len(hashes)
        if num_known >= MIN_CONTEXT_NGRAMS and fraction >= MAX_DOCUMENT_FRACTION:
            most = max(by_context, key=lambda owner: (by_context[owner], -owner))
            return f"benchmark: {fraction:.0%} of it stands in {self._context_names[most]}"
        return ""

    def _looks_like_context(self, text: str) -> str:
        if not len(self._signatures):
            return ""
        agreement = (self._signatures == np.array(signature_of(text), np.uint32)).mean(axis=1)
        best = int(agreement.argmax())
        if agreement[best] < MAX_SIGNATURE_FRACTION:
            return ""
        return f"benchmark: {agreement[best]:.0%} like {self._context_names[best]}"

    def _holds_question(self, words: Sequence[str], hashes: _Hashes, heads: _Hashes) -> str:
        """Look for long questions by their 13-grams, for shorter ones by their first 8 words."""
        by_long = self._questions.shared(hashes)[1]
        candidates = {
            owner
            for owner, count in by_long.items()
            if count >= MAX_HELD_QUESTION_FRACTION * self._questions.sizes[owner]
        }
        short = set(self._heads.shared(heads)[1]) - by_long.keys()
        joined = f" {' '.join(words)} " if candidates or short else ""
        for owner in sorted(candidates | short):
            asked = self._asked[owner]
            num_words = asked.words.count(" ") + 1
            if owner in short and not (
                MIN_QUESTION_WORDS <= num_words < NGRAM_WORDS and f" {asked.words} " in joined
            ):
                continue
            if not asked.answers or any(f" {answer} " in joined for answer in asked.answers):
                return f"benchmark: holds a question of {asked.name}"
        return ""

    def _asks_the_same(self, words: Sequence[str], answer: str) -> str:
        if not words:
            return ""
        each = word_hashes(words)
        if len(words) >= NGRAM_WORDS:
            hashes = ngram_hashes(each, NGRAM_WORDS)
            for owner, count in self._questions.shared(hashes)[1].items():
                if count >= MAX_QUESTION_FRACTION * len(hashes):
                    return f"benchmark: asks {count / len(hashes):.0%} of {self._asked[owner].name}"
        shingles = ngram_hashes(each, _SHINGLE_WORDS)
        for owner, count in self._shingles.shared(shingles)[1].items():
            union = len(shingles) + int(self._shingles.sizes[owner]) - count
            asked = self._asked[owner]
            if count < MAX_QUESTION_SIMILARITY * union:
                continue
            if len(words) >= MIN_QUESTION_WORDS or answer in asked.answers:
                return f"benchmark: {count / union:.0%} like {asked.name}"
        return ""

    def _answers_the_same(self, words: Sequence[str]) -> str:
        if len(words) < NGRAM_WORDS:
            return ""
        hashes = ngram_hashes(word_hashes(words), NGRAM_WORDS)
        for owner, count in self._answers.shared(hashes)[1].items():
            if count >= MAX_QUESTION_FRACTION * len(hashes):
                return f"benchmark: its answer is that of {self._answer_names[owner]}"
        return ""


def _is_long(hashes: _Hashes) -> bool:
    return len(hashes) >= MIN_CONTEXT_NGRAMS


def _distinct_contexts(records: Iterable[BenchmarkRecord]) -> Iterable[tuple[str, str]]:
    names: dict[str, str] = {}
    for record in records:
        for text in record.contexts:
            names.setdefault(text, record.name)
    return ((name, text) for text, name in names.items())


def _distinct_questions(records: Iterable[BenchmarkRecord]) -> Iterable[_Asked]:
    found: dict[tuple[str, tuple[str, ...]], str] = {}
    for record in records:
        for asked in record.questions:
            words = " ".join(words_of(asked.question))
            answers = (" ".join(words_of(answer)) for answer in asked.answers)
            kept = tuple(dict.fromkeys(answer for answer in answers if answer))
            if words:
                found.setdefault((words, kept), record.name)
    return (
        _Asked(name=name, words=words, answers=answers) for (words, answers), name in found.items()
    )


def _digest(records: Iterable[BenchmarkRecord]) -> str:
    digest = hashlib.sha256()
    for record in records:
        questions = [[asked.question, *asked.answers] for asked in record.questions]
        line = json.dumps([record.name, questions, record.contexts])
        digest.update(line.encode() + b"\n")
    return digest.hexdigest()[:32]


@lru_cache(maxsize=1)
def load_benchmarks(paths: tuple[str, ...]) -> Benchmarks:
    """Return what is not to be trained on; read once in a process.

    Raises:
        DataError: a path cannot be read as a benchmark.
    """
    return Benchmarks.load(paths)
