"""A scripted model of known accuracy: it answers a planted share of questions rightly.

It knows a question by its whole prompt, so a prompt that is not the benchmark's own is answered
wrongly.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from longloom.evaluation.benchmark import Benchmark, ReadSettings
from longloom.evaluation.questions import Question, QuestionSet
from longloom.text.estimated_tokens import EstimatedTokens
from scripted_endpoint import prompt_of

WRONG = "Therefore, the answer is (zzyzx)."
WINDOW_TOKENS = 1_000_000

_RIGHT: Mapping[str, Callable[[Question], str]] = {
    "bfcl-memory": lambda question: f"It is {question.golds[0]}.",
    "longbench-v2": lambda question: f"The correct answer is ({question.golds[0]}).",
    "mrcr": lambda question: question.golds[0],
    "ruler": lambda question: ", ".join(question.golds),
}


def right_reply(benchmark: Benchmark, question: Question) -> str:
    """Return a reply that is right in the form that the benchmark asks for."""
    family = benchmark.name if benchmark.name in _RIGHT else benchmark.name.partition("-")[0]
    stated = _RIGHT.get(family)
    if stated:
        return stated(question)
    return f"Therefore, the answer is {' '.join(question.golds[0].split())}"


def read(benchmark: Benchmark, folder: Path, max_questions: int | None = None) -> QuestionSet:
    """Read a benchmark as an evaluation without a tokenizer does."""
    settings = ReadSettings(count_tokens=EstimatedTokens().count, max_questions=max_questions)
    return benchmark.read(folder, settings)


class PlantedModel:
    """Answers two of five questions rightly, in the benchmark's order."""

    def __init__(self, benchmark: Benchmark, found: QuestionSet) -> None:
        """Learn the prompts of all questions of `benchmark`."""
        self.value_by_id: dict[str, float] = {}
        self._reply_by_prompt: dict[str, str] = {}
        for number, question in enumerate(found.questions):
            message = found.ask(question).message
            right = right_reply(benchmark, question)
            # Some sets ask the same twice, even with other answers.
            given = self._reply_by_prompt.setdefault(
                message, right if number % 5 % 3 == 0 else WRONG
            )
            self.value_by_id[question.question_id] = float(given == right)

    def __call__(self, body: Mapping[str, Any]) -> str:
        """Return the reply to a posted chat."""
        return self._reply_by_prompt.get(prompt_of(dict(body)), WRONG)

    def share(self, question_ids: list[str]) -> float:
        """Return the planted accuracy of some questions."""
        return sum(self.value_by_id[one] for one in question_ids) / len(question_ids)
