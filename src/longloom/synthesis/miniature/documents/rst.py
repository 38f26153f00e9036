"""Read reStructuredText by its block layout.

What it leaves out: directives other than as paragraphs, and tables (kept as they stand). Links are
`text <target>`_ and :doc:`target`.
"""

import re

from longloom.records import BlockKind
from longloom.synthesis.miniature.documents.rendering import RawBlock, Reading

_UNDERLINE = re.compile(r"([=\-~^\"'`#*+.:_])\1{2,}\s*")
_LINK = re.compile(r"<([^<>\s]+)>`__?|:doc:`(?:[^`<]*<)?([^`<>]+)>?`")


def read_rst(text: str) -> Reading:
    """Return the blocks and link targets of a reStructuredText text."""
    blocks = []
    is_literal_next = False
    for chunk in re.split(r"\n[ \t]*\n+", text):
        lines = [line.rstrip() for line in chunk.strip("\n").split("\n")]
        if not any(lines):
            continue
        if is_literal_next and lines[0].startswith((" ", "\t")):
            blocks.append(RawBlock(kind=BlockKind.CODE, text="\n".join(lines)))
            continue
        is_literal_next = lines[-1].endswith("::")
        blocks += _heading_and_rest(lines)
    links = [first or second for first, second in _LINK.findall(text)]
    return Reading(blocks=tuple(blocks), links=tuple(links))


def _heading_and_rest(lines: list[str]) -> list[RawBlock]:
    if len(lines) > 2 and _UNDERLINE.fullmatch(lines[0]) and _UNDERLINE.fullmatch(lines[2]):
        lines = lines[1:]  # a title with a line above it
    if len(lines) > 1 and _UNDERLINE.fullmatch(lines[1]) and not _UNDERLINE.fullmatch(lines[0]):
        rest = [RawBlock(kind=BlockKind.PARAGRAPH, text="\n".join(lines[2:]))] if lines[2:] else []
        return [RawBlock(kind=BlockKind.HEADING, text=lines[0].strip()), *rest]
    return [RawBlock(kind=BlockKind.PARAGRAPH, text="\n".join(lines))]
