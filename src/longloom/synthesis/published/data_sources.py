"""What the `data_source` of a published row means: its task, its reward rule, its answer.

DocQA-RL-1.6K names its sources with the range of lengths behind them (`docmath_20000_40000`), and
its ground truths are whole sentences ("Therefore, the answer is ..."), from which its reward takes
the answer as it does from a response. Longloom's own task types state the answer alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from longloom.records import RewardRule, TaskType
from longloom.rewards.extraction import leading_choice

NO_PROGRAM = '{"op":"none"}'
"""Stands where a woven example has the program that gives its answer."""

_PHRASES = ("the answer is", "correct answer is")
"""As in the reward of QwenLong-L1: the text after the last one is the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSource:
    """How rows of a source are understood."""

    task_type: TaskType
    """Their task."""
    reward_rule: RewardRule
    """How answers are scored."""
    is_sentence: bool
    """Whether the ground truth is a sentence around the answer."""


def _published(task_type: TaskType, reward_rule: RewardRule) -> DataSource:
    return DataSource(task_type=task_type, reward_rule=reward_rule, is_sentence=True)


PUBLISHED_SOURCES: Mapping[str, DataSource] = {
    "docmath": _published(TaskType.NUMERICAL, RewardRule.NUMERIC),
    "long_toc_choices": _published(TaskType.MULTIPLE_CHOICE, RewardRule.CHOICE),
    "multihoprag": _published(TaskType.MULTI_HOP, RewardRule.COVER_EXACT_MATCH),
    "musique": _published(TaskType.MULTI_HOP, RewardRule.COVER_EXACT_MATCH),
}
"""Sources of DocQA-RL-1.6K by what their names begin with."""

_RULE_BY_TASK: Mapping[TaskType, RewardRule] = {
    TaskType.DIALOGUE_MEMORY: RewardRule.SEQUENCE_MATCH,
    TaskType.MULTI_HOP: RewardRule.COVER_EXACT_MATCH,
    TaskType.MULTIPLE_CHOICE: RewardRule.CHOICE,
    TaskType.NUMERICAL: RewardRule.NUMERIC,
    TaskType.READING_COMPREHENSION: RewardRule.COVER_EXACT_MATCH,
}

KNOWN_SOURCES = (*sorted(PUBLISHED_SOURCES), *(task.value for task in TaskType))
"""What a `data_source` may be, or begin with."""


def find_source(name: str, reward_rule: str = "") -> DataSource | None:
    """Return what `name` means, or None if nobody knows.

    Args:
        name: the row's `data_source`.
        reward_rule: the rule the row itself states; of Longloom's own tasks alone.
    """
    if name in tuple(TaskType):
        task = TaskType(name)
        stated = reward_rule in tuple(RewardRule)
        rule = RewardRule(reward_rule) if stated else _RULE_BY_TASK[task]
        return DataSource(task_type=task, reward_rule=rule, is_sentence=False)
    for start, source in PUBLISHED_SOURCES.items():
        if name == start or name.startswith(f"{start}_"):
            return source
    return None


def find_answer(ground_truth: str, source: DataSource) -> str:
    """Return the answer that a ground truth states; empty if it states none."""
    answer = ground_truth
    if source.is_sentence:
        answer = _after_phrase(ground_truth.replace("*", ""))
    if source.reward_rule is RewardRule.CHOICE:
        return leading_choice(answer) or ""
    return answer


def _after_phrase(sentence: str) -> str:
    lowered = sentence.lower()
    for phrase in _PHRASES:
        place = lowered.rfind(phrase)
        # Lower case may be longer than the text (a dotted capital I); then positions mean nothing.
        if place >= 0 and len(lowered) == len(sentence):
            return sentence[place + len(phrase) :].lstrip(" :\n").rstrip(" .\n")
    return sentence.strip().rstrip(" .")
