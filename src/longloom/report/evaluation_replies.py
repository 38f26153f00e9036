"""What a model replied, read from answers.jsonl: only what a page shows is kept in memory."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from longloom.evaluation.answers import ANSWERS_FILE, ANSWERS_SCHEMA, Answer, AnswerKey
from longloom.rewards.extraction import THINK_BEGIN, THINK_END
from longloom.runlog import iterate_records

MAX_REPLY_CHARACTERS = 4_000
"""Characters of a reply, and of its reasoning, that a page shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownReply:
    """One reply, cut to what a page shows."""

    text: str
    """What follows the thinking."""
    reasoning: str
    """The thinking, from the server or from tags in the text."""
    error: str
    """Why there is no reply, or empty."""
    num_characters: int
    """Characters of the whole reply, thinking included."""


def read_replies(
    folder: Path,
    wanted: Collection[AnswerKey],
    *,
    max_characters: int = MAX_REPLY_CHARACTERS,
) -> dict[AnswerKey, ShownReply]:
    """Return the wanted replies that are there; none if there is no file of them.

    Raises:
        DataError: the file is damaged.
    """
    path = folder / ANSWERS_FILE
    if not path.is_file():
        return {}
    found: dict[AnswerKey, ShownReply] = {}
    for record in iterate_records(path, schema=ANSWERS_SCHEMA):
        if record is None:
            continue
        answer = Answer.from_json(record)
        if answer.key in wanted:  # a later line replaces an earlier one
            found[answer.key] = _shown(answer, max_characters)
    return found


def shortened(text: str, max_characters: int) -> str:
    """Return a text without its middle if it is too long, and say how much was left out."""
    if len(text) <= max_characters:
        return text
    half = max_characters // 2
    left_out = len(text) - 2 * half
    return f"{text[:half]}\n[... {left_out:,} characters left out ...]\n{text[-half:]}"


def opening(text: str, max_characters: int) -> str:
    """Return the beginning of a text on one line."""
    # Only so much is looked at as can be shown: a text may have millions of characters.
    line = " ".join(text[: 4 * max_characters].split())
    is_whole = len(line) <= max_characters and len(text) <= 4 * max_characters
    return line if is_whole else f"{line[:max_characters]} ..."


def _shown(answer: Answer, max_characters: int) -> ShownReply:
    thinking, closing, visible = answer.text.rpartition(THINK_END)
    if not closing and answer.text.lstrip().startswith(THINK_BEGIN):
        thinking, visible = answer.text, ""  # the thinking never ended
    reasoning = answer.reasoning + thinking.lstrip().removeprefix(THINK_BEGIN)
    return ShownReply(
        text=shortened(visible.strip(), max_characters),
        reasoning=shortened(reasoning.strip(), max_characters),
        error=shortened(answer.error, 600),
        num_characters=len(answer.text) + len(answer.reasoning),
    )
