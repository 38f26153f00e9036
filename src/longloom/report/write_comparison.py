"""Write the page of a comparison: differences with intervals, and the questions that changed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from longloom.errors import DataError
from longloom.evaluation.answers import AnswerKey
from longloom.evaluation.comparing import ChangedQuestion, Comparison, PairedResults, question_pairs
from longloom.evaluation.results import QuestionResult, ScoredAnswer
from longloom.report.evaluation_contents import EvaluationContents
from longloom.report.evaluation_evidence import AskedOf, ShownText, shown_text
from longloom.report.evaluation_replies import ShownReply, read_replies, shortened
from longloom.report.templating import render
from longloom.runlog import atomic_write_bytes

MAX_CHANGES = 100
"""Questions won, and as many lost, that a page shows of each benchmark."""
_MAX_REPLY_CHARACTERS = 1_500
_MAX_GOLD_CHARACTERS = 600

Sides = tuple[EvaluationContents, EvaluationContents]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSide:
    """What one run made of a question."""

    answer: ScoredAnswer
    """Its best answer if it won the question, its worst if it lost it."""
    num_answers: int
    """How many there are."""
    reply: ShownReply | None
    """What the model wrote; None where it is not there any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownChange:
    """A question that the two runs score differently."""

    change: ChangedQuestion
    """Its scores."""
    result: QuestionResult | None
    """Of the first run; None where only scores are known."""
    golds: tuple[str, ...]
    """The accepted answers, cut."""
    text: ShownText | None
    """What it asks, and evidence; None where the text is not at hand."""
    sides: tuple[ShownSide, ...]
    """Both runs; empty where only scores are known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPair:
    """One benchmark, or one cell."""

    paired: PairedResults
    """Its figures."""
    groups: tuple[tuple[str, int, tuple[ShownChange, ...]], ...]
    """Questions won and lost: a title, how many there are, and those that are shown."""


def write_comparison(
    path: Path,
    comparison: Comparison,
    *,
    sides: Sides | None = None,
    asked_of: AskedOf | None = None,
) -> Path:
    """Write the page of a comparison and return its path.

    Args:
        path: the file.
        comparison: what was found.
        sides: both evaluations, for replies and golds; None where only scores are known.
        asked_of: gives the text of a question where its file is still there.

    Raises:
        DataError: answers.jsonl of a side is damaged, or the file cannot be written.
    """
    page = render(
        "comparison.html.j2",
        comparison=comparison,
        axis=_axis(comparison.paired),
        pairs=[
            ShownPair(paired=one, groups=tuple(_groups(one, sides, asked_of)))
            for one in comparison.paired
        ],
        has_texts=asked_of is not None,
        models=tuple(side.results.model for side in sides) if sides else (),
    )
    # Text of a model may hold half a surrogate pair, which UTF-8 cannot.
    atomic_write_bytes(path, page.encode("utf-8", "replace"))
    return path


def _axis(paired: Sequence[PairedResults]) -> tuple[float, float]:
    """Return the ends of the axis that all differences share, with 0 in it."""
    low = min(0.0, *(one.difference.low for one in paired))
    high = max(0.0, *(one.difference.high for one in paired))
    margin = max(0.01, 0.04 * (high - low))
    return low - margin, high + margin


def _groups(
    paired: PairedResults, sides: Sides | None, asked_of: AskedOf | None
) -> Iterator[tuple[str, int, tuple[ShownChange, ...]]]:
    won = [one for one in paired.changed if one.difference > 0]
    lost = [one for one in paired.changed if one.difference < 0]
    for title, changes in (("won", won), ("lost", lost)):
        shown = changes[:MAX_CHANGES]
        yield title, len(changes), tuple(_shown(shown, paired.name, sides, asked_of))


def _shown(
    changes: Sequence[ChangedQuestion],
    benchmark: str,
    sides: Sides | None,
    asked_of: AskedOf | None,
) -> Iterator[ShownChange]:
    if sides is None:
        for change in changes:
            yield ShownChange(change=change, result=None, golds=(), text=None, sides=())
        return
    pairs = question_pairs(sides[0].results, sides[1].results, benchmark)
    chosen = [
        {one.question_id: _index(pairs[one.question_id][number], one, number) for one in changes}
        for number in range(2)
    ]
    replies = [
        read_replies(
            side.path,
            {(benchmark, question_id, index) for question_id, index in own.items()},
            max_characters=_MAX_REPLY_CHARACTERS,
        )
        for side, own in zip(sides, chosen, strict=True)
    ]
    for change in changes:
        pair = pairs[change.question_id]
        golds = pair[0].golds[:8]
        yield ShownChange(
            change=change,
            result=pair[0],
            golds=tuple(shortened(gold, _MAX_GOLD_CHARACTERS) for gold in golds),
            text=_text(benchmark, pair[0], asked_of),
            sides=tuple(
                _side(pair[number], chosen[number][change.question_id], replies[number])
                for number in range(2)
            ),
        )


def _side(
    question: QuestionResult, index: int, replies: Mapping[AnswerKey, ShownReply]
) -> ShownSide:
    return ShownSide(
        answer=question.answers[index],
        num_answers=len(question.answers),
        reply=replies.get((question.benchmark, question.question_id, index)),
    )


def _index(question: QuestionResult, change: ChangedQuestion, number: int) -> int:
    """Return which answer is shown: the best of the side that scores higher, else the worst."""
    has_won = (change.difference > 0) == (number == 1)
    scores = [answer.strict + answer.parity for answer in question.answers]
    return scores.index(max(scores) if has_won else min(scores))


def _text(benchmark: str, question: QuestionResult, asked_of: AskedOf | None) -> ShownText | None:
    if asked_of is None:
        return None
    try:
        asked = asked_of(benchmark, question.question_id)
    except DataError:  # the files are there no more, or others
        return None
    return shown_text(asked, question.golds) if asked is not None else None
