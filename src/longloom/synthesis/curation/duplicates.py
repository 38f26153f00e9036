"""Exact and near duplicates."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicates:
    """What repeats what."""

    dropped: Mapping[str, str]
    """Reasons by id."""
    near_copies: Mapping[str, frozenset[str]]
    """Similar documents by id."""


def signature_of(text: str) -> tuple[int, ...]:
    """Return the MinHash signature of a text."""
    return ()


def find_duplicates(
    signatures: Mapping[str, tuple[int, ...]],
    text_of: Callable[[str], str],
    *,
    similarity: float,
    near_similarity: float,
) -> Duplicates:
    """Return duplicates and near copies."""
    return Duplicates(dropped={}, near_copies={})
