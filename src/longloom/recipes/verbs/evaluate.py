"""Evaluate a model on a folder of examples by hand."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from longloom.errors import ConfigError, DataError
from longloom.evaluation.cells import (
    AgentName,
    EvaluationCell,
    ExampleScore,
    cell_path,
    write_cell,
)
from longloom.evaluation.evaluate import (
    EvaluatedExample,
    EvaluationRequest,
    evaluate_examples,
    truncated_contexts,
)
from longloom.evaluation.statistics import Estimate
from longloom.memory import MemoryAgent
from longloom.models.local_sampler import LocalSampler
from longloom.recipes.catalogue import load_config
from longloom.recipes.model_source import TINY_BASE, check_yarn_factor, resolve_model
from longloom.recipes.run_config import RunConfig
from longloom.recipes.run_examples import limited
from longloom.recipes.sampler_source import open_sampler, prepare_torch
from longloom.recipes.scoring import Scoring, open_scoring
from longloom.recipes.verbs.lengths import check_prompt_fits, check_sections_fit, longest_stage
from longloom.records import Context, Example, SamplingParams, Split
from longloom.report.estimates import accuracy
from longloom.rollout import Agent, ClosedBookAgent, SinglePassAgent, TokenChat
from longloom.synthesis.storage import read_examples

AGENTS: tuple[str, ...] = get_args(AgentName)
"""How a model can be asked."""

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The questions of one evaluation and how they are put."""

    examples: Sequence[Example]
    contexts: Mapping[str, Context]
    agent: Agent
    max_response_tokens: int


def evaluate(
    examples: Path | str,
    *,
    model: Path | str = TINY_BASE,
    agent: str = "single_pass",
    num_samples: int = 1,
    output: Path | str | None = None,
    split: str = "held_out",
    max_questions: int | None = None,
    max_prompt_tokens: int | None = None,
    yarn_factor: float | None = None,
    recipe: str = "tiny-cpu",
    overrides: Sequence[str] = (),
    seed: int | None = None,
    progress: Progress | None = None,
) -> EvaluationCell:
    """Ask a model the questions of a folder and score its answers.

    Args:
        examples: a folder written by `synthesize`.
        model: a model folder or `tiny-base`.
        agent: `single_pass` over the whole context, `truncated` where its middle is cut out to fit
            `max_prompt_tokens`, `memory` section by section, or `closed_book` without it.
        num_samples: attempts per question.
        output: a folder for the scores, which may hold those of other evaluations.
        split: `held_out` or `train`.
        max_questions: ask so many of them, the tasks taking turns.
        max_prompt_tokens: longer prompts are cut (`truncated`) or left out (`single_pass`); the
            recipe's longest stage if not given.
        yarn_factor: lengthen the model's window so many times by YaRN; the scores' file says so.
        recipe: whose settings are used.
        overrides: changed settings as `evaluation.a=b`, `memory.a=b`, `reward.a=b`, `judge=...`
            (whose replies are kept in `judge` beside the scores, or else beside the examples).
        seed: replaces the recipe's seed.
        progress: is told how far the work is.

    Raises:
        ConfigError: a setting is refused, or prompts do not fit the model's window.
        DataError: the examples cannot be read, or none is left to ask.
        ModelError: the model cannot be loaded.
    """
    config = load_config(recipe, overrides=overrides, seed=seed)
    name = agent_name(agent)
    if num_samples < 1:
        raise ConfigError(f"num_samples is {num_samples}; expected at least 1")
    if max_prompt_tokens is None:
        max_prompt_tokens = longest_stage(config).max_prompt_tokens
    if max_prompt_tokens < 1:
        raise ConfigError(f"max_prompt_tokens is {max_prompt_tokens}; expected at least 1")
    check_yarn_factor(yarn_factor, str(model))
    folder = resolve_model(str(model))
    cell = EvaluationCell(
        checkpoint=_label(folder) + (f"-yarn{yarn_factor:g}" if yarn_factor else ""),
        suite=_label(Path(examples)),
        agent=name,
        num_samples=num_samples,
        max_prompt_tokens=max_prompt_tokens,
        seconds=0.0,
        scores=(),
    )
    if output is not None:
        _check_free(Path(output), cell)
    chosen, contexts = _choose(Path(examples), split, max_questions)
    prepare_torch(config.num_threads, config.engine)
    started = time.perf_counter()
    sampler = open_sampler(folder, yarn_factor=yarn_factor, config=config.engine)
    judge_folder = Path(output) if output is not None else Path(examples)
    with open_scoring(config.reward, config.judge, judge_folder) as scoring:
        scores = _scores(cell, config, sampler, scoring, chosen, contexts, progress)
    cell = replace(cell, seconds=time.perf_counter() - started, scores=scores)
    if output is not None:
        write_cell(Path(output), cell)
    return cell


def _scores(
    cell: EvaluationCell,
    config: RunConfig,
    sampler: LocalSampler,
    scoring: Scoring,
    chosen: Sequence[Example],
    contexts: Mapping[str, Context],
    progress: Progress | None,
) -> tuple[ExampleScore, ...]:
    """Return the scores of what `sampler` answers, as the empty `cell` says."""
    asked = _ask_by(cell.agent, config, chosen, contexts, sampler, cell.max_prompt_tokens)
    request = EvaluationRequest(
        examples=asked.examples,
        contexts=asked.contexts,
        params=SamplingParams(
            temperature=config.evaluation.temperature,
            top_p=config.evaluation.top_p,
            max_new_tokens=asked.max_response_tokens,
        ),
        num_samples=cell.num_samples,
        key=f"{config.seed}/evaluation/{cell.suite}/{cell.agent}",
    )
    evaluated = evaluate_examples(
        request,
        agent=asked.agent,
        sampler=TokenChat(sampler),
        score=scoring.score_for(asked.max_response_tokens),
        on_progress=_described(progress, len(asked.examples)),
    )
    return tuple(_score(entry) for entry in evaluated)


def accuracy_by_task(cell: EvaluationCell) -> dict[str, Estimate]:
    """Return the mean reward of every task with its 95% interval, and of `all` questions."""
    tasks = sorted({score.task_type for score in cell.scores})
    estimates = {task.value: accuracy(cell, task=task) for task in tasks}
    estimates["all"] = accuracy(cell)
    return {name: estimate for name, estimate in estimates.items() if estimate is not None}


def agent_name(agent: str) -> AgentName:
    """Return `agent` as one of the known names.

    Raises:
        ConfigError: there is no such agent.
    """
    for known in get_args(AgentName):
        if agent == known:
            return known  # type: ignore[no-any-return]  # get_args is untyped
    raise ConfigError(f"agent {agent!r} is unknown; expected one of {', '.join(AGENTS)}")


def _label(folder: Path) -> str:
    """Return a name for the files of results: the stage of a checkpoint, else the folder's."""
    path = folder.resolve()
    name = path.parent.name if path.name == "final" else path.name
    return re.sub(r"[^A-Za-z0-9._]+", "-", name).strip("-._") or "unnamed"


def _check_free(output: Path, cell: EvaluationCell) -> None:
    path = cell_path(output, checkpoint=cell.checkpoint, suite=cell.suite, agent=cell.agent)
    if path.exists():
        raise DataError(f"{path} exists already; choose another folder or remove it")


def _choose(
    folder: Path, split: str, max_questions: int | None
) -> tuple[list[Example], Mapping[str, Context]]:
    if split not in tuple(Split):
        raise ConfigError(f"split {split!r} is unknown; expected one of {', '.join(Split)}")
    if max_questions is not None and max_questions < 1:
        raise ConfigError(f"max_questions is {max_questions}; expected at least 1")
    found, contexts = read_examples(folder)
    chosen = [example for example in found if example.split == split]
    if not chosen:
        raise DataError(
            f"{folder} holds no {split} examples; synthesise some or take another split"
        )
    return (chosen if max_questions is None else limited(chosen, max_questions)), contexts


def _ask_by(
    name: AgentName,
    config: RunConfig,
    chosen: Sequence[Example],
    contexts: Mapping[str, Context],
    sampler: LocalSampler,
    max_prompt_tokens: int,
) -> _Asked:
    agent: Agent = SinglePassAgent(config.template)
    answer_tokens = longest_stage(config).max_response_tokens
    match name:
        case "closed_book":
            agent = ClosedBookAgent()
        case "memory":
            agent = MemoryAgent(config.memory)
            check_sections_fit(config.memory, sampler.tokenizer, "", sampler.window_tokens)
        case "truncated":
            check_prompt_fits(max_prompt_tokens, answer_tokens, sampler.window_tokens)
            contexts = truncated_contexts(
                chosen, contexts, sampler.tokenizer, max_prompt_tokens=max_prompt_tokens
            )
        case "single_pass":
            check_prompt_fits(max_prompt_tokens, answer_tokens, sampler.window_tokens)
            chosen = _fitting(chosen, max_prompt_tokens)
    return _Asked(
        examples=chosen, contexts=contexts, agent=agent, max_response_tokens=answer_tokens
    )


def _fitting(chosen: Sequence[Example], max_prompt_tokens: int) -> list[Example]:
    fitting = [example for example in chosen if example.num_prompt_tokens <= max_prompt_tokens]
    if not fitting:
        shortest = min(example.num_prompt_tokens for example in chosen)
        raise DataError(
            f"none of {len(chosen)} prompts has at most {max_prompt_tokens} tokens, the shortest "
            f"has {shortest}; raise max_prompt_tokens, or ask by agent truncated or memory"
        )
    return fitting


def _described(progress: Progress | None, total: int) -> Callable[[int], None] | None:
    if progress is None:
        return None
    progress("evaluating", 0, total)
    return lambda num_done: progress("evaluating", num_done, total)


def _score(entry: EvaluatedExample) -> ExampleScore:
    first = entry.rollouts[0]
    return ExampleScore(
        example_id=entry.example.example_id,
        task_type=entry.example.task_type,
        rewards=tuple(reward.value for reward in entry.rewards),
        num_prompt_tokens=len(first.turns[0].prompt_ids) if first.turns else 0,
        finish=first.error or str(first.turns[-1].finish_reason),
    )
