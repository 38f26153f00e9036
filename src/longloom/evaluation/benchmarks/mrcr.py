"""OpenAI MRCR: find the second of eight poems about tapirs in a chat of up to a million tokens.

Facts of the dataset card (openai/mrcr, MIT): a row has `prompt` (a chat as JSON), `answer`,
`random_string_to_prepend`, `n_needles` (2, 4, 8) and `desired_msg_index`, the user's message whose
reply is to be repeated. The paper reports 0-128K, 128K-512K and 512K-1M tokens, counted by the
tokenizer of its model, where OpenAI bins by o200k_base; the borders are those of OpenAI's bins.
Rows beyond 1M by another tokenizer stay in the last set.
"""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from longloom.errors import DataError
from longloom.evaluation.benchmark import (
    Benchmark,
    CountTokens,
    HubFiles,
    ReadSettings,
    Source,
)
from longloom.evaluation.benchmarks.chats import chat_of, chat_text
from longloom.evaluation.benchmarks.files import find_files, questions_of_rows
from longloom.evaluation.benchmarks.l1_template import Spans
from longloom.evaluation.questions import Asked, Question, QuestionSet
from longloom.evaluation.rows import Row, RowPlace, describe, text_of, whole_number_of
from longloom.evaluation.scoring.sequence import score_mrcr
from longloom.records import ChatMessage

REVISION = "f4c69fae7cf81f7ca26b9fee34b392a50f6b8a1d"
"""Of the dataset, after its repair of December 2025."""
SETS = {"mrcr": (0, 131_072), "mrcr-512k": (131_072, 524_288), "mrcr-1m": (524_288, None)}
"""Tokens of prompt and answer: more than the first, at most the second."""
_BINS = (
    (8_192, "0-8K"),
    (16_384, "8K-16K"),
    (32_768, "16K-32K"),
    (65_536, "32K-64K"),
    (131_072, "64K-128K"),
    (262_144, "128K-256K"),
    (524_288, "256K-512K"),
    (1_048_576, "512K-1M"),
)
"""Most tokens of each bin, and its name."""
_NEEDLES = (2, 4, 8)
_SAMPLE_CHARACTERS = 2_000
_NEAR_BORDER_FRACTION = 0.1
_COUNTED = (
    "lengths are tokens of prompt and answer by the tokenizer at hand: counted near the borders of "
    "the sets, from a sample of the text elsewhere; OpenAI counts by o200k_base"
)


def estimated_tokens(text: str, count: CountTokens, borders: tuple[int, ...]) -> int:
    """Return the tokens of a text of one kind, counted in full only near a border.

    Beginning, middle and end are counted. A text whose estimate is within a tenth of a border is
    counted as a whole, so that on which side of it the text is does not rest on the estimate.
    """
    if len(text) <= 3 * _SAMPLE_CHARACTERS:
        return count(text)
    middle = (len(text) - _SAMPLE_CHARACTERS) // 2
    starts = (0, middle, len(text) - _SAMPLE_CHARACTERS)
    counted = sum(count(text[start : start + _SAMPLE_CHARACTERS]) for start in starts)
    estimate = round(counted * len(text) / (len(starts) * _SAMPLE_CHARACTERS))
    if any(abs(estimate - border) <= border * _NEAR_BORDER_FRACTION for border in borders):
        return count(text)
    return estimate


@dataclass(slots=True)
class _Reading:
    """Reads the rows of one set; remembers what it saw."""

    name: str
    count_tokens: CountTokens
    seen: Counter[str] = field(default_factory=Counter)
    dates: set[str] = field(default_factory=set)

    def question(self, row: Row, place: RowPlace) -> Question | None:
        """Return the question of a row, or None if its length is of another set."""
        asked = _ask(row, place)
        num_needles = whole_number_of(row, "n_needles", place)
        prefix, answer = _prefix_and_answer(row, place)
        question_id = self._id(f"{num_needles}needle-{_digest(text_of(row, 'prompt', place))}")
        self.dates.add(str(row.get("date_added", "")))
        least, most = SETS[self.name]
        num_tokens = estimated_tokens(
            f"{asked.context}\n{asked.after}\n{answer}",
            self.count_tokens,
            tuple(border for border in (least, most) if border),
        )
        if num_tokens <= least or (most is not None and num_tokens > most):
            return None
        return Question(
            question_id=question_id,
            golds=(answer,),
            facets={"needles": str(num_needles), "length": _bin(num_tokens)},
            scoring={"random_string_to_prepend": prefix},
            depths=tuple(start / max(1, len(asked.context)) for start, _ in asked.evidence),
        )

    def _id(self, name: str) -> str:
        """Return a name that no row before has: the rows have no ids of their own."""
        self.seen[name] += 1
        return name if self.seen[name] == 1 else f"{name}-{self.seen[name]}"


def _prefix_and_answer(row: Row, place: RowPlace) -> tuple[str, str]:
    prefix = text_of(row, "random_string_to_prepend", place)
    answer = text_of(row, "answer", place)
    if not prefix or not answer.startswith(prefix):
        raise DataError(
            f"{describe(place)}: `answer` does not begin with `random_string_to_prepend` "
            f"({prefix!r}); give the official file"
        )
    return prefix, answer


def _ask(row: Row, place: RowPlace) -> Asked:
    *history, last = chat_of(row, "prompt", place)
    if not history or last.role != "user":
        raise DataError(
            f"{describe(place)}: the chat of {len(history) + 1} messages ends with one of "
            f"{last.role!r}; expected earlier turns and a request of the user; give the official "
            "file"
        )
    context, spans = chat_text(history)
    return Asked(
        context=context,
        query=last.content,
        after=last.content,
        history=tuple(history),
        is_chat=True,
        evidence=_evidence(row, place, history, spans),
    )


def _evidence(row: Row, place: RowPlace, history: list[ChatMessage], spans: Spans) -> Spans:
    """Return the span of the wanted reply, if it stands where the row says."""
    prefix, answer = _prefix_and_answer(row, place)
    reply = whole_number_of(row, "desired_msg_index", place) + 1
    is_there = 0 < reply < len(history) and history[reply].content == answer.removeprefix(prefix)
    return (spans[reply],) if is_there else ()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _bin(num_tokens: int) -> str:
    return next((name for most, name in _BINS if num_tokens <= most), "over 1M")


def _reader(name: str) -> Callable[[Path, ReadSettings], QuestionSet]:
    def read(folder: Path, settings: ReadSettings) -> QuestionSet:
        """Read the rows of one range of lengths.

        Raises:
            DataError: a file is missing, damaged or of another format.
        """
        benchmark = next(benchmark for benchmark in BENCHMARKS if benchmark.name == name)
        reading = _Reading(name=name, count_tokens=settings.count_tokens)
        paths = find_files(folder, benchmark)
        found = questions_of_rows(paths, question=reading.question, ask=_ask)
        num_rows = reading.seen.total()
        dates = ", ".join(sorted(date for date in reading.dates if date)) or "unstated"
        return replace(
            found,
            notes=(
                _COUNTED,
                f"{len(found.questions)} of {num_rows} rows are of this length",
                f"dates of the rows: {dates}",
            ),
        )

    return read


def _benchmark(name: str, title: str) -> Benchmark:
    return Benchmark(
        name=name,
        title=title,
        measure="mean match ratio",
        source=Source(
            files=tuple(
                f"**/{needles}needle*.parquet|**/{needles}needle*.jsonl" for needles in _NEEDLES
            ),
            address="https://huggingface.co/datasets/openai/mrcr",
            licence="MIT",
            folder="mrcr",
            hub=HubFiles(
                repository="openai/mrcr",
                files=tuple(
                    f"{needles}needle/{needles}needle_{part}.parquet"
                    for needles in _NEEDLES
                    for part in (0, 1)
                ),
                revision=REVISION,
            ),
        ),
        read=_reader(name),
        score=lambda question, text: score_mrcr(
            text, question.golds, prefix=question.scoring["random_string_to_prepend"]
        ),
        facets=("needles", "length"),
    )


BENCHMARKS = (
    _benchmark("mrcr", "MRCR"),
    _benchmark("mrcr-1m", "MRCR 512K-1M"),
    _benchmark("mrcr-512k", "MRCR 128K-512K"),
)
"""The ranges of lengths that the paper reports, by name."""
