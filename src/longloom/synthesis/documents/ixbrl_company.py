"""The name of the company that files, as its filing writes it in running text."""

import re
from collections import Counter
from html import escape, unescape

from lxml import etree

REGISTRANT = "EntityRegistrantName"
"""Concept that tags the name on the cover."""

_WORD_END = re.compile(rb"[A-Za-z0-9]*")
_SMALL_WORDS = frozenset({"and", "of", "the", "for", "in"})


def company_name(tagged: str, payload: bytes) -> str:
    """Return how a filing writes its company in running text.

    Covers shout (`APPLE INC.`) and tags may end within a word (`NVIDIA CORP`+`ORATION`): the most
    frequent spelling that is not all capitals counts, completed to the end of its word.
    """
    sought = escape(tagged, quote=False).encode().lower()
    folded = payload.lower()
    spellings: Counter[str] = Counter()
    start = folded.find(sought) if sought else -1
    while start >= 0:
        end = start + len(sought)
        word_end = _WORD_END.match(payload, end)
        end = word_end.end() if word_end else end
        spellings[unescape(payload[start:end].decode("utf-8", "replace"))] += 1
        start = folded.find(sought, end)
    mixed = [(-count, name) for name, count in spellings.items() if name != name.upper()]
    if mixed:
        return min(mixed)[1]
    if tagged != tagged.upper():
        return tagged
    words = tagged.lower().split()
    return " ".join(
        word if place and word in _SMALL_WORDS else word[:1].upper() + word[1:]
        for place, word in enumerate(words)
    )


def registrant(root: etree._Element) -> str:
    """Return the name of the company as it is tagged."""
    for element in root.iter("{*}nonNumeric"):
        if element.get("name") == f"dei:{REGISTRANT}":
            return text_of(element)
    return ""


def text_of(element: etree._Element) -> str:
    """Return the text in an element, its white space collapsed."""
    return " ".join("".join(str(piece) for piece in element.itertext()).split())
