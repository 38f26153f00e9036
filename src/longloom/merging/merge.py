"""Merge model folders into a new one: the entry of the room."""

import logging
from collections.abc import Sequence
from pathlib import Path

from longloom.errors import ConfigError, ModelError
from longloom.merging.blocks import MergeAlgorithm
from longloom.merging.config import MergeConfig
from longloom.merging.dare import DareMerge
from longloom.merging.linear import LinearMerge
from longloom.merging.merge_report import MergeReport, write_merge_report
from longloom.merging.model_files import compare_models, copy_model_files, read_settings
from longloom.merging.sce import SceMerge
from longloom.merging.streaming import Progress, merge_weights
from longloom.merging.task_arithmetic import TaskArithmeticMerge
from longloom.merging.ties import TiesMerge
from longloom.runlog.atomic import atomic_folder

_LOGGER = logging.getLogger(__name__)
_CODE_BY_DTYPE = {"bfloat16": "BF16", "float16": "F16", "float32": "F32"}


def merge_models(
    config: MergeConfig,
    *,
    pivot: Path,
    models: Sequence[Path],
    output: Path,
    progress: Progress | None = None,
) -> MergeReport:
    """Merge `models` into `pivot` and write a model folder that transformers loads.

    QwenLong-L1.5, section 4.1: the memory expert is merged with the stage-3 model. The paper does
    not name the pivot; the base model with both experts as `models` is meant here, because SCE of
    one model into a pivot gives that model back.

    Args:
        config: method and its settings.
        pivot: the model that the others were trained from; gives configuration and tokenizer.
        models: the models to merge, in the order of `config.weights`.
        output: a new folder; it takes its name when it is whole.
        progress: is told bytes written and bytes in all.

    Raises:
        ConfigError: there are no models, or not one weight per model.
        ModelError: folders cannot be read, disagree, or the output exists or cannot be written.
    """
    _check_models(config, models)
    warnings = compare_models(pivot, models)
    for warning in warnings:
        _LOGGER.warning("%s", warning)
    with atomic_folder(output, error_class=ModelError) as partial_folder:
        units = merge_weights(
            lambda unit_name: make_algorithm(config, unit_name, num_models=len(models)),
            pivot=pivot,
            models=models,
            output=partial_folder,
            settings=read_settings(pivot),
            output_code=_CODE_BY_DTYPE[config.dtype] if config.dtype else None,
            max_shard_bytes=config.max_shard_bytes,
            progress=progress,
        )
        copy_model_files(pivot, partial_folder, dtype=config.dtype)
        report = MergeReport(
            method=config.method,
            pivot=str(pivot),
            models=tuple(str(model) for model in models),
            warnings=tuple(warnings),
            units=units,
        )
        write_merge_report(partial_folder, report)
    return report


def make_algorithm(config: MergeConfig, unit_name: str, *, num_models: int) -> MergeAlgorithm:
    """Return a fresh algorithm for one unit."""
    weights = config.weights_for(num_models)
    match config.method:
        case "dare":
            return DareMerge(weights, density=config.density, seed=config.seed, unit_name=unit_name)
        case "linear":
            return LinearMerge(weights)
        case "sce":
            return SceMerge(num_models, select_topk=config.select_topk, variant=config.variant)
        case "task_arithmetic":
            return TaskArithmeticMerge(weights)
        case "ties":
            return TiesMerge(weights, density=config.density)


def _check_models(config: MergeConfig, models: Sequence[Path]) -> None:
    if not models:
        raise ConfigError("no models to merge; give at least one beside the pivot")
    if config.weights is not None and len(config.weights) != len(models):
        raise ConfigError(
            f"weights has {len(config.weights)} numbers for {len(models)} models; expected one per "
            "model"
        )
