"""What is to be evaluated: suites, benchmarks and folders of examples, and where they lie."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longloom.config import nearest_key
from longloom.errors import ConfigError, DataError
from longloom.evaluation.benchmark import Benchmark
from longloom.evaluation.benchmarks.catalogue import BENCHMARKS
from longloom.evaluation.download import download_files
from longloom.evaluation.suites import SUITES
from longloom.recipes.evaluating.examples import (
    examples_benchmark,
    is_examples_folder,
    label_of,
)
from longloom.recipes.evaluating.held_out import HELD_OUT, held_out_benchmarks
from longloom.recipes.run_config import RunConfig
from longloom.recipes.verbs.lengths import longest_stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One benchmark and where its files lie."""

    benchmark: Benchmark
    """What is asked."""
    folder: Path
    """Where its files are, or where it is generated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """All that one command asks."""

    label: str
    """Names the evaluation: a suite, or its benchmarks."""
    targets: tuple[Target, ...]
    """In order."""
    settings: Mapping[str, Any]
    """Settings of `AskingConfig` that they bring along."""


def resolve_targets(
    names: Sequence[str],
    *,
    config: RunConfig,
    split: str,
    files: Path | None,
    generated: Path,
    download: bool,
    seed: int,
) -> Targets:
    """Return what the names stand for.

    Args:
        names: suites, benchmarks, folders of examples.
        config: the recipe whose prompts, lengths and reward hold for examples.
        split: the examples' split.
        files: folder with a folder of official files for each benchmark (or the files of one).
        generated: where benchmarks are written that are generated here.
        download: whether missing files are taken from the hub.
        seed: of the suites that are generated.

    Raises:
        ConfigError: a name is unknown.
        DataError: files are missing, or cannot be downloaded.
    """
    found: list[Target] = []
    brought: dict[str, Mapping[str, Any]] = {}
    for name in names:
        if name in SUITES:
            suite = SUITES[name]
            brought[name] = suite.settings
            found += [
                _official(BENCHMARKS[one], files, generated, download) for one in suite.benchmarks
            ]
        elif name in BENCHMARKS:
            brought[name] = {}
            found.append(_official(BENCHMARKS[name], files, generated, download))
        elif is_examples_folder(Path(name)):
            brought[name] = _example_settings(config)
            benchmark = examples_benchmark(label_of(Path(name)), config, split=split)
            found.append(Target(benchmark=benchmark, folder=Path(name)))
        elif name in HELD_OUT:
            brought[name] = _example_settings(config)
            found += [
                Target(benchmark=one, folder=generated / one.name)
                for one in held_out_benchmarks(name, config, seed)
            ]
        else:
            raise ConfigError(_unknown(name))
    names_of_all = [target.benchmark.name for target in found]
    if len(set(names_of_all)) < len(names_of_all):
        raise ConfigError(f"{', '.join(names_of_all)}: a benchmark is named twice; name each once")
    if files is None and not download:
        _refuse_without_files(found)
    label = (
        names[0]
        if len(names) == 1 and names[0] in (*SUITES, *HELD_OUT)
        else "-".join(names_of_all[:3])
    )
    return Targets(label=label, targets=tuple(found), settings=_common(brought))


def _common(brought: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the settings that all names bring along; they must be the same."""
    (first, settings), *others = brought.items()
    for name, own in others:
        if own != settings:
            raise ConfigError(
                f"{first!r} and {name!r} are asked with settings of their own, which differ; "
                "evaluate them apart"
            )
    return settings


def _official(benchmark: Benchmark, files: Path | None, generated: Path, download: bool) -> Target:
    if benchmark.source is None:
        # Files of the user's own (haystacks, question sets) may lie in its folder.
        is_given = files is not None and (files / benchmark.name).is_dir()
        folder = files if files is not None and is_given else generated
        return Target(benchmark=benchmark, folder=folder / benchmark.name)
    folder = files if files is not None else generated
    own = folder / benchmark.name
    if benchmark.source.folder and not own.is_dir():
        own = folder / benchmark.source.folder
    if download:
        download_files(benchmark, own)
    return Target(benchmark=benchmark, folder=own if own.is_dir() else folder)


def _refuse_without_files(targets: Sequence[Target]) -> None:
    """Name everything that the command needs and nobody said where it is."""
    wanted = [
        f"{one.benchmark.title} needs its official files "
        f"({', '.join(source.files).replace('|', ' or ')}) from {source.address} (licence: "
        f"{source.licence})"
        for one in targets
        if (source := one.benchmark.source)
    ]
    if wanted:
        raise DataError(
            f"{'; '.join(wanted)}; get them and give their folder with --data, or let them be "
            "downloaded with --download"
        )


def _example_settings(config: RunConfig) -> dict[str, Any]:
    stage = longest_stage(config)
    return {
        "temperature": config.evaluation.temperature,
        "top_p": config.evaluation.top_p,
        "max_prompt_tokens": stage.max_prompt_tokens,
        "max_new_tokens": stage.max_response_tokens,
        "thinking": "always" if config.reward.requires_thinking else "auto",
        "seed": config.seed,
    }


def _unknown(name: str) -> str:
    known = (*SUITES, *BENCHMARKS, *HELD_OUT)
    if name and Path(name).is_dir():
        return f"{name} holds no examples (examples.parquet); give a folder written by `synthesize`"
    nearest = nearest_key(name, known)
    guess = f"; did you mean {nearest!r}?" if nearest else ";"
    return (
        f"{name!r} is no suite, no benchmark and no folder of examples{guess} "
        "`longloom evaluate --list` shows what there is"
    )
