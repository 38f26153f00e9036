"""How the questions of a target are put with the settings that hold: for whoever runs them."""

from functools import partial

from longloom.evaluation.asking.choosing import choose_questions
from longloom.evaluation.asking.one_answer import CLOSED_BOOK, Asking
from longloom.evaluation.asking.settings import (
    DEFAULT_NEW_TOKENS,
    DEFAULT_PROMPT_TOKENS,
    DEFAULT_TEMPERATURE,
    AskingConfig,
)
from longloom.evaluation.benchmark import Benchmark
from longloom.evaluation.questions import Question, QuestionSet
from longloom.recipes.evaluating.targets import Target
from longloom.records import SamplingParams
from longloom.rollout import Agent

_WINDOW_PER_ANSWER = 4
"""Where prompt and answer exceed the window, answers take at most this part of it."""


def asking_of(
    target: Target,
    asking: AskingConfig,
    *,
    agent: str,
    reader: Agent | None,
    window_tokens: int,
    is_threaded: bool,
) -> Asking:
    """Return how the questions of a target are put.

    Args:
        target: the benchmark and its folder.
        asking: the settings.
        agent: `single_pass`, `memory` or `closed_book`.
        reader: what reads the context section by section, if something does.
        window_tokens: the model's window.
        is_threaded: see `Asking`.
    """
    benchmark = target.benchmark
    max_prompt, max_new = limits_within(window_tokens, *stated_limits(benchmark, asking))
    return Asking(
        benchmark=benchmark.name,
        agent=None if benchmark.agent is not None else reader,
        own_agent=None if benchmark.agent is None else partial(benchmark.agent, target.folder),
        has_context=agent != CLOSED_BOOK,
        params=SamplingParams(
            temperature=_temperature(benchmark, asking),
            top_p=asking.top_p,
            max_new_tokens=max_new,
        ),
        max_prompt_tokens=max_prompt,
        accepts_outages=asking.outages == "fail",
        has_own_limits=asking.max_new_tokens is None,
        thinking_tokens=asking.thinking_tokens,
        cuts_prompts=asking.long_prompts == "cut",
        is_threaded=is_threaded,
        key=f"{asking.seed}/evaluation/{benchmark.name}/{agent}",
    )


def chosen_of(
    benchmark: Benchmark, found: QuestionSet, asking: AskingConfig
) -> tuple[Question, ...]:
    """Return the questions of a benchmark that are asked."""
    facet = benchmark.mean_over or next(iter(benchmark.facets), "")
    return choose_questions(found.questions, asking.max_questions, seed=asking.seed, facet=facet)


def stated_limits(benchmark: Benchmark, asking: AskingConfig) -> tuple[int, int]:
    """Return the longest prompt and answer that are asked of a benchmark, whatever the window."""
    max_prompt = asking.max_prompt_tokens or benchmark.max_prompt_tokens or DEFAULT_PROMPT_TOKENS
    if asking.max_new_tokens is not None:
        return max_prompt, asking.max_new_tokens
    if benchmark.max_new_tokens is None:
        return max_prompt, DEFAULT_NEW_TOKENS
    return max_prompt, benchmark.max_new_tokens + asking.thinking_tokens


def _temperature(benchmark: Benchmark, asking: AskingConfig) -> float:
    if asking.temperature is not None:
        return asking.temperature
    return DEFAULT_TEMPERATURE if benchmark.temperature is None else benchmark.temperature


def limits_within(window_tokens: int, max_prompt: int, max_new: int) -> tuple[int, int]:
    """Return the longest prompt and answer that fit a window together, as stated if they do."""
    if max_prompt + max_new <= window_tokens:
        return max_prompt, max_new
    max_new = min(max_new, max(1, window_tokens // _WINDOW_PER_ANSWER))
    return min(max_prompt, window_tokens - max_new), max_new
