"""A document in one tag: `<text>...</text>`, as L1 and LongBench v2 write it, and its like.

The tag ends at its last closing form, so a document that quotes the tag stays whole.
"""

from longloom.serving.layouts.pieces import (
    MAX_DOCUMENTS,
    Piece,
    document,
    dropped,
    nonempty,
    question,
    skip_blanks,
)

TAGS = ("text", "document", "documents", "context", "article", "file")
_PREAMBLE = "please read the following text and answer the question"
"""How L1 and LongBench v2 open; it says nothing about the question."""
_MAX_PREAMBLE_CHARS = 120


def tagged_text(text: str) -> tuple[Piece, ...] | None:
    """Return the pieces of a message with a tagged document, the tag that holds most; or None."""
    spans = [(closing - opening, tag, opening, closing) for tag in TAGS
             for opening, closing in [_span(text, tag)] if 0 <= opening < closing]  # fmt: skip
    if not spans:
        return None
    _, tag, opening, closing = max(spans)
    end = closing + len(tag) + 3
    head = text[:opening].strip().lower()
    is_preamble = head.startswith(_PREAMBLE) and len(head) < _MAX_PREAMBLE_CHARS
    return nonempty(
        [
            dropped(0, opening) if is_preamble else question(0, opening),
            *_documents(text, tag, opening, closing),
            dropped(closing, end),
            question(end, len(text)),
        ]
    )


def _span(text: str, tag: str) -> tuple[int, int]:
    return text.find(f"<{tag}>"), text.rfind(f"</{tag}>")


def _documents(text: str, tag: str, opening: int, closing: int) -> list[Piece]:
    """Return the documents and the tags from the first tag to the last closing one."""
    open_tag, close_tag = f"<{tag}>", f"</{tag}>"
    start = opening + len(open_tag)
    pieces = [dropped(opening, start)]
    at = text.find(close_tag, start, closing)
    while at >= 0 and len(pieces) < 2 * MAX_DOCUMENTS - 1:
        following = skip_blanks(text, at + len(close_tag))
        if following < closing and text.startswith(open_tag, following):
            next_start = following + len(open_tag)
            pieces += [document(start, at), dropped(at, next_start)]
            start = next_start
        at = text.find(close_tag, max(start, at + 1), closing)
    return [*pieces, document(start, closing)]
