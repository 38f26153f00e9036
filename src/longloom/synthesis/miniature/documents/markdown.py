"""Read Markdown: headings, paragraphs, list entries, code, tables and the targets of links.

What it leaves out: images, raw HTML and emphasis marks.
"""

from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

from longloom.records import BlockKind
from longloom.synthesis.miniature.documents.rendering import RawBlock, Reading, table_row_blocks


def read_markdown(text: str) -> Reading:
    """Return the blocks and link targets of a Markdown text."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    blocks: list[RawBlock] = []
    links: list[str] = []
    position = 0
    while position < len(tokens):
        token = tokens[position]
        if token.type == "table_open":
            end = _matching(tokens, position, "table_close")
            blocks += _table(tokens[position:end])
            links += [link for inner in tokens[position:end] for link in _links(inner)]
            position = end
        elif token.type in {"fence", "code_block"}:
            blocks.append(RawBlock(kind=BlockKind.CODE, text=token.content))
        elif token.type == "inline":
            is_heading = tokens[position - 1].type == "heading_open"
            kind = BlockKind.HEADING if is_heading else BlockKind.PARAGRAPH
            blocks.append(RawBlock(kind=kind, text=_plain(token)))
            links += _links(token)
        position += 1
    return Reading(blocks=tuple(blocks), links=tuple(links))


def _matching(tokens: Sequence[Token], start: int, closing: str) -> int:
    return next(index for index in range(start, len(tokens)) if tokens[index].type == closing)


def _table(tokens: Sequence[Token]) -> list[RawBlock]:
    rows: list[list[str]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(_plain(token))
    return table_row_blocks(rows[0], rows[1:]) if rows else []


def _plain(token: Token) -> str:
    parts = []
    for child in token.children or []:
        if child.type in {"text", "code_inline"}:
            parts.append(child.content)
        elif child.type in {"softbreak", "hardbreak"}:
            parts.append("\n")
    return "".join(parts)


def _links(token: Token) -> list[str]:
    return [
        str(child.attrs["href"])
        for child in token.children or []
        if child.type == "link_open" and child.attrs.get("href")
    ]
