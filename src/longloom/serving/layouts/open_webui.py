"""Open WebUI's messages: `<context><source id=".." name="..">TEXT</source>..</context> QUESTION`.

Open WebUI writes the texts of attached files into the last user message, or into the system prompt
where it is set so, inside a template of its own. The context ends at the last closing tag: a
document that contains one cannot place words of its own in the question.
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

_OPEN, _CLOSE = "<context>", "</context>"
_SOURCE, _END_SOURCE = "<source", "</source>"
_MAX_TAG_CHARS = 4_000
_MAX_ATTRIBUTES = 32
_MAX_NAME_CHARS = 200
_TEMPLATE_HEAD = "### task:"
"""How the built-in template begins; another one is the user's, and part of the question."""


def open_webui(text: str) -> tuple[Piece, ...] | None:
    """Return the pieces of a message with attached sources, or None."""
    opening = _opening(text)
    closing = text.rfind(_CLOSE)
    if opening < 0 or closing < opening:
        return None
    is_built_in = text[:opening].lstrip()[: len(_TEMPLATE_HEAD)].lower() == _TEMPLATE_HEAD
    head = dropped(0, opening) if is_built_in else question(0, opening)
    start = skip_blanks(text, opening + len(_OPEN))
    end = closing + len(_CLOSE)
    return nonempty(
        [
            head,
            dropped(opening, start),
            *_sources(text, start, closing),
            dropped(closing, end),
            question(end, len(text)),
        ]
    )


def _opening(text: str) -> int:
    """Return where the `<context>` that holds sources begins; the template names the tag before."""
    at = text.find(_OPEN)
    while at >= 0:
        if _source_tag(text, skip_blanks(text, at + len(_OPEN))) is not None:
            return at
        at = text.find(_OPEN, at + 1)
    return -1


def _sources(text: str, start: int, end: int) -> list[Piece]:
    """Return the documents and the tags of text[start:end], which begins with a source's tag."""
    pieces: list[Piece] = []
    tag = _source_tag(text, start)
    num_documents = 0
    while tag is not None:
        num_documents += 1
        text_start, name = tag
        text_end, next_start, tag = _end_of_source(text, text_start, end, num_documents)
        pieces += [
            dropped(start, text_start),
            document(text_start, text_end, name),
            dropped(text_end, next_start),
        ]
        start = next_start
    return pieces


def _end_of_source(
    text: str, start: int, end: int, num_documents: int
) -> tuple[int, int, tuple[int, str] | None]:
    """Return where a source's text ends, where the next tag begins, and that tag (None: the last).

    A source ends where a closing tag is followed by another source or by the end of the context;
    a closing tag anywhere else belongs to the document.
    """
    at = text.find(_END_SOURCE, start, end) if num_documents < MAX_DOCUMENTS else -1
    while at >= 0:
        following = skip_blanks(text, at + len(_END_SOURCE))
        tag = _source_tag(text, following) if following < end else None
        if tag is not None and tag[0] <= end:
            return at, following, tag
        at = text.find(_END_SOURCE, at + 1, end)
    last = text.rfind(_END_SOURCE, start, end)
    if last >= 0 and not text[last + len(_END_SOURCE) : end].strip():
        return last, end, None
    return end, end, None


def _source_tag(text: str, start: int) -> tuple[int, str] | None:
    """Return where the source's tag at `start` ends, and its name; None if there is no such tag."""
    at = start + len(_SOURCE)
    if not text.startswith(_SOURCE, start) or text[at : at + 1] not in (" ", ">"):
        return None
    limit = min(len(text), start + _MAX_TAG_CHARS)
    attributes: dict[str, str] = {}
    for _ in range(_MAX_ATTRIBUTES):
        end = text.find(">", at, limit)
        quote = text.find('"', at, limit)
        if quote < 0 or 0 <= end < quote:
            break
        unquote = text.find('"', quote + 1, limit)
        if unquote < 0:
            break
        attributes[text[at:quote].strip().removesuffix("=")] = text[quote + 1 : unquote]
        at = unquote + 1
    else:
        return None
    if end < 0:
        return None
    name = " ".join(attributes.get("name", "").split())
    return end + 1, name[:_MAX_NAME_CHARS]
