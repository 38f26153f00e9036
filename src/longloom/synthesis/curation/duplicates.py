"""Exact and near duplicates.

    text -> words -> shingles of 5 words -> MinHash signature (rensa, 128 permutations)
    signatures -> bands that agree -> likely pairs -> exact Jaccard similarity of the shingle sets

MinHash only proposes pairs: what is dropped is what exact Jaccard similarity drops, but for pairs
that agree in no band (fewer than 1 in 10**12 at 0.8, 1 in 250 at 0.5). Documents are taken in the
order given and compared with those kept so far, so the first of its like stays; a duplicate of a
dropped document that is no duplicate of a kept one stays too. Not union-find: likeness is not
transitive, and a chain of small changes must not remove all but one.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

import numpy as np
from rensa import RMinHash

NUM_PERMUTATIONS = 128
SHINGLE_WORDS = 5

_SEED = 1
_WORD = re.compile(r"\w+")
_MISSED_FRACTION = 0.005
"""Share of the pairs at the threshold itself that bands may miss."""
_ESTIMATE_SLACK = 0.25
"""Pairs are not compared whose signatures agree by so much less than asked: 5.6 standard
deviations of 128 permutations at a similarity of 0.5."""
_SETS_IN_MEMORY = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicates:
    """What repeats what."""

    dropped: Mapping[str, str]
    """Reasons by id."""
    near_copies: Mapping[str, frozenset[str]]
    """Similar documents by id; both directions, kept documents only."""


def shingles_of(text: str) -> list[str]:
    """Return every run of 5 words, without case and punctuation; all words if there are fewer."""
    words = _WORD.findall(text.casefold())
    if len(words) < SHINGLE_WORDS:
        return [" ".join(words or text.split())]
    shifted = (islice(words, first, None) for first in range(SHINGLE_WORDS))
    return list(map(" ".join, zip(*shifted, strict=False)))


def signature_of(text: str) -> tuple[int, ...]:
    """Return the MinHash signature of a text: 128 numbers of 32 bits."""
    sketch = RMinHash(NUM_PERMUTATIONS, _SEED)
    sketch.update(shingles_of(text))
    return tuple(sketch.digest())


def jaccard(first: frozenset[str], second: frozenset[str]) -> float:
    """Return the exact Jaccard similarity of two sets that are not both empty."""
    common = len(first & second)
    return common / (len(first) + len(second) - common)


def find_duplicates(
    signatures: Mapping[str, tuple[int, ...]],
    text_of: Callable[[str], str],
    *,
    similarity: float,
    near_similarity: float,
) -> Duplicates:
    """Return which documents repeat an earlier one, and which of the others are much alike.

    Args:
        signatures: what `signature_of` gave, by id, in the order in which documents are preferred.
        text_of: finds a text by id; asked only for likely pairs.
        similarity: Jaccard similarity from which the later document is dropped.
        near_similarity: Jaccard similarity from which two kept documents are near copies.
    """
    doc_ids = list(signatures)
    kept = _KeptDocuments(list(signatures.values()), min(similarity, near_similarity))

    @lru_cache(maxsize=_SETS_IN_MEMORY)
    def shingles(place: int) -> frozenset[str]:
        return frozenset(shingles_of(text_of(doc_ids[place])))

    dropped: dict[str, str] = {}
    near_copies: dict[str, set[str]] = {}
    for place, doc_id in enumerate(doc_ids):
        near: list[str] = []
        for other in kept.likely_copies_of(place):
            found = jaccard(shingles(place), shingles(other))
            if found >= similarity:
                how = "exact" if _are_same(doc_id, doc_ids[other], text_of) else "near"
                dropped[doc_id] = f"{how} duplicate: {found:.2f} of {doc_ids[other]}"
                break
            if found >= near_similarity:
                near.append(doc_ids[other])
        else:
            kept.add(place)
            for other_id in near:
                near_copies.setdefault(doc_id, set()).add(other_id)
                near_copies.setdefault(other_id, set()).add(doc_id)
    return Duplicates(
        dropped=dropped,
        near_copies={doc_id: frozenset(others) for doc_id, others in near_copies.items()},
    )


def _are_same(first: str, second: str, text_of: Callable[[str], str]) -> bool:
    words = (_WORD.findall(text_of(doc_id).casefold()) for doc_id in (first, second))
    return next(words) == next(words)


class _KeptDocuments:
    """Finds kept documents whose signatures agree in at least one band."""

    def __init__(self, signatures: Sequence[tuple[int, ...]], threshold: float) -> None:
        self._threshold = threshold
        self._signatures = np.array(signatures, np.uint32).reshape(-1, NUM_PERMUTATIONS)
        self._buckets = _buckets(self._signatures, band_rows(threshold))
        self._kept: dict[int, list[int]] = {}

    def likely_copies_of(self, place: int) -> Iterator[int]:
        """Yield the kept documents to compare with, the first in order first."""
        found = {
            other for bucket in self._buckets[place] for other in self._kept.get(int(bucket), ())
        }
        others = np.array(sorted(found), np.int64)
        if not others.size:
            return
        agreement = (self._signatures[others] == self._signatures[place]).mean(axis=1)
        for other in others[agreement >= self._threshold - _ESTIMATE_SLACK]:
            yield int(other)

    def add(self, place: int) -> None:
        """Keep a document."""
        for bucket in self._buckets[place]:
            if bucket >= 0:
                self._kept.setdefault(int(bucket), []).append(place)


def band_rows(threshold: float) -> int:
    """Return the rows of a band: the most for which pairs at the threshold are seldom missed."""
    for rows in range(16, 1, -1):
        if (1 - threshold**rows) ** (NUM_PERMUTATIONS // rows) <= _MISSED_FRACTION:
            return rows
    return 1


def _buckets(signatures: np.ndarray, rows: int) -> np.ndarray:
    """Return a number for each band of each document; -1 where it agrees with no other."""
    num_bands = signatures.shape[1] // rows
    buckets = np.full((len(signatures), num_bands), -1, np.int64)
    num_buckets = 0
    for band in range(num_bands):
        columns = np.ascontiguousarray(signatures[:, band * rows : (band + 1) * rows])
        keys = columns.view(np.dtype((np.void, columns.itemsize * rows))).ravel()
        _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
        is_shared = counts[inverse] > 1
        buckets[is_shared, band] = inverse[is_shared] + num_buckets
        num_buckets += len(counts)
    return buckets
