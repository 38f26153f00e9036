"""Questions and paragraphs of a HotpotQA development file, for the benchmarks that are made of it.

Two layouts are read: the official JSON (`_id`, `question`, `answer`, `context` as pairs of a title
and its sentences), and JSON Lines with the two gold paragraphs as `para_a` and `para_b`. A
paragraph is its title, a line break and its sentences, as RULER and MemAgent write it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from longloom.errors import DataError
from longloom.evaluation.rows import Row, RowPlace, describe, read_places, text_of


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
    stated: list[tuple[Row, RowPlace, list[tuple[str, str]], set[str]]] = []
    for place, row in read_places(path):
        titled = _sample_paragraphs(row, place) if "para_a" in row else _paragraphs(row, place)
        stated.append((row, place, titled, _gold_titles(row, place)))
    texts = sorted({text for _, _, titled, _ in stated for _, text in titled})
    number_by_text = {text: number for number, text in enumerate(texts)}
    questions: list[HotpotQuestion] = []
    for row, place, titled, golds in stated:
        numbers = dict.fromkeys(number_by_text[text] for _, text in titled)
        found = dict.fromkeys(number_by_text[text] for title, text in titled if title in golds)
        if not found:
            raise DataError(
                f"{describe(place)}: none of its paragraphs is named by 'supporting_facts'; give "
                "the official file"
            )
        questions.append(
            HotpotQuestion(
                question_id=text_of(row, "_id", place),
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


def _paragraphs(row: Row, place: RowPlace) -> list[tuple[str, str]]:
    return [_paragraph(pair, place) for pair in _list(row, "context", place)]


def _sample_paragraphs(row: Row, place: RowPlace) -> list[tuple[str, str]]:
    golds = [
        _paragraph([text_of(row, f"title_{side}", place), row.get(f"para_{side}")], place)
        for side in "ab"
    ]
    others = [_paragraph(pair, place) for pair in _list(row, "distractors", place)]
    return sorted(golds + others)  # the layout keeps no order; gold ones must not stand first


def _gold_titles(row: Row, place: RowPlace) -> set[str]:
    if "para_a" in row:
        return {text_of(row, f"title_{side}", place) for side in "ab"}
    facts = _list(row, "supporting_facts", place)
    return {str(fact[0]) for fact in facts if isinstance(fact, list) and fact}


def _paragraph(pair: object, place: RowPlace) -> tuple[str, str]:
    if isinstance(pair, list) and len(pair) >= 2:
        title, sentences = pair[:2]  # samples add how well a search found it
        if isinstance(title, str) and isinstance(sentences, list):
            return title, f"{title}\n{''.join(map(str, sentences))}"
    raise DataError(
        f"{describe(place)}: a paragraph is no pair of a title and its sentences; give the "
        "official file"
    )


def _list(row: Row, name: str, place: RowPlace) -> list[object]:
    value = row.get(name)
    if not isinstance(value, list):
        raise DataError(
            f"{describe(place)}: field {name!r} is no list; expected HotpotQA's; the fields are "
            f"{', '.join(sorted(row))}; give the official development file"
        )
    return value
