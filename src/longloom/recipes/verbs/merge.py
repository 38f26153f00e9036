"""Merge models by hand."""

from collections.abc import Callable, Sequence
from pathlib import Path

from longloom.config import apply_overrides, parse_config
from longloom.errors import ConfigError
from longloom.merging import MergeConfig, MergeReport, read_mergekit_yaml
from longloom.merging.merge import merge_models
from longloom.recipes.model_source import resolve_model
from longloom.report import write_merge_page

Progress = Callable[[str, int, int], None]
"""Told what is being done, bytes written, and bytes in all."""


def merge(
    pivot: Path | str,
    models: Sequence[Path | str],
    *,
    output: Path | str,
    method: str = "sce",
    overrides: Sequence[str] = (),
    progress: Progress | None = None,
) -> MergeReport:
    """Merge models into the one they were trained from, and write a new model folder.

    `merge_report.json` and `merge_report.html` in it say what each model contributed. A merge that
    was killed is continued by the same call.

    Args:
        pivot: the common origin: a model folder or `tiny-base`.
        models: the models to merge, at least two.
        output: the new folder.
        method: `sce`, the paper's, or `dare`, `linear`, `task_arithmetic`, `ties`.
        overrides: changed settings as `merge.a=b`.
        progress: is told how far the work is.

    Raises:
        ConfigError: a setting is refused, or there are too few models.
        ModelError: a folder cannot be read, folders disagree, or the output exists.
    """
    if len(models) < 2:
        raise ConfigError(
            f"{len(models)} model to merge; expected at least 2 beside the pivot, because one "
            "model merged into its pivot is that model"
        )
    settings = apply_overrides({"merge": MergeConfig().model_dump(mode="json")}, overrides)
    chosen = settings["merge"]
    if isinstance(chosen, dict) and not any(
        override.startswith("merge.method=") for override in overrides
    ):
        chosen["method"] = method
    return merge_models(
        _parsed(chosen),
        pivot=resolve_model(str(pivot)),
        models=[resolve_model(str(model)) for model in models],
        output=Path(output),
        progress=_described(progress),
        add_files=write_merge_page,
    )


def merge_file(
    file: Path | str,
    *,
    output: Path | str,
    overrides: Sequence[str] = (),
    progress: Progress | None = None,
) -> MergeReport:
    """Carry out a merge that a mergekit YAML file describes, and write a new model folder.

    Args:
        file: as mergekit reads it.
        output: the new folder.
        overrides: changed settings as `merge.a=b`, for what mergekit's files do not hold.
        progress: is told how far the work is.

    Raises:
        ConfigError: the file cannot be read, or asks for something that is not supported.
        ModelError: a folder cannot be read, folders disagree, or the output exists.
    """
    plan = read_mergekit_yaml(Path(file))
    settings = apply_overrides({"merge": plan.config.model_dump(mode="json")}, overrides)
    return merge_models(
        _parsed(settings["merge"]),
        pivot=plan.pivot,
        models=plan.models,
        output=Path(output),
        progress=_described(progress),
        add_files=write_merge_page,
    )


def _parsed(settings: object) -> MergeConfig:
    if not isinstance(settings, dict):
        raise ConfigError(f"merge is {settings!r}; expected settings by name")
    return parse_config(MergeConfig, settings)


def _described(progress: Progress | None) -> Callable[[int, int], None] | None:
    if progress is None:
        return None
    return lambda num_done, num_total: progress("merging", num_done, num_total)
