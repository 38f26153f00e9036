"""Replace lone surrogates: halves of characters, which JSON, file names and command lines can hold.

No tokenizer takes them and no file of UTF-8 holds them. They become U+FFFD, one each, so that all
other characters keep their places.
"""

import re

_LONE = re.compile("[\ud800-\udfff]")
# Every escape of a JSON text is matched, so that the `u` of an escaped backslash is none; pairs
# are matched whole.
_JSON_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


def without_lone_surrogates(text: str) -> str:
    """Return `text` with U+FFFD in the place of every lone surrogate."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return _LONE.sub("\ufffd", text)
    return text


def json_without_lone_surrogates(body: bytes) -> bytes:
    """Return a JSON text with U+FFFD in the place of every escape that is a lone surrogate."""
    return _JSON_ESCAPE.sub(_replaced, body)


def _replaced(match: re.Match[bytes]) -> bytes:
    return b"\\ufffd" if match["lone"] else match[0]
