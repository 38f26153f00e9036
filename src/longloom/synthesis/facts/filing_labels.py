"""How a filing words the concepts of its tagged amounts."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import lru_cache

from longloom.synthesis.documents.building import Mark
from longloom.synthesis.documents.ixbrl_numbers import split_words

_LABEL_BY_CONCEPT = {
    "EntityCommonStockSharesOutstanding": "Shares of common stock outstanding",
    "EntityPublicFloat": "Aggregate market value of stock held by non-affiliates",
}
_FOOTNOTE = re.compile(
    r"\s*(?:\((?:\d{1,2}|[a-z]|see note[^)]{0,20}|note[^)]{0,20})\)|\[(?:\d+|[a-z])\]|[*\u2020])+$",
    re.IGNORECASE,
)
_WHEN = re.compile(
    r"[,\s\u2013-]*(?:(?:at |as of )?(?:the )?(?:beginning|end|start|ending) of (?:the )?"
    r"(?:year|period|quarter)|(?:beginning|ending) balances?|"
    r"(?:at |as of )?(?:january|december|june|september|march) \d).*$",
    re.IGNORECASE,
)
_UNWORDED = re.compile(
    r"Year(?:One|Two|Three|Four|Five)|AfterYear|NextTwelveMonths|NextFiscalYear|Remainder"
)
"""Maturities by year, which a filing gives by date."""
_STANDARD_NAMESPACES = frozenset({"us-gaap", "dei", "srt", "ecd", "cyd"})
_MAX_CONCEPT_WORDS = 8
_GENERIC = re.compile(
    r"(?:sub)?total|other(?:, net)?|others?|net|basic|diluted|amounts?|balances?|"
    r"(?:beginning|ending|end|beginning of) .{0,12}|current|non-?current|long-term|short-term|"
    r"thereafter|federal|state|foreign|u\.s\.?|international|domestic|.{0,3}|[\d\W]+|"
    r"(?:fiscal )?(?:year )?\d{4}\b.*|"
    r"balances? (?:at|as of) .*|as of .*|"
    r"(?:jan|feb|mar|apr|may|june?|july?|aug|sep|oct|nov|dec)\w*\.? .*",
    re.IGNORECASE,
)
_DATED = re.compile(
    r"\W*(?:(?:as of|fiscal|year|balances?|total|beginning|ending)\b|\d)", re.IGNORECASE
)
_MAX_LABEL_CHARACTERS = 120


def label_by_concept(text: str, numbers: Sequence[Mark]) -> dict[str, str]:
    """Return the wording of every concept: what its rows call it, if nothing else is called so.

    Without such a row, the row with the section it stands in (`Deferred: Federal`), then the name
    of a standard concept in words; empty where nothing would be understood.
    """
    turned = {_concept_row(mark) for mark in numbers if _is_turned_round(text, mark)}
    straight = [mark for mark in numbers if _concept_row(mark) not in turned]
    bare = _row_wordings(straight, _row_label)
    sectioned = _row_wordings(straight, _sectioned_label)
    labels = {}
    for concept in dict.fromkeys(mark.attributes["concept"] for mark in numbers):
        namespace, _, name = concept.rpartition(":")
        own = bare.get(concept, "")
        if " " not in own and not name.lower().startswith(own.lower().rstrip("s")):
            own = ""
        wording = _LABEL_BY_CONCEPT.get(name) or own or sectioned.get(concept, "")
        if not wording and namespace in _STANDARD_NAMESPACES and not _UNWORDED.search(name):
            spoken = split_words(name.rstrip("0123456789").replace("Sharebased", "ShareBased"))
            wording = spoken if spoken.count(" ") < _MAX_CONCEPT_WORDS else ""
        labels[concept] = wording
    return labels


def _concept_row(mark: Mark) -> tuple[str, str]:
    return mark.attributes["concept"], mark.attributes.get("row", "")


def _is_turned_round(text: str, mark: Mark) -> bool:
    """Say whether a row words the opposite of its concept.

    `Benefit (provision) for income taxes | (7,120)` is tagged as an expense of 7,120.
    """
    is_bracketed = text[max(0, mark.start - 1) : mark.start] == "("
    name = mark.attributes["concept"].rpartition(":")[2]
    return is_bracketed and ("(" in mark.attributes.get("row", "") or "IncreaseDecrease" in name)


def _row_wordings(numbers: Sequence[Mark], wording_of: Callable[[Mark], str]) -> dict[str, str]:
    """Return the most frequent wording of every concept that no other concept shares."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    concepts: dict[str, set[str]] = defaultdict(set)
    for mark in numbers:
        label = wording_of(mark)
        if not label or len(label) > _MAX_LABEL_CHARACTERS:
            continue
        concept = mark.attributes["concept"]
        concepts[label.lower()].add(concept)
        if not mark.attributes["dimensions"]:
            counts[concept][label] += 1
    wordings = {}
    for concept, counter in counts.items():
        own = [label for label in counter if len(concepts[label.lower()]) == 1]
        if own:
            wordings[concept] = max(own, key=lambda label: counter[label])
    return wordings


def _row_label(mark: Mark) -> str:
    return _own_label(mark.attributes.get("row", ""))


@lru_cache(maxsize=4096)
def _own_label(row: str) -> str:
    label = _clean_label(row)
    return "" if _GENERIC.fullmatch(label) else label


def _sectioned_label(mark: Mark) -> str:
    label = _clean_label(mark.attributes.get("row", ""))
    section = _clean_label(mark.attributes.get("section", ""))
    is_named = label and section and any(character.isalpha() for character in label)
    return f"{section}: {label}" if is_named and not _DATED.match(label) else ""


@lru_cache(maxsize=4096)
def _clean_label(label: str) -> str:
    return _WHEN.sub("", _FOOTNOTE.sub("", label).rstrip(" :"))
