"""From the bytes of a web page to text: declared character sets, and none that harm."""

import re

_SNIFFED_BYTES = 4096
_DECLARED = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9_.:-]{1,40})""")
_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_CHARSETS = re.compile(
    r"utf-?8|utf-?16(?:le|be|-le|-be)?|us-ascii|ascii|iso-?8859-?\d{1,2}|latin-?1|"
    r"(?:windows|cp)-?125\d|koi8-?[ru]|gb2312|gbk|gb18030|big5(?:-hkscs)?|shift[_-]jis|"
    r"euc-(?:jp|kr)|macintosh"
)
_ALIASES = {"macintosh": "mac-roman", "gb2312": "gb18030", "gbk": "gb18030"}
_LATIN = re.compile(r"iso-?8859-?1|latin-?1|us-ascii|ascii")


def decode_page(payload: bytes) -> str:
    """Return the text of a page; bytes that its character set does not know become U+FFFD."""
    for mark, charset in _MARKS:
        if payload.startswith(mark):
            return payload[len(mark) :].decode(charset, "replace")
    charset = _declared_charset(payload)
    if charset:
        return payload.decode(charset, "replace")
    return payload.decode("utf-8", "replace")


def _declared_charset(payload: bytes) -> str:
    """Return Python's name of the declared character set; empty for none or one not in use.

    Python knows codecs that are no character sets of pages (`zlib`, `idna`, `unicode_escape`), so
    that the name alone is never trusted. Pages that say ISO 8859-1 mean Windows 1252.
    """
    match = _DECLARED.search(payload[:_SNIFFED_BYTES])
    name = match[1].decode("ascii").lower() if match else ""
    if not _CHARSETS.fullmatch(name) or name.startswith("utf"):
        # An ASCII-compatible declaration that was readable cannot be of UTF-16.
        return ""
    if _LATIN.fullmatch(name):
        return "cp1252"
    name = _ALIASES.get(name, name)
    try:
        "".encode(name)
    except LookupError:
        return ""
    return name
