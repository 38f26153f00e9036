"""Rules that decide about one document at a time.

Thresholds follow Gopher (Rae et al. 2021, Table A1) and C4 (Raffel et al. 2020, section 2.2), wider
where a long document is not a web page: contracts repeat clauses and novels repeat refrains. Tables
and code blocks inside a document are not judged. Documents that are tables or code as a whole have
no language, and their lines repeat by nature; turns of a conversation may be short and alike.
Paper: QwenLong-L1.5, section 3 (rule-based filtering), which states no thresholds.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from longloom.records import BlockKind, Document, DocumentKind
from longloom.synthesis.config import CurationConfig
from longloom.synthesis.curation.languages import (
    LANGUAGES,
    sample_of,
    script_language,
    word_fractions,
)

_NOT_TEXT = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufffd\ue000-\uf8ff]")
"""Control characters, replacement characters and private use: bytes that were not text."""
_ASCII_NOT_TEXT = bytes([*range(9), *range(14, 32), 127])
_SYMBOL = re.compile(r"[^\w\s]")
_HAS_LETTER = re.compile(r"[^\W\d_]")
_LETTERS = re.compile(r"[^\W\d_]+")

_MAX_NOT_TEXT_FRACTION = 0.01
_MIN_JUDGED_CHARACTERS = 400
"""Less running text says nothing about language or repetition."""
_FOREIGN_FRACTION = 0.1
"""Common words of a foreign language from which a text counts as written in it."""
_MARGIN = 1.5
"""How much more of a foreign language's words than of a wanted one's; half-foreign texts stay."""
_PHRASE_WORDS = 4
_MIN_PHRASE_WORDS = 300
"""A short list of columns or terms may say the same of each."""
_MAX_PHRASE_WORDS = 20_000
"""Phrases are counted in the first so many words; what repeats from end to end shows there."""
_OTHER_FRACTION = 0.03
"""Common words of a wanted language below which running text is not written in it; English pages
that are little but names and figures have 0.02 to 0.15, and mostly capitals."""
_LOWER_CASE_FRACTION = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limits:
    """What a kind of document may show; 1 is never above."""

    asks_language: bool = True
    """Whether it has a language."""
    symbols: float = 0.3
    """Characters that are neither letter, digit nor white space; prose has 3 to 6%."""
    wordless: float = 0.6
    """Words without a letter. Gopher asks for 80% with a letter; annexes of figures have fewer."""
    lines: float = 0.3
    """Lines that stood before (Gopher: 0.30)."""
    paragraphs: float = 0.3
    """Blocks that stood before (Gopher: 0.30)."""
    phrase: float = 0.25
    """Words that the most common run of 4 words takes up. Gopher: 0.16 of characters, which
    lists of one sentence a row reach."""


_PROSE = _Limits()
_TALK = _Limits(symbols=0.5, wordless=0.8, lines=0.9, paragraphs=0.9, phrase=0.5)
_CODE = _Limits(
    asks_language=False, symbols=0.8, wordless=0.95, lines=0.95, paragraphs=0.95, phrase=0.9
)
_TABLE = _Limits(
    asks_language=False, symbols=0.9, wordless=1, lines=0.98, paragraphs=0.98, phrase=1
)


def drop_reason(document: Document, config: CurationConfig, *, num_tokens: float) -> str:
    """Return why a document is dropped; empty if it is kept.

    The particulars follow a colon: `language: de`, `repetition: 62% of lines repeat`.
    """
    if num_tokens < config.min_document_tokens:
        return f"shorter than {config.min_document_tokens} tokens"
    if len(document.text) > config.max_document_characters:
        return f"longer than {config.max_document_characters} characters"
    fraction = _not_text_fraction(document.text)
    if fraction > _MAX_NOT_TEXT_FRACTION:
        return f"not text: {fraction:.0%} of characters"
    limits = _limits_of(document)
    paragraphs = _judged_paragraphs(document, limits)
    text = "\n".join(paragraphs)
    if len(text) < _MIN_JUDGED_CHARACTERS:
        return ""
    sample = sample_of(text)
    return (
        _symbol_problem(sample, limits)
        or _repetition_problem(paragraphs, limits)
        or _language_problem(sample, config.languages, limits)
    )


def _not_text_fraction(text: str) -> float:
    if text.isascii():
        num_kept = len(text.encode("ascii").translate(None, _ASCII_NOT_TEXT))
        return 1 - num_kept / max(1, len(text))
    return len(_NOT_TEXT.findall(text)) / len(text)


def _limits_of(document: Document) -> _Limits:
    if document.genre == "table":
        return _TABLE
    if document.kind is DocumentKind.CODE:
        return _CODE
    return _TALK if document.kind is DocumentKind.DIALOGUE else _PROSE


def _judged_paragraphs(document: Document, limits: _Limits) -> list[str]:
    """Return the texts of the blocks that are running text; of all blocks for tables and code."""
    if not document.blocks:
        return document.text.split("\n\n")
    apart = {BlockKind.TABLE, BlockKind.CODE} if limits.asks_language else set()
    return [
        document.text[block.start : block.end]
        for block in document.blocks
        if block.kind not in apart
    ]


def _language_problem(text: str, languages: Sequence[str], limits: _Limits) -> str:
    if not languages or not limits.asks_language:
        return ""
    script = script_language(text)
    if script:
        return "" if script in languages else f"language: {script}"
    fractions = word_fractions(text)
    best = max(LANGUAGES, key=lambda language: fractions[language])
    wanted = max(
        (fractions[language] for language in languages if language in fractions), default=0
    )
    is_foreign = fractions[best] >= _FOREIGN_FRACTION and fractions[best] >= _MARGIN * wanted
    if is_foreign and best not in languages:
        return f"language: {best}"
    if wanted < _OTHER_FRACTION and _is_running_text(text):
        return f"language: not {' or '.join(languages)}"
    return ""


def _is_running_text(text: str) -> bool:
    """Tell whether a text is long and mostly lower case, as no list of names is."""
    words = _LETTERS.findall(text)
    num_lower = sum(1 for word in words if word.islower())
    return len(words) >= _MIN_PHRASE_WORDS and num_lower >= _LOWER_CASE_FRACTION * len(words)


def _symbol_problem(text: str, limits: _Limits) -> str:
    symbols = len(_SYMBOL.findall(text)) / len(text)
    if symbols > limits.symbols:
        return f"symbols: {symbols:.0%} of characters"
    words = text.split()
    num_wordless = sum(
        1 for word in words if not word.isalpha() and _HAS_LETTER.search(word) is None
    )
    wordless = num_wordless / max(1, len(words))
    if wordless > limits.wordless:
        return f"symbols: {wordless:.0%} of words without a letter"
    return ""


def _repetition_problem(paragraphs: Sequence[str], limits: _Limits) -> str:
    lines = [line.strip() for paragraph in paragraphs for line in paragraph.split("\n")]
    lines = [line for line in lines if line]
    for name, pieces, limit in (
        ("lines", lines, limits.lines),
        ("paragraphs", paragraphs, limits.paragraphs),
    ):
        fraction = _repeated_fraction(pieces)
        if fraction > limit:
            return f"repetition: {fraction:.0%} of {name} repeat"
    words = list(islice((word for line in lines for word in line.split()), _MAX_PHRASE_WORDS))
    if len(words) < _MIN_PHRASE_WORDS:
        return ""
    share = _top_phrase_share(words)
    return f"repetition: {share:.0%} of words in one phrase" if share > limits.phrase else ""


def _repeated_fraction(pieces: Sequence[str]) -> float:
    """Return the share of characters in pieces that stood before."""
    total = sum(map(len, pieces)) or 1
    repeated = sum(
        (times - 1) * len(piece) for piece, times in Counter(pieces).items() if times > 1
    )
    return repeated / total


def _top_phrase_share(words: Sequence[str]) -> float:
    """Return the share of the words that the most common run of 4 words takes up."""
    shifted = (words[first:] for first in range(_PHRASE_WORDS))
    counts = Counter(zip(*shifted, strict=False))
    return min(1.0, max(counts.values(), default=0) * _PHRASE_WORDS / len(words))
