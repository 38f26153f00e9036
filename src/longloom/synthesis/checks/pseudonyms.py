"""Pseudonyms: one mapping of words and numbers of names, for texts and facts alike.

    names of the facts -> words that are proper in these texts -> a made-up word each
    `PEP 440`, `RFC 2119`: every number after the letters is moved by the same amount

Words are mapped, not whole names: `Ada Byron`, `Byron` and `BYRON` stay one person wherever they
stand, and a name inside a longer one needs no rule. A word counts as proper if the texts write it
with a capital at least three times as often as without; ordinary words of names (`General`,
`Business`) stay, so a name of ordinary words alone is not hidden. Nicknames, brands and addresses
that share no word with a name are not found: a twin hides what the facts name and no more.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Self

from longloom.synthesis.facts.fact import Fact

RENAMED_KINDS = frozenset(
    {"audit firm", "book", "company", "page", "name", "organization", "person"}
)
"""Kinds of entities whose names are replaced word by word."""

_TOKEN = re.compile(r"\w+")
_NUMBERED_NAME = re.compile(r"([A-Z]{2,8}) (\d{1,5})")
_PLAIN_KINDS = frozenset({"date", "number", "text"})
_MIN_LETTERS = 3
_CAPITAL_RATIO = 3
_KEPT_WORDS = frozenset(
    word
    for line in (
        "inc corp corporation company companies co ltd limited llc llp plc group holdings holding",
        "partners bank trust university institute college department ministry council association",
        "society committee foundation the and for von van der den del and mrs miss sir dame lord",
        "lady captain doctor professor january february march april may june july august september",
        "october november december monday tuesday wednesday thursday friday saturday sunday",
    )
    for word in line.split(" ")
)
_ONSETS = (*"bcdfghjklmnprstvwz", "br", "dr", "gl", "kr", "pl", "st", "tr")
_VOWELS = "aeiou"
_CODAS = ("", "", "", "l", "n", "r", "s")
_MOVES = range(11_000, 90_000, 1_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """A piece of a text and what stands there in the twin."""

    start: int
    """First character that is replaced."""
    end: int
    """One past the last."""
    text: str
    """What replaces it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pseudonyms:
    """What names are called in the twin."""

    words: Mapping[str, str]
    """Replacements of whole words, in each of the ways they are capitalised."""
    moves: Mapping[str, int]
    """What is added to the numbers of numbered names, by their letters."""

    @classmethod
    def of(cls, facts: Iterable[Fact], texts: Iterable[str], seed: str) -> Self:
        """Make pseudonyms for the names in facts.

        Args:
            facts: all facts of the context; their subjects and values give the names.
            texts: all texts of the context; they tell which words are proper.
            seed: the same seed gives the same pseudonyms.
        """
        counts = Counter(token for text in texts for token in _TOKEN.findall(text))
        names, letters = _names(facts)
        words: dict[str, str] = {}
        taken = set(counts)
        proper = {word for name in names for word in _proper_words(name, counts)}
        for word in sorted(proper):
            coined = _coined(word, seed, taken)
            taken |= {coined, coined.lower(), coined.upper()}
            words[word] = coined.upper() if word.isupper() else coined
            if not word.isupper():
                words |= {word.upper(): coined.upper(), word.lower(): coined.lower()}
        move = Random(f"{seed}/numbers").choice(_MOVES)
        return cls(words=words, moves=dict.fromkeys(sorted(letters), move))

    def replacements(self, text: str) -> Iterator[Replacement]:
        """Yield what is replaced in a text, in order and without overlap."""
        moved = dict(self._moved_numbers(text))
        for match in _TOKEN.finditer(text):
            start, end = match.span()
            if start in moved:
                yield moved[start]
            elif match[0] in self.words:
                yield Replacement(start=start, end=end, text=self.words[match[0]])

    def applied(self, text: str) -> str:
        """Return a text with all names replaced."""
        return rewritten(text, list(self.replacements(text)))

    def moved(self, name: str, shown: str) -> str | None:
        """Return what a number standing alone for a numbered name becomes; None if it does not."""
        match = _NUMBERED_NAME.fullmatch(name)
        if match is None or match[1] not in self.moves or shown.lstrip("0") != match[2]:
            return None
        return str(int(match[2]) + self.moves[match[1]])

    def _moved_numbers(self, text: str) -> Iterator[tuple[int, Replacement]]:
        for letters, move in self.moves.items():
            for match in re.finditer(rf"(?i)\b{letters}s?[ :\t-]{{0,8}}(\d{{1,5}})(?!\w)", text):
                start, end = match.span(1)
                number = str(int(match[1]) + move)
                yield start, Replacement(start=start, end=end, text=number)


def rewritten(text: str, replacements: Iterable[Replacement]) -> str:
    """Return a text with pieces replaced, given in order and without overlap."""
    pieces: list[str] = []
    position = 0
    for replacement in replacements:
        pieces += (text[position : replacement.start], replacement.text)
        position = replacement.end
    return "".join((*pieces, text[position:]))


def _names(facts: Iterable[Fact]) -> tuple[set[str], set[str]]:
    """Return the names to replace, and the letters of numbered names."""
    names: set[str] = set()
    letters: set[str] = set()
    for fact in facts:
        for kind, name in ((fact.subject_kind, fact.subject), (fact.value_kind, fact.value)):
            numbered = _NUMBERED_NAME.fullmatch(name)
            if kind in RENAMED_KINDS:
                names.add(name)
            elif numbered is not None and kind not in _PLAIN_KINDS and kind == numbered[1]:
                letters.add(numbered[1])
    return names, letters


def _proper_words(name: str, counts: Mapping[str, int]) -> Iterator[str]:
    """Yield the words of a name that are proper, and its initials if the texts use them."""
    tokens = _TOKEN.findall(name)
    capitals = [token for token in tokens if token[0].isupper() and token.isalpha()]
    telling = [token for token in capitals if token.lower() not in _KEPT_WORDS]
    initials = "".join(token[0] for token in telling)
    if len(initials) >= _MIN_LETTERS and initials in counts:
        yield initials
    for token in telling:
        word = token if not token.isupper() else token.capitalize()
        num_capital = counts.get(word, 0) + counts.get(word.upper(), 0)
        is_proper = counts.get(word.lower(), 0) * _CAPITAL_RATIO <= num_capital
        if len(token) >= _MIN_LETTERS and is_proper and word[1:].islower():
            yield word
        elif len(token) >= _MIN_LETTERS and not word[1:].islower() and is_proper:
            yield token


def _coined(word: str, seed: str, taken: set[str]) -> str:
    """Return a made-up word with the same first letter that no text holds."""
    for attempt in range(1_000):
        digest = hashlib.sha256(f"{seed}/{word}/{attempt}".encode()).digest()
        pieces = [word[0].upper()]
        if word[0].lower() not in _VOWELS:
            pieces.append(_VOWELS[digest[0] % len(_VOWELS)])
        for place in range(2 + attempt // 100):
            pieces.append(_ONSETS[digest[3 * place + 1] % len(_ONSETS)])
            pieces.append(_VOWELS[digest[3 * place + 2] % len(_VOWELS)])
        pieces.append(_CODAS[digest[30] % len(_CODAS)])
        coined = "".join(pieces)
        if not {coined, coined.lower(), coined.upper()} & taken:
            return coined
    raise AssertionError(f"no free pseudonym for {word!r}")
