"""Longloom's own held-out suites: generated from a seed, nothing to download.

`held-out-tiny`: the held-out questions of the recipe `tiny-cpu` at the lengths of its stages, and
its documents of 2, 4 and 8 windows, which are for the memory agent. With the recipe's seed they are
the questions of its own table. `held-out`: questions woven from the documents that every machine
has, over contexts of up to 119K tokens.
"""

from collections.abc import Mapping
from pathlib import Path

from longloom.evaluation.benchmark import Benchmark, ReadSettings
from longloom.executor import ProcessExecutor
from longloom.recipes.catalogue import load_config
from longloom.recipes.evaluating.examples import examples_benchmark
from longloom.recipes.model_source import resolve_model
from longloom.recipes.run_config import RunConfig
from longloom.recipes.run_examples import QUESTIONS, prepare_examples, window_suite
from longloom.records import Split
from longloom.runlog import config_hash
from longloom.synthesis.config import SynthesisConfig
from longloom.synthesis.pipeline import synthesize_corpus
from longloom.text.token_counts import ESTIMATE
from longloom.text.tokenizer import FolderTokenizer

TINY_RECIPE = "tiny-cpu"
HELD_OUT: Mapping[str, str] = {
    "held-out": "questions over up to 119K tokens, woven from documents that every machine has",
    "held-out-tiny": "the questions and long documents of the recipe tiny-cpu",
}
"""What the suites are, by name."""
_BEGUN = ".begun"
"""Ends the name of a folder in which questions are being woven."""


def held_out_benchmarks(name: str, config: RunConfig, seed: int) -> tuple[Benchmark, ...]:
    """Return the benchmarks of a held-out suite; they are generated when they are read.

    Args:
        name: one of `HELD_OUT`.
        config: says the prompts and the reward.
        seed: what they are generated from.
    """
    if name == "held-out":
        return (_woven(config, seed),)
    tiny = load_config(TINY_RECIPE, overrides=(), seed=seed)
    sets = [QUESTIONS, *(window_suite(windows) for windows in tiny.evaluation.windows)]
    return tuple(_tiny_set(one, tiny, config) for one in sets)


def _tiny_set(name: str, tiny: RunConfig, config: RunConfig) -> Benchmark:
    shaping = tiny.model_dump(mode="json", include={"synthesis", "seed", "template", "evaluation"})

    def make(folder: Path, settings: ReadSettings) -> None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        tokenizer = FolderTokenizer(resolve_model(tiny.model))
        for _ in prepare_examples(tiny, {name: folder}, tokenizer, progress=_silent):
            pass

    return examples_benchmark(
        f"held-out-tiny-{name}-{config_hash(shaping)[:8]}",
        config,
        split=Split.HELD_OUT,
        title=f"Held out, tiny: {name}",
        make=make,
    )


def _woven(config: RunConfig, seed: int) -> Benchmark:
    synthesis = SynthesisConfig(
        seed=seed, num_examples=4_000, held_out_fraction=0.9, template=config.template
    )

    def make(folder: Path, settings: ReadSettings) -> None:
        begun = folder.with_name(f"{folder.name}{_BEGUN}")
        begun.mkdir(parents=True, exist_ok=True)
        synthesize_corpus(
            synthesis, folder=begun, executor=ProcessExecutor(1), counter_name=ESTIMATE
        )
        begun.rename(folder)

    return examples_benchmark(
        f"held-out-{config_hash(synthesis.model_dump(mode='json'))[:8]}",
        config,
        split=Split.HELD_OUT,
        title="Held out",
        make=make,
    )


def _silent(description: str, num_done: int, num_total: int) -> None:
    """Receive progress that nobody shows."""
