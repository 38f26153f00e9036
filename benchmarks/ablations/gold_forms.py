"""Gold answers in another form than the model's, and a judge that knows the forms.

The rule alone decides what is written as the gold answer is. To see what a judge adds, a fixed
share of the free-form training questions (multi-hop, reading, numerical) gets a gold answer that
says the same in other words, as annotators do:

    7            seven
    OrderedDict  OrderedDict, the base

The rule scores a right answer to such a question 0. The judge that stands in for a language model
is deterministic: it reads numbers written out and what stands before ", the". It is told question
and both answers, as any judge, and accepts nothing that is not the same. Held-out questions keep
their plain answers, for every arm.
"""

import hashlib
from dataclasses import replace

from longloom.records import Example, TaskType
from longloom.rewards import normalize_answer
from longloom.rewards.judge import Verdict

FREE_FORM_TASKS = (TaskType.MULTI_HOP, TaskType.NUMERICAL, TaskType.READING_COMPREHENSION)
_SMALL = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen", "twenty",
)  # fmt: skip
_MARK = ", the "


def in_other_form(example: Example, fraction: float) -> Example:
    """Return the example, its gold answer in another form if its id falls within `fraction`."""
    if example.task_type not in FREE_FORM_TASKS:
        return example
    digest = hashlib.sha256(f"form/{example.example_id}".encode()).digest()
    if int.from_bytes(digest[:4], "big") >= fraction * 2**32:
        return example
    return replace(example, answer=_reworded(example))


def _reworded(example: Example) -> str:
    answer = example.answer
    if answer.isdecimal() and int(answer) < len(_SMALL):
        return _SMALL[int(answer)]
    asked = example.question.partition(" is the ")[2].partition(" of ")[0] or "answer"
    return f"{answer}{_MARK}{asked}"


class FormJudge:
    """A judge that accepts the same answer in one of the forms above."""

    def __init__(self) -> None:
        self.num_asked = 0
        """Verdicts given."""
        self.num_accepted = 0
        """Of these, yes."""

    async def verdict(self, question: str, prediction: str, answer: str) -> Verdict:
        """Return whether both say the same; see `rewards.judge.Judge`."""
        self.num_asked += 1
        is_same = _plain(prediction) == _plain(answer) != ""
        self.num_accepted += is_same
        return Verdict.YES if is_same else Verdict.NO


def _plain(answer: str) -> str:
    said = answer.partition(_MARK)[0].strip().lower()
    if said in _SMALL:
        return str(_SMALL.index(said))
    return normalize_answer(said)
