"""Read plain text: paragraphs from blank lines, and section headings where they are plain to see.

Lines of any length are read: a long one is cut at sentences or spaces into blocks of bounded size.
What it leaves out: tables drawn with spaces, and the hard line breaks of wrapped prose are kept.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from longloom.errors import DataError
from longloom.records import BlockKind, DocumentKind
from longloom.synthesis.documents.agreements import agreement_title, kind_of_agreement
from longloom.synthesis.documents.building import DocumentBuilder, Reading, clean_text
from longloom.synthesis.documents.reader import SourceFile

MAX_BLOCK_CHARACTERS = 4_000
"""A longer paragraph becomes several blocks."""
_MAX_BROKEN_FRACTION = 0.01
_MAX_CONTROL_FRACTION = 0.001
_SUFFIXES = frozenset({".txt", ".text", ""})
_BLANK_LINES = re.compile(r"\n[ \t\f\v]*\n\s*")
_SPACES = re.compile(r"[ \t\f\v\u00a0]+")
_CONTROL = re.compile(r"[\x01-\x08\x0e-\x1f]")
_MAX_HEADING_CHARACTERS = 90
_NUMBERED = re.compile(r"(\d{1,3}(?:\.\d{1,3}){0,4})\.?\s+[A-Z][^\n]*")
_ARTICLE = re.compile(r"(?:ARTICLE|Article)\s+(?:[IVXLC]+|\d{1,3})\b[^\n]*")
_SECTION = re.compile(r"(?:SECTION|Section)\s+\d{1,3}(?:\.\d{1,3})*\b[^\n]*")
_CAPITALS = re.compile(r"[A-Z][A-Z0-9 ,;:&'\u2019\"()/\-]*[A-Z)\"]:?")
_GUIDELINE_NAME = re.compile(r"sp800-\d+", re.IGNORECASE)
_CONTRACT_WORDS = re.compile(
    r"\b(?:agreement|contract|terms|policy|policies|addendum|lease|licence terms)\b", re.IGNORECASE
)
_CONTRACT_OPENING = re.compile(r"\((?:the|this)?\s*[\"“](?:Agreement|Contract|Terms)[\"”]\)", re.I)


def genre_of(name: str, title: str, opening: str) -> str:
    """Return `contract`, `guideline`, `readme` or `text`."""
    stem = PurePosixPath(name).stem
    if stem.lower().startswith("readme"):
        return "readme"
    if _GUIDELINE_NAME.match(stem) or "NIST Special Publication" in opening[:2_000]:
        return "guideline"
    if _CONTRACT_WORDS.search(title) or _CONTRACT_OPENING.search(opening[:6_000]):
        return "contract"
    return "text"


def kind_of_genre(genre: str) -> DocumentKind:
    """Return the kind of document a genre belongs to."""
    is_professional = genre in {"contract", "guideline"}
    return DocumentKind.PROFESSIONAL if is_professional else DocumentKind.GENERAL


def accepts(source: SourceFile) -> bool:
    """Say whether the file looks like plain text."""
    path = PurePosixPath(source.name)
    return path.suffix.lower() in _SUFFIXES and b"\0" not in source.payload[:4_096]


def read(source: SourceFile) -> Iterable[Reading]:
    """Return the one document of a plain text file."""
    text = decoded(source)
    if not text.strip():
        raise DataError("plain text: the file is empty")
    paragraphs = [_SPACES.sub(" ", part).strip() for part in _BLANK_LINES.split(text)]
    opening = "\n\n".join(paragraphs[:200])[:20_000]
    first_line = opening.lstrip().split("\n", 1)[0][:200]
    kind_name = kind_of_agreement(opening)
    genre = genre_of(source.name, kind_name or first_line, opening)
    title = agreement_title(opening) if genre == "contract" else ""
    builder = DocumentBuilder(
        title=title or source.name,
        kind=kind_of_genre(genre),
        genre=genre,
        source=source.name,
        licence=source.licence,
        may_be_altered=source.may_be_altered,
    )
    for paragraph in paragraphs:
        _add_paragraph(builder, paragraph)
    return [builder.build()]


def decoded(source: SourceFile) -> str:
    """Return the text of a file in UTF-8, with few bytes replaced.

    Raises:
        DataError: too many bytes are not UTF-8, or the file is binary.
    """
    text = clean_text(source.payload.decode("utf-8", "replace"))
    num_broken = text.count("\ufffd")
    if num_broken > _MAX_BROKEN_FRACTION * max(len(text), 100):
        raise DataError(f"not UTF-8: {num_broken} of {len(text)} characters cannot be decoded")
    num_control = sum(1 for _ in _CONTROL.finditer(text))
    if num_control > _MAX_CONTROL_FRACTION * max(len(text), 1_000):
        raise DataError(f"not text: {num_control} control characters in {len(text)}")
    return text


def bounded_pieces(text: str, limit: int = MAX_BLOCK_CHARACTERS) -> Iterator[str]:
    """Cut `text` into pieces of at most `limit` characters, at sentences or spaces if it can."""
    start = 0
    while len(text) - start > limit:
        window_end = start + limit
        cut = max(text.rfind(mark, start + limit // 2, window_end) for mark in (". ", ".\n", "\n"))
        if cut < 0:
            cut = text.rfind(" ", start + 1, window_end)
        cut = cut + 1 if cut >= 0 else window_end
        yield text[start:cut].strip()
        start = cut
    yield text[start:].strip()


def heading_level(line: str) -> int:
    """Return the level of a line that is a section heading, 0 if it is none."""
    if len(line) > _MAX_HEADING_CHARACTERS or (line[-1:] in {".", ",", ";"} and " " in line[:-1]):
        is_short_section = _SECTION.fullmatch(line) or _ARTICLE.fullmatch(line)
        if not is_short_section or len(line) > 30:
            return 0
    numbered = _NUMBERED.fullmatch(line)
    if numbered and len(line.split()) <= 12:
        return min(6, numbered.group(1).count(".") + 1)
    if _ARTICLE.fullmatch(line):
        return 1
    if _SECTION.fullmatch(line):
        return 2
    return 1 if len(line) > 3 and _CAPITALS.fullmatch(line) else 0


def _add_paragraph(builder: DocumentBuilder, paragraph: str) -> None:
    first, _, rest = paragraph.partition("\n")
    level = heading_level(first.strip())
    if level:
        builder.block(BlockKind.HEADING, first.strip(), level)
        paragraph = rest
    lines = (line.strip() for line in paragraph.split("\n"))
    for piece in bounded_pieces("\n".join(lines)):
        builder.block(BlockKind.PARAGRAPH, piece)
