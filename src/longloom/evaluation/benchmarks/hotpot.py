"""All questions and paragraphs of a HotpotQA file, for the benchmarks that are made of it.

A paragraph is its title, a line break and its sentences, as RULER and MemAgent write it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from longloom.errors import DataError
from longloom.evaluation.benchmarks.hotpot_rows import (
    HotpotParagraph,
    hotpot_id,
    hotpot_paragraphs,
)
from longloom.evaluation.rows import describe, read_places, text_of


@dataclass(frozen=True, slots=True, kw_only=True)
class HotpotQuestion:
    """One question."""

    question_id: str
    """Its id in the file."""
    question: str
    """What is asked."""
    answer: str
    """The one accepted answer."""
    paragraphs: tuple[int, ...]
    """Its own paragraphs, gold ones and official distractors, by number."""
    gold_paragraphs: tuple[int, ...]
    """Those of them that the answer rests on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HotpotFile:
    """A whole file."""

    questions: Sequence[HotpotQuestion]
    """In the file's order."""
    paragraphs: Sequence[str]
    """All paragraphs of all questions, each once, sorted."""


def read_hotpot(path: Path) -> HotpotFile:
    """Return the questions and paragraphs of a file; kept for the next size of the same.

    Raises:
        DataError: the file is damaged, or of neither layout.
    """
    status = path.stat()
    return _read_hotpot(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=1)
def _read_hotpot(path: Path, changed_ns: int, size_bytes: int) -> HotpotFile:
    stated = [(row, place, hotpot_paragraphs(row, place)) for place, row in read_places(path)]
    texts = sorted({_text(one) for _, _, paragraphs in stated for one in paragraphs})
    number_by_text = {text: number for number, text in enumerate(texts)}
    questions: list[HotpotQuestion] = []
    for row, place, paragraphs in stated:
        numbers = dict.fromkeys(number_by_text[_text(one)] for one in paragraphs)
        found = dict.fromkeys(number_by_text[_text(one)] for one in paragraphs if one.facts)
        if not found:
            raise DataError(
                f"{describe(place)}: none of its paragraphs is named by 'supporting_facts'; give "
                "the official file"
            )
        questions.append(
            HotpotQuestion(
                question_id=hotpot_id(row, place),
                question=text_of(row, "question", place),
                answer=text_of(row, "answer", place),
                paragraphs=tuple(numbers),
                gold_paragraphs=tuple(found),
            )
        )
    return HotpotFile(questions=questions, paragraphs=texts)


def numbered(paragraphs: Sequence[str]) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Return paragraphs as "Document 1:" and so on with blank lines between, and their spans."""
    pieces: list[str] = []
    spans: list[tuple[int, int]] = []
    length = 0
    for number, paragraph in enumerate(paragraphs, start=1):
        opening = f"\n\nDocument {number}:\n" if pieces else f"Document {number}:\n"
        pieces += (opening, paragraph)
        spans.append((length + len(opening), length + len(opening) + len(paragraph)))
        length += len(opening) + len(paragraph)
    return "".join(pieces), tuple(spans)


def _text(paragraph: HotpotParagraph) -> str:
    return f"{paragraph.title}\n{''.join(paragraph.sentences)}"
