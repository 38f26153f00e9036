"""A document and a question in one text without marks between them.

A short opening paragraph that asks, and the short last one, are the question. Where nothing shows
that the last paragraph asks, it may be the document's own end: then it is read as well.
"""

from longloom.serving.layouts.pieces import (
    Piece,
    document,
    line_starts,
    nonempty,
    question,
    starts_with_any,
)

MAX_PARAGRAPH_CHARS = 2_000
"""A longer paragraph is no question."""
TAIL_CHARS = 8_000
"""A question with parts (choices, rules for the answer) begins within these."""
_MARKS = ("question:", "question ", "q:", "query:", "task:", "instruction", "# question",
          "## question", "### question", "frage:", "问题")  # fmt: skip
_ASKING_ENDS = (":", "?", "\uff1a", "\uff1f")


def plain_text(text: str) -> tuple[Piece, ...] | None:
    """Return the pieces of a text that holds its question at an end; None if there is none."""
    start = len(text) - len(text.lstrip())
    end = len(text.rstrip())
    tail, is_marked = _tail(text, start, end)
    head = _head(text, start, end if tail is None else tail)
    if tail is None and head == start:
        return None
    if tail is None:
        return nonempty([question(0, head), document(head, len(text))])
    is_asking = is_marked or "?" in text[tail:] or "\uff1f" in text[tail:]
    if not is_asking:  # perhaps the document's own last paragraph
        return nonempty([question(0, head), document(head, len(text)), question(tail, len(text))])
    return nonempty([question(0, head), document(head, tail), question(tail, len(text))])


def _head(text: str, start: int, end: int) -> int:
    """Return where an opening paragraph that asks ends; `start` if none does."""
    limit = min(end, start + MAX_PARAGRAPH_CHARS)
    stop = text.find("\n\n", start, limit)
    if stop < 0:
        stop = text.find("\n", start, limit)
    if stop < 0 or not text[start:stop].rstrip().endswith(_ASKING_ENDS):
        return start
    return stop + 1


def _tail(text: str, start: int, end: int) -> tuple[int | None, bool]:
    """Return where the question at the end begins, and whether a mark says so."""
    first = max(start + 1, end - TAIL_CHARS)
    first = text.find("\n", first - 1, end) + 1
    if not first:
        return None, False
    marked = [at for at in line_starts(text, first, end) if starts_with_any(text, _MARKS, at)]
    if marked:
        return marked[-1], True
    shortest = max(start + 1, end - MAX_PARAGRAPH_CHARS)
    for separator in ("\n\n", "\n"):
        at = text.rfind(separator, shortest, end)
        if at >= 0:
            return at + len(separator), False
    return None, False
