r"""Check one row of somebody's file and say what it means.

Two shapes are read. verl's: data_source, prompt (a chat), reward_model (style, ground_truth),
ability, extra_info. TRL's: `prompt` (text or a chat) or `messages`, and the right answer in
`answer`, `ground_truth` or `solution`. A chat is of system, user and assistant, and ends with the
user. What a row says about code to run or functions to score it with is passed over: rewards are
Longloom's own, by the row's task. Task, rule and split are read where Longloom's own exports have
them: in `extra_info`, or in columns of their own.

Two conventions of answers are known: what follows `####` in numerical answers (GSM8K), and the last
`\boxed{...}` of a `solution`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import Field

from longloom.config import FrozenConfig
from longloom.errors import DataError
from longloom.records import RewardRule, Split, TaskType
from longloom.rewards.extraction import last_boxed
from longloom.rewards.rules import numeric_match
from longloom.synthesis.published.data_sources import (
    PUBLISHED_SOURCES,
    DataSource,
    find_source,
)
from longloom.synthesis.published.places import RowPlace, checked_text, is_unicode
from longloom.synthesis.published.prompts import QUESTION_IN_TEXT, split_prompt
from longloom.synthesis.published.reading import HELD_OUT_NAMES
from longloom.synthesis.published.rows import MAX_PROMPT_CHARACTERS, stated_answer

PROMPT_COLUMNS = ("prompt", "messages")
ANSWER_COLUMNS = ("answer", "ground_truth", "solution")
STATED_COLUMNS = ("task_type", "reward_rule", "split")
"""What rows of `export --for trl` and `jsonl` say of themselves; `extra_info` comes first."""
COLUMNS = (
    "data_source", *PROMPT_COLUMNS, "reward_model", *ANSWER_COLUMNS, "ability", "question",
    "extra_info", *STATED_COLUMNS,
)  # fmt: skip
"""What is read of a row; other columns are passed over."""
EVERY_SOURCE = "*"
"""Stands in `RowsConfig.tasks` for sources that are not named, and for rows without one."""

_NUMERICAL_SOURCES = frozenset({"openai/gsm8k", "gsm8k"})
_ROLES = ("system", "user", "assistant")
_MAX_QUESTION_CHARACTERS = 4_000
_MAX_PROMPT_END_CHARACTERS = 1_000
_MAX_ABILITY_CHARACTERS = 60


class RowsConfig(FrozenConfig):
    """How rows of a training file are understood; nothing of it matters for synthesised folders."""

    tasks: dict[str, TaskType] = Field(default_factory=dict)
    """Task, and so the reward rule, of rows by their `data_source`; `*` is every other row."""
    suffix: str = ""
    """Added to the last message of every prompt, such as the sentence that asks for "the answer is
    (insert answer here)", which the rules read."""
    validation_file: str = ""
    """Another file of such rows, for validation during training; rows of the first file that state
    a held-out split are used for it too."""


Message = Mapping[str, str]
"""`role` and `content`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRow:
    """A row that can be trained on."""

    messages: tuple[Message, ...]
    """The chat, as the model will see it."""
    question: str
    """What a judge is told about it."""
    answer: str
    """The answer alone."""
    source: DataSource
    """Its task and reward rule."""
    ability: str
    """Its question category."""
    split: Split
    """Held out if it says so, else for training."""


def check_row(plain: object, place: RowPlace, config: RowsConfig) -> TrainingRow:
    """Return a row.

    Raises:
        DataError: it cannot be used; the message names file, row, column and value.
    """
    if not isinstance(plain, dict):
        raise place.refuse("all", plain, "a JSON object")
    stated = _stated(plain)
    source = _source(plain, stated, config, place)
    messages = _messages(plain, config, place)
    return TrainingRow(
        messages=messages,
        question=_question(plain, stated, messages[-1]["content"]),
        answer=_answer(plain, source, place),
        source=source,
        ability=_short_text(plain.get("ability")) or source.task_type.value,
        split=_split(stated),
    )


def check_chat(value: object, column: str, place: RowPlace, *, last: str) -> list[Message]:
    """Return a chat whose last message is by `last`.

    Raises:
        DataError: it is no such chat.
    """
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise place.refuse(column, value, "a chat: a list of messages with role and content")
    messages: list[Message] = []
    for message in value:
        role = message.get("role") if isinstance(message, Mapping) else None
        if role not in _ROLES:
            raise place.refuse(f"{column}.role", str(role), f"one of {', '.join(_ROLES)}")
        content = checked_text(message.get("content"), f"{column}.content", place)
        messages.append({"role": role, "content": content})
    if messages[-1]["role"] != last:
        raise place.refuse(f"{column}.role", messages[-1]["role"], f"the last to be {last}")
    num_characters = sum(len(message["content"]) for message in messages)
    if num_characters > MAX_PROMPT_CHARACTERS:
        found = f"{num_characters} characters"
        raise place.refuse(column, found, f"at most {MAX_PROMPT_CHARACTERS}")
    return messages


def _stated(plain: Mapping[str, object]) -> Mapping[str, object]:
    """Return what a row says of itself, in `extra_info` or beside it."""
    extra = plain.get("extra_info")
    beside = {name: plain[name] for name in STATED_COLUMNS if plain.get(name) is not None}
    return {**beside, **extra} if isinstance(extra, Mapping) else beside


def _source(
    plain: Mapping[str, object],
    stated: Mapping[str, object],
    config: RowsConfig,
    place: RowPlace,
) -> DataSource:
    name = plain.get("data_source")
    if name is None and stated.get("task_type") in tuple(TaskType):
        name = stated["task_type"]
    if name is not None and not isinstance(name, str):
        raise place.refuse("data_source", name, "text")
    task = config.tasks.get(name or "")
    if name and task in (None, name):
        known = find_source(name, _stated_rule(name, stated, place))
        if known is not None:
            return known
        if name in _NUMERICAL_SOURCES:
            task = TaskType.NUMERICAL
    task = task or config.tasks.get(EVERY_SOURCE)
    if task is None:
        fix = f"--task {name}=TASK" if name else "--task TASK"
        raise place.refuse(
            "data_source",
            name or "nothing",
            f"one of {', '.join(PUBLISHED_SOURCES)}; else say which task it is with {fix}, TASK "
            f"being one of {', '.join(TaskType)}",
        )
    source = find_source(task.value)
    assert source is not None
    return source


def _stated_rule(name: str, stated: Mapping[str, object], place: RowPlace) -> str:
    """Return the rule that a row of one of Longloom's own tasks states; empty if it states none."""
    rule = stated.get("reward_rule")
    if name not in tuple(TaskType) or rule is None:
        return ""
    if rule not in tuple(RewardRule):
        raise place.refuse("reward_rule", rule, f"one of {', '.join(RewardRule)}")
    return str(rule)


def _messages(
    plain: Mapping[str, object], config: RowsConfig, place: RowPlace
) -> tuple[Message, ...]:
    present = [column for column in PROMPT_COLUMNS if plain.get(column) is not None]
    if len(present) != 1:
        found = " and ".join(present) or "nothing"
        raise place.refuse("prompt", found, "either prompt or messages")
    column, value = present[0], plain[present[0]]
    if isinstance(value, str):
        value = [{"role": "user", "content": value}]
    *earlier, last = check_chat(value, column, place, last="user")
    if config.suffix:
        last = {**last, "content": last["content"] + config.suffix}
    return (*earlier, last)


def _question(plain: Mapping[str, object], stated: Mapping[str, object], prompt: str) -> str:
    """Return what is asked: as stated, or found in the prompt, or the end of the prompt itself."""
    for value in (plain.get("question"), stated.get("question")):
        if isinstance(value, str) and value.strip() and is_unicode(value):
            return value[-_MAX_QUESTION_CHARACTERS:]
    question = split_prompt(prompt)[1]
    if question == QUESTION_IN_TEXT:
        return prompt[-_MAX_PROMPT_END_CHARACTERS:]
    return question[-_MAX_QUESTION_CHARACTERS:]


def _answer(plain: Mapping[str, object], source: DataSource, place: RowPlace) -> str:
    column, truth = _stated_truth(plain, place)
    if source.reward_rule is RewardRule.NUMERIC and "####" in truth:
        truth = truth.rpartition("####")[2].strip()
    elif column == "solution":
        truth = last_boxed(truth) or truth
    answer = stated_answer(truth, column, source, place)
    is_numeric = source.reward_rule is RewardRule.NUMERIC
    # The sentences of published sets are left to the rule that decides where there is no number.
    if is_numeric and not source.is_sentence and numeric_match(answer, answer) is None:
        raise place.refuse(column, answer, "one plain number, or yes or no, as the rule numeric")
    return answer


def _stated_truth(plain: Mapping[str, object], place: RowPlace) -> tuple[str, str]:
    """Return the column of the right answer and what it holds; numbers become text."""
    model = plain.get("reward_model")
    if model is not None:
        if not isinstance(model, Mapping):
            raise place.refuse("reward_model", model, "style and ground_truth")
        column, value = "reward_model.ground_truth", model.get("ground_truth")
    else:
        present = [name for name in ANSWER_COLUMNS if plain.get(name) is not None]
        if len(present) != 1:
            found = " and ".join(present) or "nothing"
            expected = f"one of reward_model, {', '.join(ANSWER_COLUMNS)}"
            raise place.refuse("answer", found, expected)
        column, value = present[0], plain[present[0]]
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    return column, checked_text(value, column, place)


def _split(stated: Mapping[str, object]) -> Split:
    name = stated.get("split")
    is_held_out = isinstance(name, str) and name.lower() in HELD_OUT_NAMES
    return Split.HELD_OUT if is_held_out else Split.TRAIN


def _short_text(value: object) -> str:
    is_usable = isinstance(value, str) and is_unicode(value)
    return value[:_MAX_ABILITY_CHARACTERS] if is_usable and isinstance(value, str) else ""


def listed_errors(path: object, errors: Sequence[DataError], num_bad: int) -> DataError:
    """Return one error about all rows that cannot be used: a line for each, the file once."""
    lines = [str(error).removeprefix(f"{path}, ") for error in errors]
    if num_bad > len(lines):
        lines.append(f"... and {num_bad - len(lines)} more rows")
    rows = "1 row" if num_bad == 1 else f"{num_bad} rows"
    return DataError(f"{rows} of {path} cannot be used:\n  " + "\n  ".join(lines))
