"""Read HTML: headings, paragraphs, list entries, code, tables and the targets of links.

What it leaves out: scripts, styles, forms and text outside of these elements.
"""

from lxml import etree
from lxml import html as lxml_html

from longloom.errors import DataError
from longloom.records import BlockKind
from longloom.synthesis.miniature.documents.rendering import RawBlock, Reading, table_row_blocks

_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6", "title"})
_PARAGRAPHS = frozenset({"p", "li", "dt", "dd", "blockquote", "figcaption"})
_SKIPPED = frozenset({"script", "style", "noscript", "template", "form"})


def read_html(text: str) -> Reading:
    """Return the blocks and link targets of an HTML page.

    Raises:
        DataError: the page holds no element at all.
    """
    try:
        # Bytes, because lxml refuses a text whose XML declaration names an encoding.
        parser = lxml_html.HTMLParser(encoding="utf-8", no_network=True)
        root = lxml_html.document_fromstring(text.encode("utf-8"), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError) as error:
        raise DataError(f"HTML cannot be parsed: {error}") from None
    blocks: list[RawBlock] = []
    _collect(root, blocks)
    links = [target for anchor in root.iter("a") if (target := anchor.get("href"))]
    return Reading(blocks=tuple(blocks), links=tuple(links))


def _collect(root: lxml_html.HtmlElement, blocks: list[RawBlock]) -> None:
    pending = [root]
    while pending:
        element = pending.pop()
        tag = element.tag
        if not isinstance(tag, str) or tag in _SKIPPED:
            continue
        if tag == "table":
            blocks += _table(element)
        elif tag == "pre":
            blocks.append(RawBlock(kind=BlockKind.CODE, text=element.text_content()))
        elif tag in _HEADINGS:
            blocks.append(RawBlock(kind=BlockKind.HEADING, text=_line(element)))
        elif tag in _PARAGRAPHS and not element.xpath(".//p|.//li|.//table|.//pre"):
            blocks.append(RawBlock(kind=BlockKind.PARAGRAPH, text=_line(element)))
        else:
            pending.extend(reversed(element))


def _line(element: lxml_html.HtmlElement) -> str:
    return " ".join(element.text_content().split())


def _table(element: lxml_html.HtmlElement) -> list[RawBlock]:
    rows = [[_line(cell) for cell in row.xpath("./th|./td")] for row in element.xpath(".//tr")]
    filled = [row for row in rows if row]
    return table_row_blocks(filled[0], filled[1:]) if filled else []
