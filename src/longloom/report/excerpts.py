"""Evidence in the text that surrounds it.

Positions count characters of the context; texts are cut here, because a browser counts otherwise.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

Span = tuple[int, int]
"""First character and one past the last, in context coordinates."""

_WORD_REACH = 20
"""How far a cut is moved to the end of a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """A stretch of one document with the evidence in it."""

    doc_id: str
    """The document."""
    start: int
    """Where it begins in the context."""
    depth_fraction: float
    """Where its first evidence stands in the context, from 0 to 1."""
    num_spans: int
    """Pieces of evidence in it."""
    segments: tuple[tuple[str, str], ...]
    """`plain` and `evidence` pieces; joined, they are the stretch."""


def cut_excerpts(
    text: str,
    spans_by_document: Mapping[str, Sequence[Span]],
    extents: Mapping[str, Span],
    *,
    reach: int,
) -> list[Excerpt]:
    """Return the stretches around evidence, in the order of the context.

    Stretches of one document that overlap are joined; none leaves its document.

    Args:
        text: the context.
        spans_by_document: evidence by document.
        extents: where each document stands in the context.
        reach: characters shown on each side.
    """
    excerpts = []
    for doc_id, spans in spans_by_document.items():
        bounds = extents.get(doc_id, (0, len(text)))
        inside = [(start, end) for start, end in sorted(spans) if _is_within(start, end, bounds)]
        for group in _groups(inside, reach):
            excerpts.append(_excerpt(text, doc_id, group, bounds, reach))
    return sorted(excerpts, key=lambda excerpt: excerpt.start)


def _is_within(start: int, end: int, bounds: Span) -> bool:
    return bounds[0] <= start < end <= bounds[1]


def _groups(spans: Sequence[Span], reach: int) -> Iterator[list[Span]]:
    group: list[Span] = []
    furthest = 0
    for span in spans:
        if group and span[0] - furthest > 2 * reach:
            yield group
            group = []
        furthest = max(furthest if group else 0, span[1])
        group.append(span)
    if group:
        yield group


def _excerpt(text: str, doc_id: str, group: list[Span], bounds: Span, reach: int) -> Excerpt:
    first, last = group[0][0], max(end for _, end in group)
    start = _word_start(text, max(bounds[0], first - reach), first, bounds[0])
    end = _word_end(text, min(bounds[1], last + reach), last, bounds[1])
    segments: list[tuple[str, str]] = []
    position = start
    for span_start, span_end in group:
        if span_end <= position:
            continue  # inside the one before
        segments.append(("plain", text[position : max(position, span_start)]))
        segments.append(("evidence", text[max(position, span_start) : span_end]))
        position = span_end
    segments.append(("plain", text[position:end]))
    return Excerpt(
        doc_id=doc_id,
        start=start,
        depth_fraction=first / max(1, len(text)),
        num_spans=len(group),
        segments=tuple(segment for segment in segments if segment[1]),
    )


def _word_start(text: str, start: int, limit: int, bound: int) -> int:
    """Move a cut right to where a word begins, if one begins soon."""
    if start > bound:
        reached = range(start, min(limit, start + _WORD_REACH))
        start = next((place for place in reached if text[place].isspace()), start)
    while start < limit and text[start].isspace():
        start += 1
    return start


def _word_end(text: str, end: int, limit: int, bound: int) -> int:
    """Move a cut left to where a word ends, if one ends soon."""
    if end < bound:
        reached = range(end - 1, max(limit, end - _WORD_REACH) - 1, -1)
        end = next((place for place in reached if text[place].isspace()), end)
    while end > limit and text[end - 1].isspace():
        end -= 1
    return end
