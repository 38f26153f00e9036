"""Words of any script, folded so that the same words of two texts are equal.

Case, spacing and punctuation are left out, numbers lose their separators ("1,234.5" is "12345"),
and scripts without spaces give one word a character. The offsets stay those of the text.
"""

import re
import unicodedata
from collections.abc import Iterator

_UNSPACED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    r"\U00020000-\U0003ffff"
)
_MARKS = r"\u0300-\u036f\u064b-\u065f\u0900-\u0dff"
_SEPARATORS = r".,'\u2019\u066b\u066c\u00a0\u2009\u202f"
_LETTERS = rf"[^\W\d_{_UNSPACED}]"
_WORD = re.compile(
    rf"{_LETTERS}+(?:[{_MARKS}]+{_LETTERS}*)*|\d+(?:[{_SEPARATORS}]\d+)*|[{_UNSPACED}]"
)
_UNSPACED_WORD = re.compile(rf"[{_UNSPACED}]\Z")
_SEPARATOR = re.compile(rf"[{_SEPARATORS}]")

_FUNCTION_WORDS = """
    a about after all also an and are as at be been before but by can could did do does for from had
    has have he her him his how i if in into is it its may more most no nor not of on or other our
    she should so some such than that the their them then there these they this those to too under
    up was we were what when where which who whom why will with would yes you your true false none
    am auf aus bei das dass dem den der des die durch ein eine einem einen einer er es hat ich ihr
    im ist ja kein mit nach nein nicht oder sein sich sie sind um und vom von war wer wie wird zu
    zum zur answer therefore unanswerable"""
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
"""Words that say nothing about a place in a text."""


def words_of(text: str) -> list[str]:
    """Return the folded words of `text` in order."""
    found = _WORD.findall(text)
    folded = {word: _folded(word) for word in set(found)}
    return [folded[word] for word in found]


def word_spans(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield where each word of `text[start:end]` begins and ends in `text`, in order."""
    return (word.span() for word in _WORD.finditer(text, start, end))


def is_telling(word: str) -> bool:
    """Whether a folded word can tell one place from another."""
    if word in FUNCTION_WORDS:
        return False
    return len(word) > 1 or word.isdigit() or is_unspaced(word)


def is_unspaced(word: str) -> bool:
    """Whether a word is a character of a script without spaces."""
    return not word.isascii() and _UNSPACED_WORD.match(word) is not None


def _folded(word: str) -> str:
    if word.isascii() and not word[0].isdigit():
        return word.lower()
    if word[0].isdigit():
        word = _SEPARATOR.sub("", word)
    return unicodedata.normalize("NFKC", word).casefold()
