"""What an evaluation would ask, before anybody is called."""

from collections.abc import Iterable
from dataclasses import dataclass

from longloom.evaluation.asking.one_answer import CLOSED_BOOK, SINGLE_PASS
from longloom.evaluation.benchmark import CountTokens, ReadSettings
from longloom.evaluation.questions import Asked
from longloom.recipes.evaluating.evaluation_run import MEMORY, EvaluationPlan
from longloom.recipes.evaluating.put import chosen_of, stated_limits
from longloom.recipes.evaluating.targets import Target
from longloom.text.estimated_tokens import EstimatedTokens

_SAMPLED_CHARACTERS = 200_000
"""Of longer texts the beginning is counted, and the rest taken to be like it."""
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
    """Tokens of all prompts by estimate; of a single pass after the cut, of the memory agent with
    its memory beside every section."""
    most_written_tokens: int
    """Tokens that answers, and the memory agent's updates, take at most, thinking included."""
    cost: float
    """What both cost at the prices stated; 0 without prices."""
    note: str = ""
    """What is not counted."""


def planned_benchmark(target: Target, plan: EvaluationPlan) -> PlannedBenchmark:
    """Return how much would be asked.

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
    count = EstimatedTokens().count
    num_tokens = written = 0
    for question in chosen:
        length = _estimated(_texts(found.ask(question), plan.agent), count)
        if plan.agent == MEMORY and benchmark.agent is None:
            memory = plan.config.memory
            num_sections = -(-length // memory.chunk_tokens)
            written += num_sections * memory.update_tokens
            length += (num_sections + 1) * memory.memory_tokens
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
        cost=cost / _MILLION,
        note="" if benchmark.agent is None else "calls of its own agent are not counted",
    )


def _texts(asked: Asked, agent: str) -> tuple[str, ...]:
    if agent == CLOSED_BOOK:
        return (asked.query,)
    return asked.message, *(turn.content for turn in asked.history)


def _estimated(texts: Iterable[str], count: CountTokens) -> int:
    """Return about how many tokens texts have."""
    total = 0
    for text in texts:
        sampled = text[:_SAMPLED_CHARACTERS]
        total += count(sampled) * len(text) // max(1, len(sampled))
    return total
