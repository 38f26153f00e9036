"""The title of a web page, as the page itself gives it."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from urllib.parse import unquote

from lxml import etree

_MAX_TITLE_CHARACTERS = 200
_SITE = re.compile(r"\s+[-\u2013\u2014|]\s+(?:Wikipedia|[^-|]{0,40}encyclopedia).*$", re.IGNORECASE)
_OWN_ADDRESS = re.compile(
    r"rfr_id=info(?::|%3A)sid(?:/|%2F)[a-z]{2,12}\.wikipedia\.org(?::|%3A)([^&]+)"
    r"|[?&]pagename=([^&]+)&"
    r"|index\.php\?title=([^&:]+)&action=edit(?:&section=\w+)?$"
)


def page_title(root: etree._Element, name: str) -> str:
    """Return the title of a page; the stem of its file name if it has none.

    Pages of a wiki saved without their frame have no title element, but name themselves in the
    addresses of edit links, maps and citation records; failing that, in the first words in bold.
    """
    for title in _candidates(root):
        collapsed = " ".join(title.split())
        if collapsed:
            return collapsed[:_MAX_TITLE_CHARACTERS]
    return PurePosixPath(name).stem


def _candidates(root: etree._Element) -> Iterator[str]:
    title = root.find(".//title")
    if title is not None:
        yield _SITE.sub("", _text(title))
    heading = root.find(".//h1")
    if heading is not None:
        yield _text(heading)
    yield _own_address(root)
    yield _bold_lead(root)
    for element in root.iter("table"):
        if "infobox" in element.get("class", "").split():
            caption = next(element.iter("caption", "th", "b"), None)
            yield "" if caption is None else _text(caption)


def _own_address(root: etree._Element) -> str:
    """Return the title by which addresses in a wiki page name the page itself."""
    for element in root.iter("a", "span"):
        address = element.get("href") or element.get("title") or ""
        match = _OWN_ADDRESS.search(address)
        if match:
            encoded = match[1] or match[2] or match[3]
            return unquote(encoded.replace("+", " ") if match[1] else encoded).replace("_", " ")
    return ""


def _bold_lead(root: etree._Element) -> str:
    """Return the first words in bold before the first section."""
    for element in root.iter("p", "h2"):
        if element.tag == "h2":
            break
        bold = next(element.iter("b", "strong"), None)
        if bold is not None:
            text = _text(bold)
            return text[:1].upper() + text[1:]
    return ""


def _text(element: etree._Element) -> str:
    return "".join(str(piece) for piece in element.itertext())
