"""One sample of a task, and the haystack that its needles are put into."""

import random
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from longloom.errors import DataError
from longloom.evaluation.benchmarks.ruler.words import filler_sentences

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_MAX_HAYSTACK_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one question consists of."""

    before: str
    """Opening sentence, and a solved example where the task has one."""
    context: str
    """The haystack with its needles."""
    question: str
    """What is asked."""
    answer_prefix: str
    """How the answer begins; the prompt ends with it."""
    outputs: tuple[str, ...]
    """What the answer must hold."""
    evidence: tuple[tuple[int, int], ...] = ()
    """Half-open spans of `context` that hold what is asked for."""

    @property
    def after(self) -> str:
        """What follows the context: question and beginning of the answer."""
        return f"\n{self.question}{self.answer_prefix}"


MakeSample = Callable[[int, random.Random], Sample]
"""Makes a sample with a haystack of so many units: lines, sentences, words, paragraphs."""


class Prose:
    """Sentences without end: of a given text, again and again, or put together here."""

    def __init__(self, path: Path | None, seed: int) -> None:
        """Read `path`, or begin to make sentences.

        Raises:
            DataError: the file cannot be read, or has no sentence.
        """
        self._made = filler_sentences(random.Random(f"prose/{seed}"))
        self._sentences = [] if path is None else _read_sentences(path)
        self._is_given = path is not None
        self._text = "\n".join(self._sentences)

    def take(self, num_sentences: int) -> list[str]:
        """Return the first sentences."""
        if self._is_given:
            rounds = -(-num_sentences // len(self._sentences))
            return (self._sentences * rounds)[:num_sentences]
        while len(self._sentences) < num_sentences:
            self._sentences.append(next(self._made))
        return self._sentences[:num_sentences]

    def holds(self, text: str) -> bool:
        """Return whether a given text holds `text`; made sentences hold no digit and no hyphen."""
        return text in self._text


def join_pieces(
    pieces: Sequence[str], separator: str, marked: Collection[int]
) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Return pieces as one text, and the spans of the marked ones."""
    spans: list[tuple[int, int]] = []
    start = 0
    for number, piece in enumerate(pieces):
        if number in marked:
            spans.append((start, start + len(piece)))
        start += len(piece) + len(separator)
    return separator.join(pieces), tuple(spans)


def put_into(
    lines: Sequence[str], needles: Sequence[str], places: Sequence[int]
) -> tuple[list[str], list[int]]:
    """Put each needle ahead of the line at its place; return all lines and where needles are.

    Args:
        lines: the haystack.
        needles: in the order in which they are to stand.
        places: one for each, not decreasing.
    """
    pieces: list[str] = []
    found: list[int] = []
    start = 0
    for needle, place in zip(needles, places, strict=True):
        pieces += lines[start:place]
        found.append(len(pieces))
        pieces.append(needle)
        start = place
    pieces += lines[start:]
    return pieces, found


def distinct(make: Callable[[], str], taken: Collection[str]) -> Iterator[str]:
    """Yield what `make` makes, each once and nothing that is taken already."""
    seen = set(taken)
    while True:
        made = make()
        if made not in seen:
            seen.add(made)
            yield made


def _read_sentences(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_HAYSTACK_BYTES).decode("utf-8", "replace")
    except OSError as error:
        raise DataError(f"cannot read {path}: {error}") from None
    sentences = [" ".join(one.split()) for one in _SENTENCE_END.split(text)]
    sentences = [one for one in sentences if one]
    if not sentences:
        raise DataError(f"{path} holds no text; put prose there, or remove it")
    return sentences
