"""Turn blocks into a document: the one place where document coordinates are made."""

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from longloom.records import Block, BlockKind, Document, DocumentKind
from longloom.synthesis.miniature.facts.relations import as_word, statement

BLOCK_SEPARATOR = "\n\n"
"""What stands between two blocks of a document, and of a context."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawBlock:
    """A block before it has a place."""

    kind: BlockKind
    """What the block is."""
    text: str
    """Its text, without surrounding blank lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a reader found in one file."""

    blocks: tuple[RawBlock, ...]
    """Blocks in order."""
    links: tuple[str, ...] = ()
    """Targets of links, as they are written in the file."""


def clean_text(text: str) -> str:
    """Return `text` in NFC with newline line ends and no byte order mark."""
    unified = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return unicodedata.normalize("NFC", unified)


def render_document(
    *, title: str, kind: DocumentKind, source: str, licence: str, blocks: Iterable[RawBlock]
) -> Document:
    """Return the document whose text is `blocks` with one empty line between them."""
    pieces: list[str] = []
    placed: list[Block] = []
    start = 0
    for block in blocks:
        text = clean_text(block.text).strip("\n")
        if not text.strip():
            continue
        pieces.append(text)
        placed.append(Block(kind=block.kind, start=start, end=start + len(text)))
        start += len(text) + len(BLOCK_SEPARATOR)
    text = BLOCK_SEPARATOR.join(pieces)
    digest = hashlib.sha256(f"{title}\0{text}".encode()).hexdigest()[:32]
    return Document(
        doc_id=digest,
        title=title,
        kind=kind,
        source=source,
        licence=licence,
        text=text,
        blocks=tuple(placed),
    )


def table_row_blocks(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[RawBlock]:
    """Return one block a row: a statement `COLUMN KEY VALUE` for every filled cell.

    The first column is the key. Rows without a key, and cells without a value, state nothing.
    """
    columns = [as_word(name) for name in header]
    blocks = []
    for row in rows:
        cells = [as_word(cell) for cell in row]
        if not cells or not cells[0]:
            continue
        lines = [
            f"{column} {cells[0]} {cell}"
            for column, cell in zip(columns[1:], cells[1:], strict=False)
            if column and cell
        ]
        blocks.append(RawBlock(kind=BlockKind.TABLE, text="\n".join(lines)))
    return blocks


def statement_block(statements: Iterable[tuple[str, str, str]], kind: BlockKind) -> RawBlock:
    """Return a block of statements (relation, subject, value)."""
    lines = [statement(*parts) for parts in statements]
    return RawBlock(kind=kind, text="\n".join(lines))
