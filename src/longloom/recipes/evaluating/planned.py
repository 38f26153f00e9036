"""What an evaluation would ask, before anybody is called."""

from dataclasses import dataclass

from longloom.evaluation.asking.one_answer import CLOSED_BOOK, SINGLE_PASS
from longloom.evaluation.benchmark import ReadSettings
from longloom.evaluation.questions import Asked
from longloom.recipes.evaluating.evaluation_run import EvaluationPlan
from longloom.recipes.evaluating.put import chosen_of, stated_limits
from longloom.recipes.evaluating.targets import Target
from longloom.text.estimated_tokens import EstimatedTokens

_CHARACTERS_PER_TOKEN = 4
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedBenchmark:
    """The size of one benchmark."""

    title: str
    """The benchmark."""
    num_questions: int
    """Questions that are asked."""
    num_answers: int
    """Answers that are drawn."""
    num_prompt_tokens: int
    """Tokens of all prompts, by four characters each; of a single pass after the cut."""
    most_written_tokens: int
    """Tokens that answers take at most, thinking included."""
    most_cost: float
    """What that costs at the prices stated; 0 without prices."""


def planned_benchmark(target: Target, plan: EvaluationPlan) -> PlannedBenchmark:
    """Return how much would be asked; the memory agent's own notes are not counted.

    Raises:
        DataError: the files are missing or damaged.
    """
    benchmark, asking = target.benchmark, plan.asking
    settings = ReadSettings(
        seed=asking.seed,
        count_tokens=EstimatedTokens().count,
        max_questions=asking.max_questions,
    )
    found = benchmark.read(target.folder, settings)
    chosen = chosen_of(benchmark, found, asking)
    num_samples = asking.num_samples or benchmark.num_samples
    max_prompt, max_new = stated_limits(benchmark, asking)
    num_tokens = written = 0
    for question in chosen:
        length = _num_characters(found.ask(question), plan.agent) // _CHARACTERS_PER_TOKEN
        num_tokens += min(length, max_prompt) if plan.agent == SINGLE_PASS else length
        own = question.max_new_tokens if asking.max_new_tokens is None else None
        written += max_new if own is None else min(max_new, own + asking.thinking_tokens)
    written *= num_samples
    cost = num_samples * num_tokens * asking.prompt_price + written * asking.answer_price
    return PlannedBenchmark(
        title=benchmark.title,
        num_questions=len(chosen),
        num_answers=len(chosen) * num_samples,
        num_prompt_tokens=num_samples * num_tokens,
        most_written_tokens=written,
        most_cost=cost / _MILLION,
    )


def _num_characters(asked: Asked, agent: str) -> int:
    if agent == CLOSED_BOOK:
        return len(asked.query)
    return len(asked.message) + sum(len(turn.content) for turn in asked.history)
