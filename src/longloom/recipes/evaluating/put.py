"""How the questions of a target are put with the settings that hold: for whoever runs them."""

from functools import partial

from longloom.evaluation.asking.choosing import choose_questions
from longloom.evaluation.asking.one_answer import CLOSED_BOOK, Asking
from longloom.evaluation.asking.settings import AskingConfig
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
            temperature=asking.temperature, top_p=asking.top_p, max_new_tokens=max_new
        ),
        max_prompt_tokens=max_prompt,
        accepts_outages=asking.outages == "fail",
        has_own_limits=asking.own_limits,
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
    if not asking.own_limits:
        return asking.max_prompt_tokens, asking.max_new_tokens
    own_answer = benchmark.max_new_tokens
    return (
        benchmark.max_prompt_tokens or asking.max_prompt_tokens,
        asking.max_new_tokens if own_answer is None else own_answer + asking.thinking_tokens,
    )


def limits_within(window_tokens: int, max_prompt: int, max_new: int) -> tuple[int, int]:
    """Return the longest prompt and answer that fit a window together, as stated if they do."""
    if max_prompt + max_new <= window_tokens:
        return max_prompt, max_new
    max_new = min(max_new, max(1, window_tokens // _WINDOW_PER_ANSWER))
    return min(max_prompt, window_tokens - max_new), max_new
