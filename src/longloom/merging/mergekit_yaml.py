"""Read a merge described in mergekit's YAML.

Whole-model merges are read: merge_method, base_model, models with weight and density, parameters,
dtype. Slices, gradients over layers, other tokenizers and names on a model hub are refused with a
reason, because ignoring them would give another merge than the file describes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from longloom.config import nearest_key, parse_config, read_yaml
from longloom.errors import ConfigError
from longloom.merging.config import MergeConfig

_METHOD_BY_MERGEKIT_NAME = {
    "dare_linear": "dare",
    "linear": "linear",
    "sce": "sce",
    "task_arithmetic": "task_arithmetic",
    "ties": "ties",
}
_TOP_KEYS = ("base_model", "dtype", "merge_method", "models", "out_dtype", "parameters")
_NORMALISED_METHODS = ("linear", "ties")


@dataclass(frozen=True, slots=True, kw_only=True)
class MergePlan:
    """A merge as a file describes it."""

    config: MergeConfig
    """Method and settings."""
    pivot: Path
    """mergekit's base_model; for a linear merge without one, the first model."""
    models: tuple[Path, ...]
    """The models to merge."""


def read_mergekit_yaml(path: Path) -> MergePlan:
    """Return the merge that a mergekit file describes; paths are relative to where it is run.

    SCE is read with mergekit's variant. Models without a weight get weight 1, as in mergekit; the
    base listed among the models adds nothing and is left out, except from a linear merge.

    Raises:
        ConfigError: the file cannot be read, or asks for something that is not supported.
    """
    try:
        content = read_yaml(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"cannot read {path}: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path} is not a merge; expected merge_method, base_model and models")
    _check_keys(path, "", content, _TOP_KEYS)
    method = _METHOD_BY_MERGEKIT_NAME.get(content.get("merge_method", ""), "")
    if not method:
        raise ConfigError(
            f"{path}: merge_method is {content.get('merge_method')!r}; expected one of "
            f"{', '.join(_METHOD_BY_MERGEKIT_NAME)}"
        )
    entries = _entries(path, content, method)
    if "base_model" not in content and method != "linear":
        raise ConfigError(f"{path}: merge_method {method} needs base_model")
    settings = _settings(path, content, method, entries)
    return MergePlan(
        config=parse_config(MergeConfig, settings),
        pivot=Path(str(content.get("base_model", entries[0]["model"]))),
        models=tuple(Path(str(entry["model"])) for entry in entries),
    )


def _entries(path: Path, content: Mapping[str, Any], method: str) -> list[Mapping[str, Any]]:
    entries = content.get("models")
    if not isinstance(entries, list) or not all(
        isinstance(entry, dict) and "model" in entry for entry in entries
    ):
        raise ConfigError(f"{path}: models is {entries!r}; expected a list of `- model: FOLDER`")
    for entry in entries:
        _check_keys(path, "models.", entry, ("model", "parameters"))
    base = content.get("base_model")
    merged = [entry for entry in entries if method == "linear" or entry["model"] != base]
    if not merged:
        raise ConfigError(f"{path}: models names no model beside the base")
    return merged


def _settings(
    path: Path, content: Mapping[str, Any], method: str, entries: list[Mapping[str, Any]]
) -> dict[str, object]:
    shared = _parameters(path, content)
    own = [_parameters(path, entry) for entry in entries]
    settings: dict[str, object] = {"method": method}
    dtype = content.get("out_dtype") or content.get("dtype")
    if dtype:
        settings["dtype"] = dtype
    if method == "sce":
        settings["variant"] = "mergekit"
        settings["select_topk"] = shared.get("select_topk", 1.0)
        return settings
    is_normalised = method in _NORMALISED_METHODS
    if bool(shared.get("normalize", is_normalised)) != is_normalised:
        raise ConfigError(
            f"{path}: normalize is {not is_normalised}; method {method} is only available with "
            f"normalize: {str(is_normalised).lower()}"
        )
    scale = shared.get("lambda", 1.0)
    if is_normalised and scale != 1.0:
        raise ConfigError(f"{path}: lambda is {scale}; method {method} divides by the weights")
    weights = [{"weight": 1.0, **shared, **parameters}["weight"] for parameters in own]
    settings["weights"] = tuple(weight * scale for weight in weights)
    densities = {{"density": 1.0, **shared, **parameters}["density"] for parameters in own}
    if len(densities) > 1:
        raise ConfigError(f"{path}: densities {sorted(densities)} differ; give all models the same")
    settings["density"] = densities.pop()
    return settings


def _parameters(path: Path, content: Mapping[str, Any]) -> dict[str, float]:
    parameters = content.get("parameters") or {}
    known = ("density", "int8_mask", "lambda", "normalize", "select_topk", "weight")
    if not isinstance(parameters, dict):
        raise ConfigError(f"{path}: parameters is {parameters!r}; expected settings by name")
    _check_keys(path, "parameters.", parameters, known)
    for name, value in parameters.items():
        if not isinstance(value, int | float):
            raise ConfigError(
                f"{path}: parameters.{name} is {value!r}; expected one number (values by layer are "
                "not supported)"
            )
    return {name: float(value) for name, value in parameters.items()}


def _check_keys(
    path: Path, prefix: str, content: Mapping[str, Any], known: tuple[str, ...]
) -> None:
    for key in content:
        if key not in known:
            nearest = nearest_key(str(key), known)
            hint = f"did you mean {nearest!r}?" if nearest else f"known: {', '.join(known)}"
            raise ConfigError(f"{path}: {prefix}{key} is not supported; {hint}")
