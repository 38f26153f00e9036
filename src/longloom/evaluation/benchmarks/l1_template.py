"""The frame in which QwenLong-L1 and L1.5 ask every question about a text.

Facts of `eval/hotpotqa.py` and its siblings (QwenLong-L1, Apache-2.0): text and question are
stripped and put into one user message that ends with the form of the answer.
"""

from collections.abc import Iterable

from longloom.evaluation.questions import Asked
from longloom.text.prompts import load_templates

Spans = tuple[tuple[int, int], ...]
"""Half-open character spans."""


def asked_in_l1_frame(
    context: str,
    question: str,
    *,
    evidence: Iterable[tuple[int, int]] = (),
    template: str = "l1",
) -> Asked:
    """Return a question in the frame; without a context, the question and its form alone.

    Args:
        context: the text.
        question: the question, with its options if it has some.
        evidence: half-open spans of `context`.
        template: `l1` or `l1_multiple_choice`.
    """
    before, _, rest = load_templates()[template].partition("{context}")
    closing, _, form = rest.partition("{question}")
    problem = question.strip()
    query = f"{problem}{form}"
    text = context.strip()
    if not text:
        return Asked(context="", query=query, problem=problem, after=query)
    return Asked(
        context=text,
        query=query,
        problem=problem,
        before=before,
        after=f"{closing}{query}",
        evidence=_moved(evidence, len(context) - len(context.lstrip()), len(text)),
    )


def joined(parts: Iterable[str], separator: str) -> tuple[str, Spans]:
    """Return a text of parts, and the span of each part in it."""
    listed = list(parts)
    spans: list[tuple[int, int]] = []
    start = 0
    for part in listed:
        spans.append((start, start + len(part)))
        start += len(part) + len(separator)
    return separator.join(listed), tuple(spans)


def depths(asked: Asked) -> tuple[float, ...]:
    """Return where the evidence starts in the context, from 0 to 1, in order."""
    size = max(1, len(asked.context))
    return tuple(sorted(start / size for start, _ in asked.evidence))


def _moved(spans: Iterable[tuple[int, int]], cut: int, size: int) -> Spans:
    """Return spans of a text that lost `cut` characters at its start and is cut at `size`."""
    moved = ((max(0, start - cut), min(size, end - cut)) for start, end in spans)
    return tuple((start, end) for start, end in moved if start < end)
