"""The benchmarks as tasks that inspect_ai finds by name; loaded by its entry point alone.

    inspect eval longloom/longbench-v2 --model openai-api/x/y -T data=FOLDER [-T agent=memory]

The only import with a side effect: inspect_ai knows tasks by a registry.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from inspect_ai import Task, task

from longloom.config import parse_config
from longloom.errors import ConfigError
from longloom.evaluation.asking.one_answer import CLOSED_BOOK, SINGLE_PASS
from longloom.evaluation.asking.settings import AskingConfig
from longloom.evaluation.benchmark import ReadSettings
from longloom.evaluation.benchmarks.catalogue import BENCHMARKS
from longloom.evaluation.inspect_tasks import (
    InspectSettings,
    benchmark_score,
    figures,
    inspect_task,
)
from longloom.memory import MemoryAgent
from longloom.recipes.catalogue import load_config
from longloom.recipes.evaluating.evaluation_run import MEMORY
from longloom.recipes.evaluating.put import asking_of, chosen_of, stated_limits
from longloom.recipes.evaluating.targets import Target, resolve_targets
from longloom.recipes.verbs.read_model import LARGE_RECIPE, reading_memory
from longloom.records import Split
from longloom.rollout import Agent
from longloom.text.estimated_tokens import EstimatedTokens
from longloom.text.tokenizer import FolderTokenizer
from longloom.text.tokenizer_tokens import TokenizerTokens

__all__ = ["benchmark_score", "figures"]
"""What `inspect score` makes again by name."""
_AGENTS = (SINGLE_PASS, MEMORY, CLOSED_BOOK)


def make_task(
    name: str,
    *,
    files: str | None = None,
    agent: str = SINGLE_PASS,
    window: int | None = None,
    tokenizer: str | None = None,
    download: bool = False,
    **settings: Any,
) -> Task:
    """Return the task of a benchmark.

    Args:
        name: as in `longloom evaluate`.
        files: folder with its official files.
        agent: `single_pass`, `memory`, `closed_book`.
        window: tokens of the model's window; the longest prompt and answer if not given.
        tokenizer: folder of the model's tokenizer; tokens are estimated without it.
        download: take missing files from the hub.
        settings: fields of `AskingConfig`, such as `max_prompt_tokens` or `num_samples`.

    Raises:
        ConfigError: a setting is refused.
        DataError: official files are missing or damaged.
    """
    if agent not in _AGENTS:
        raise ConfigError(f"agent {agent!r} is unknown; expected one of {', '.join(_AGENTS)}")
    config = load_config(LARGE_RECIPE)
    found = resolve_targets(
        [name],
        config=config,
        split=Split.HELD_OUT,
        files=None if files is None else Path(files).expanduser(),
        generated=Path("runs") / "benchmarks",
        download=download,
        seed=config.seed,
    )
    asking = parse_config(AskingConfig, {**found.settings, **settings})
    (target,) = found.targets
    window_tokens = window or sum(stated_limits(target.benchmark, asking))
    reader: Agent | None = None
    if agent == MEMORY:
        memory = reading_memory(config, (), window_tokens)
        reader = MemoryAgent(memory.replace(citations=False))
    if target.benchmark.prepare is not None:
        raise ConfigError(
            f"{target.benchmark.title} prepares its questions, which needs a folder that is kept; "
            f"ask it with `longloom evaluate {name}`"
        )
    return _task_of(target, asking, reader, agent, window_tokens, tokenizer)


def _task_of(
    target: Target,
    asking: AskingConfig,
    reader: Agent | None,
    agent: str,
    window_tokens: int,
    tokenizer_folder: str | None,
) -> Task:
    benchmark = target.benchmark
    tokenizer = FolderTokenizer(Path(tokenizer_folder).expanduser()) if tokenizer_folder else None
    tokens = TokenizerTokens(tokenizer) if tokenizer else EstimatedTokens()
    questions = benchmark.read(
        target.folder,
        ReadSettings(
            seed=asking.seed, count_tokens=tokens.count, max_questions=asking.max_questions
        ),
    )
    chosen = chosen_of(benchmark, questions, asking)
    settings = InspectSettings(
        asking=asking_of(
            target,
            asking,
            agent=agent,
            reader=reader,
            window_tokens=window_tokens,
            is_threaded=True,
        ),
        window_tokens=window_tokens,
        num_samples=asking.num_samples or benchmark.num_samples,
        thinking=asking.thinking,
        tokenizer=tokenizer,
    )
    return inspect_task(benchmark, questions, chosen, settings)


def _named(name: str) -> Callable[..., Task]:
    def benchmark_task(
        agent: str = SINGLE_PASS,
        window: int | None = None,
        tokenizer: str | None = None,
        download: bool = False,
        **settings: Any,
    ) -> Task:
        return make_task(
            name,
            files=settings.pop("data", None),  # called as the option of `longloom evaluate`
            agent=agent,
            window=window,
            tokenizer=tokenizer,
            download=download,
            **settings,
        )

    return benchmark_task


for _name, _benchmark in BENCHMARKS.items():
    if _benchmark.prepare is None:
        task(name=_name)(_named(_name))
