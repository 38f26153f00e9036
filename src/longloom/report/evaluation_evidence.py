"""What a wrong answer was asked about: the question, and the text around its evidence.

A context may have millions of characters; a few excerpts of it reach a page. Where a benchmark
does not say what its answer rests on, the first places that hold a gold answer are shown instead.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from longloom.evaluation.questions import Asked
from longloom.report.evaluation_replies import shortened
from longloom.report.excerpts import Excerpt, Span, cut_excerpts

AskedOf = Callable[[str, str], Asked | None]
"""Gives the text of a question of a benchmark, or None where it is not at hand."""

_REACH = 280
"""Characters of text on each side of evidence."""
_MAX_SPANS = 12
"""Pieces of evidence that are shown."""
_MAX_SPAN_CHARACTERS = 600
"""Longer pieces are cut."""
_MAX_QUERY_CHARACTERS = 4_000
_MAX_GOLDS = 8
"""Gold answers that are looked for."""
_GOLD_CHARACTERS = range(2, 400)
"""Shorter ones stand everywhere, longer ones nowhere word for word."""
_PLACES_PER_GOLD = 3
_MAX_TRIES = 2_000
"""Places inside of longer words that are passed over before a gold counts as not found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownText:
    """What a page shows of a question's text."""

    query: str
    """The question."""
    num_characters: int
    """Characters of the context."""
    is_evidence: bool
    """Whether what is marked is evidence; else it is a gold answer, wherever it stands."""
    excerpts: tuple[Excerpt, ...]
    """Stretches of the context."""
    num_hidden: int
    """Pieces of evidence that are not shown."""
    note: str
    """Why there is no excerpt, or empty."""


def shown_text(asked: Asked, golds: Sequence[str]) -> ShownText:
    """Return a question and the excerpts of its context, in time linear in the context."""
    context = asked.context
    spans = [span for span in asked.evidence if 0 <= span[0] < span[1] <= len(context)]
    places = sorted(spans)[:_MAX_SPANS] if spans else find_golds(context, golds)
    cut = [(start, min(end, start + _MAX_SPAN_CHARACTERS)) for start, end in places]
    note = ""
    if not context:
        note = "This question has no context."
    elif not places:
        note = "No gold answer stands in the context word for word."
    return ShownText(
        query=shortened(asked.query, _MAX_QUERY_CHARACTERS),
        num_characters=len(context),
        is_evidence=bool(spans),
        excerpts=tuple(cut_excerpts(context, {"": cut}, {}, reach=_REACH)),
        num_hidden=max(0, len(spans) - len(places)),
        note=note,
    )


def find_golds(text: str, golds: Sequence[str]) -> list[Span]:
    """Return the first places where gold answers stand as whole words, in the order of the text.

    Case is ignored where that leaves all positions as they are.
    """
    lowered = text.lower()
    is_aligned = len(lowered) == len(text)
    found: set[Span] = set()
    for gold in list(dict.fromkeys(golds))[:_MAX_GOLDS]:
        sought = gold.strip()
        if len(sought) in _GOLD_CHARACTERS:
            in_text, sought = (lowered, sought.lower()) if is_aligned else (text, sought)
            found.update(_places(in_text, sought))
    return sorted(found)[:_MAX_SPANS]


def _places(text: str, sought: str) -> list[Span]:
    places: list[Span] = []
    start = -1
    for _ in range(_MAX_TRIES):
        start = text.find(sought, start + 1)
        if start < 0:
            break
        end = start + len(sought)
        if not _is_inside_word(text, start) and not _is_inside_word(text, end):
            places.append((start, end))
            if len(places) == _PLACES_PER_GOLD:
                break
    return places


def _is_inside_word(text: str, place: int) -> bool:
    return 0 < place < len(text) and text[place - 1].isalnum() and text[place].isalnum()
