"""What an evaluation would ask, before anybody is called."""

from dataclasses import dataclass

from longloom.evaluation.asking import SINGLE_PASS
from longloom.evaluation.benchmark import ReadSettings
from longloom.evaluation.choosing import choose_questions
from longloom.recipes.evaluating.evaluation_run import EvaluationPlan
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
    chosen = choose_questions(
        found.questions,
        asking.max_questions,
        seed=asking.seed,
        facet=benchmark.mean_over or next(iter(benchmark.facets), ""),
    )
    num_samples = asking.num_samples or benchmark.num_samples
    num_tokens = 0
    for question in chosen:
        asked = found.ask(question)
        history = sum(len(turn.content) for turn in asked.history)
        length = (len(asked.message) + history) // _CHARACTERS_PER_TOKEN
        is_cut = plan.agent == SINGLE_PASS
        num_tokens += min(length, asking.max_prompt_tokens) if is_cut else length
    num_answers = len(chosen) * num_samples
    written = num_answers * asking.max_new_tokens
    cost = num_samples * num_tokens * asking.prompt_price + written * asking.answer_price
    return PlannedBenchmark(
        title=benchmark.title,
        num_questions=len(chosen),
        num_answers=num_answers,
        num_prompt_tokens=num_samples * num_tokens,
        most_written_tokens=written,
        most_cost=cost / _MILLION,
    )
