"""Read the rows of a verl file and check each before it is believed.

verl's columns: data_source, prompt (a chat), ability, reward_model (style, ground_truth),
extra_info. Parquet is read a few rows at a time, JSON Lines line by line; a row that cannot be
used is an error that names file, row, column and value.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from longloom.errors import DataError
from longloom.records import RewardRule
from longloom.rewards.extraction import MAX_ANSWER_CHARACTERS
from longloom.synthesis.published.data_sources import (
    KNOWN_SOURCES,
    DataSource,
    find_answer,
    find_source,
)
from longloom.synthesis.published.files import read_plain_rows
from longloom.synthesis.published.places import RowPlace, checked_text, is_unicode

MAX_PROMPT_CHARACTERS = 20_000_000
"""About four million tokens, forty times the longest prompt of the papers."""
MAX_REPLY_CHARACTERS = 100_000
"""Verbatim replies may be longer than other answers; this one would take minutes to compare."""

_SHOWN_CHARACTERS = 60
_REQUIRED = ("data_source", "prompt", "reward_model")
_READ = (*_REQUIRED, "ability", "extra_info")


@dataclass(frozen=True, slots=True, kw_only=True)
class VerlRow:
    """A row that can be used."""

    name: str
    """Its `data_source`."""
    source: DataSource
    """What that means."""
    prompt: str
    """The user's message, document and all."""
    answer: str
    """The answer alone."""
    ability: str
    """Its question category; empty if it states none."""
    split: str
    """The split it states; empty if it states none."""
    num_hops: int
    """Reasoning steps it states; 1 if it states none."""


def read_rows(path: Path) -> Iterator[VerlRow | DataError]:
    """Yield every row of a file, or why it cannot be used; rows count from 0.

    Raises:
        DataError: the file as a whole cannot be read.
    """
    plain_rows = read_plain_rows(path, wanted=_READ, required=_REQUIRED)
    for number, plain in enumerate(plain_rows):
        try:
            yield _checked(plain, RowPlace(path, number))
        except DataError as error:
            yield error


def _checked(plain: object, place: RowPlace) -> VerlRow:
    if not isinstance(plain, dict):
        raise place.refuse("all", plain, f"a JSON object with {', '.join(_REQUIRED)}")
    for column in _REQUIRED:
        if plain.get(column) is None:
            raise place.refuse(column, "nothing", "a value")
    extra = plain.get("extra_info")
    stated = extra if isinstance(extra, Mapping) else {}
    name = checked_text(plain["data_source"], "data_source", place)
    source = find_source(name, _string(stated, "reward_rule"))
    if source is None:
        raise place.refuse("data_source", name, f"one of {', '.join(KNOWN_SOURCES)}")
    hops = stated.get("reasoning_hop", stated.get("num_hops"))
    return VerlRow(
        name=name,
        source=source,
        prompt=_prompt(plain["prompt"], place),
        answer=_answer(plain["reward_model"], source, place),
        ability=_string(plain, "ability"),
        split=_string(stated, "split"),
        num_hops=hops if isinstance(hops, int) and 0 < hops < 1_000 else 1,
    )


def _string(fields: Mapping[str, object], name: str) -> str:
    """Return an optional text, cut: nothing rests on it."""
    value = fields.get(name)
    return value[:_SHOWN_CHARACTERS] if isinstance(value, str) and is_unicode(value) else ""


def _prompt(value: object, place: RowPlace) -> str:
    """Return the one message of the user; what a system message says is left out."""
    if not isinstance(value, list):
        raise place.refuse("prompt", value, "a chat: a list of messages with role and content")
    contents = []
    for message in value:
        if not isinstance(message, dict) or message.get("role") not in ("system", "user"):
            raise place.refuse("prompt", str(message), "messages of system and user alone")
        if message["role"] == "user":
            contents.append(checked_text(message.get("content"), "prompt.content", place))
    if len(contents) != 1:
        raise place.refuse("prompt", f"{len(contents)} messages of the user", "one")
    if len(contents[0]) > MAX_PROMPT_CHARACTERS:
        found = f"{len(contents[0])} characters"
        raise place.refuse("prompt.content", found, f"at most {MAX_PROMPT_CHARACTERS}")
    return contents[0]


def _answer(value: object, source: DataSource, place: RowPlace) -> str:
    column = "reward_model.ground_truth"
    if not isinstance(value, dict):
        raise place.refuse("reward_model", value, "style and ground_truth")
    truth = checked_text(value.get("ground_truth"), column, place)
    return stated_answer(truth, column, source, place)


def stated_answer(truth: str, column: str, source: DataSource, place: RowPlace) -> str:
    """Return the answer that a ground truth states, if a reward can match it.

    Raises:
        DataError: there is none, or it is longer than any rule reads.
    """
    is_reply = source.reward_rule is RewardRule.SEQUENCE_MATCH
    limit = MAX_REPLY_CHARACTERS if is_reply else MAX_ANSWER_CHARACTERS
    answer = find_answer(truth, source) if len(truth) <= MAX_REPLY_CHARACTERS else truth
    if len(answer) > limit:
        found = f"{len(answer)} characters"
        raise place.refuse(column, found, f"an answer of at most {limit}, or no reward can match")
    if not answer.strip():
        raise place.refuse(column, truth, f"an answer for the rule {source.reward_rule}")
    return answer
