"""Merge model folders into a new one: the entry of the room."""

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

from longloom.errors import ConfigError
from longloom.merging.blocks import MergeAlgorithm
from longloom.merging.config import MergeConfig
from longloom.merging.dare import DareMerge
from longloom.merging.layout import Folders, plan_layout
from longloom.merging.linear import LinearMerge
from longloom.merging.merge_report import MergeReport, UnitReport, write_merge_report
from longloom.merging.model_files import (
    compare_models,
    copy_model_files,
    read_settings,
)
from longloom.merging.partial_output import open_partial_output
from longloom.merging.places import check_places
from longloom.merging.safetensors_reader import TensorFolder
from longloom.merging.sce import SceMerge
from longloom.merging.streaming import Progress, merge_weights
from longloom.merging.task_arithmetic import TaskArithmeticMerge
from longloom.merging.ties import TiesMerge
from longloom.runlog.digests import joined_digest, sampled_digest

_LOGGER = logging.getLogger(__name__)
_CODE_BY_DTYPE = {"bfloat16": "BF16", "float16": "F16", "float32": "F32"}


def merge_models(
    config: MergeConfig,
    *,
    pivot: Path,
    models: Sequence[Path],
    output: Path,
    progress: Progress | None = None,
    add_files: Callable[[Path, MergeReport], None] | None = None,
) -> MergeReport:
    """Merge `models` into `pivot` and write a model folder that transformers loads.

    QwenLong-L1.5, section 4.1: the memory expert is merged with the stage-3 model. The paper does
    not name the pivot; the base model with both experts as `models` is meant here, because SCE of
    one model into a pivot gives that model back.

    A merge that was killed or interrupted is continued by the next call with the same settings and
    the same models: what `OUTPUT.partial` holds whole is not merged again.

    Args:
        config: method and its settings.
        pivot: the model that the others were trained from; gives configuration and tokenizer.
        models: the models to merge, in the order of `config.weights`.
        output: a new folder; it takes its name when it is whole.
        progress: is told bytes written and bytes in all.
        add_files: writes more into the folder it gets, before that takes its name.

    Raises:
        ConfigError: there are no models, or not one weight per model.
        ModelError: folders cannot be read, disagree, or the output exists or cannot be written.
    """
    _check_models(config, models)
    check_places(pivot, models, output)
    warnings = compare_models(pivot, models)
    for warning in warnings:
        _LOGGER.warning("%s", warning)
    settings = read_settings(pivot)
    with ExitStack() as stack:
        folders = Folders(
            pivot=stack.enter_context(TensorFolder(pivot)),
            models=tuple(stack.enter_context(TensorFolder(model)) for model in models),
        )
        layout = plan_layout(
            folders,
            settings,
            output_code=_CODE_BY_DTYPE[config.dtype] if config.dtype else None,
            max_shard_bytes=config.max_shard_bytes,
        )
        partial = stack.enter_context(open_partial_output(output, merge_key(config, folders)))
        units = merge_weights(
            lambda unit_name: make_algorithm(config, unit_name, num_models=len(models)),
            folders,
            layout,
            partial,
            num_threads=config.num_threads,
            progress=progress,
        )
        copy_model_files(pivot, partial.folder, dtype=config.dtype)
        for bounded in _bounded(units):
            _LOGGER.warning("%s", bounded)
            warnings.append(bounded)
        report = MergeReport(
            method=config.method,
            pivot=str(pivot),
            models=tuple(str(model) for model in models),
            warnings=tuple(warnings),
            units=units,
        )
        write_merge_report(partial.folder, report)
        if add_files:
            add_files(partial.folder, report)
    return report


def merge_key(config: MergeConfig, folders: Folders) -> str:
    """Return a digest of what is merged and how; the number of threads is no part of it."""
    settings = config.model_dump(mode="json", exclude={"num_threads"})
    parts = [json.dumps(settings, sort_keys=True), version("longloom"), version("torch")]
    for folder in folders.everything:
        for file in (folder.path / "config.json", *folder.files):
            stat = file.stat()
            parts += [file.name, str(stat.st_mtime_ns), sampled_digest(file)]
    return joined_digest(parts)


def _bounded(units: Sequence[UnitReport]) -> Iterator[str]:
    num_equalised = sum(unit.is_equalised for unit in units)
    if num_equalised:
        yield (
            f"{num_equalised} of {len(units)} units have equal weights, because their changes are "
            "below a bound of mergekit's; variant authors has no such bound"
        )


def make_algorithm(config: MergeConfig, unit_name: str, *, num_models: int) -> MergeAlgorithm:
    """Return a fresh algorithm for one unit."""
    weights = config.weights_for(num_models)
    match config.method:
        case "dare":
            return DareMerge(
                weights,
                densities=config.densities_for(num_models),
                seed=config.seed,
                unit_name=unit_name,
            )
        case "linear":
            return LinearMerge(weights)
        case "sce":
            return SceMerge(num_models, select_topk=config.select_topk, variant=config.variant)
        case "task_arithmetic":
            return TaskArithmeticMerge(weights)
        case "ties":
            return TiesMerge(weights, densities=config.densities_for(num_models))


def _check_models(config: MergeConfig, models: Sequence[Path]) -> None:
    if not models:
        raise ConfigError("no models to merge; give at least one beside the pivot")
    for name, values in (("weights", config.weights), ("densities", config.densities)):
        if values is not None and len(values) != len(models):
            raise ConfigError(
                f"{name} has {len(values)} numbers for {len(models)} models; expected one per model"
            )
