"""Read plain text: paragraphs are separated by empty lines."""

import re

from longloom.records import BlockKind
from longloom.synthesis.miniature.documents.rendering import RawBlock, Reading


def read_plain(text: str) -> Reading:
    """Return the paragraphs of a text."""
    chunks = re.split(r"\n[ \t]*\n+", text)
    return Reading(blocks=tuple(RawBlock(kind=BlockKind.PARAGRAPH, text=chunk) for chunk in chunks))
