"""Find a quotation in a text, exactly once, and say where.

White space runs count as one space, typographic quotes and dashes as their plain forms; nothing
else is forgiven, and a quotation that stands in two places shows neither.
"""

from enum import StrEnum

MAX_QUOTE_CHARACTERS = 1_000
MIN_QUOTE_CHARACTERS = 2

_PLAIN = str.maketrans(
    {
        "\u2018": "'",
        "\u2019": "'",
        "\u201c": '"',
        "\u201d": '"',
        "\u2010": "-",
        "\u2011": "-",
        "\u2012": "-",
        "\u2013": "-",
        "\u2014": "-",
        "\u2212": "-",
        "\u00ad": "-",
    }
)

Span = tuple[int, int]


class QuoteFault(StrEnum):
    """Why a quotation shows nothing."""

    MISSING = "quote not found"
    TWICE = "quote found more than once"
    UNUSABLE = "quote too short or too long"


class QuotedText:
    """A text made ready for looking up many quotations."""

    def __init__(self, text: str) -> None:
        """Fold the text once; positions lead back to `text` itself."""
        self.text = text
        folded: list[str] = []
        self._places: list[int] = []
        for place, character in enumerate(text.translate(_PLAIN)):
            if not character.isspace():
                folded.append(character)
                self._places.append(place)
            elif folded and folded[-1] != " ":
                folded.append(" ")
                self._places.append(place)
        self._folded = "".join(folded)

    def find(self, quote: str) -> Span | QuoteFault:
        """Return where the only occurrence of `quote` stands in the text."""
        wanted = fold_quote(quote)
        if not MIN_QUOTE_CHARACTERS <= len(wanted) <= MAX_QUOTE_CHARACTERS:
            return QuoteFault.UNUSABLE
        start = self._folded.find(wanted)
        if start < 0:
            return QuoteFault.MISSING
        if self._folded.find(wanted, start + 1) >= 0:
            return QuoteFault.TWICE
        return self._places[start], self._places[start + len(wanted) - 1] + 1

    def has(self, wanted: str) -> bool:
        """Whether `wanted` stands in the text, once or more, not inside a longer word."""
        return bool(self.places_of(wanted, max_places=1))

    def places_of(self, wanted: str, *, max_places: int = 2) -> tuple[Span, ...]:
        """Return the first places where `wanted` stands by itself, not inside a longer word."""
        folded = fold_quote(wanted)
        found: list[Span] = []
        start = self._folded.find(folded) if folded else -1
        while start >= 0 and len(found) < max_places:
            end = start + len(folded)
            if not self._is_cut(start) and not self._is_cut(end):
                found.append((self._places[start], self._places[end - 1] + 1))
            start = self._folded.find(folded, start + 1)
        return tuple(found)

    def _is_cut(self, place: int) -> bool:
        """Whether a word or a number goes on over this place."""
        if not 0 < place < len(self._folded):
            return False
        before, after = self._folded[place - 1], self._folded[place]
        if before.isalnum() and after.isalnum():
            return True
        further = self._folded[place + 1 : place + 2]
        earlier = self._folded[place - 2 : place - 1] if place > 1 else ""
        goes_on = before.isdigit() and after in ".," and further.isdigit()
        return goes_on or (before in ".," and earlier.isdigit() and after.isdigit())


def fold_quote(quote: str) -> str:
    """Return `quote` with plain quotes and dashes and single spaces."""
    return " ".join(quote.translate(_PLAIN).split())
