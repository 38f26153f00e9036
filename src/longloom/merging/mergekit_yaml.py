"""Read a merge described in mergekit's YAML.

Whole-model merges are read: merge_method, base_model, models (or one slice over all layers) with
weight and density, parameters, dtype, the base's tokenizer. What would stack, cut or vary layers,
other tokenizers and other methods are refused with a reason, because ignoring them would give
another merge than the file describes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from longloom.config import nearest_key, parse_config, read_yaml
from longloom.errors import ConfigError
from longloom.merging.config import MergeConfig
from longloom.merging.model_files import read_settings

_METHOD_BY_MERGEKIT_NAME = {
    "dare_linear": "dare",
    "linear": "linear",
    "sce": "sce",
    "task_arithmetic": "task_arithmetic",
    "ties": "ties",
}
_TOP_KEYS = (
    "base_model",
    "dtype",
    "merge_method",
    "models",
    "out_dtype",
    "parameters",
    "slices",
    "tokenizer",
    "tokenizer_source",
)
_REASON_BY_KEY = {
    "chat_template": "the base's chat template is copied; edit the merged folder instead",
    "modules": "models with several modules are not merged",
}
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

    SCE is read with mergekit's variant. A model without a weight gets weight 1; the base listed
    among the models adds nothing and is left out, except from a linear merge.

    Raises:
        ConfigError: the file cannot be read, or asks for something that is not supported.
        ModelError: it has a slice, whose models cannot be read.
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
    _check_tokenizer(path, content)
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
    entries = _sources(path, content) if "slices" in content else content.get("models")
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


def _sources(path: Path, content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the models of one slice that takes every layer of each of them."""
    slices = content["slices"]
    if "models" in content:
        raise ConfigError(f"{path}: both models and slices are given; keep one of them")
    if not isinstance(slices, list) or len(slices) != 1 or not isinstance(slices[0], dict):
        raise ConfigError(
            f"{path}: slices stack or cut layers; only one slice over all layers is supported"
        )
    _check_keys(path, "slices.", slices[0], ("sources",))
    sources = slices[0].get("sources")
    if not isinstance(sources, list) or not all(isinstance(source, dict) for source in sources):
        raise ConfigError(f"{path}: slices.sources is {sources!r}; expected a list of models")
    entries = []
    for source in sources:
        _check_keys(path, "slices.sources.", source, ("layer_range", "model", "parameters"))
        entry = dict(source)
        layers = entry.pop("layer_range", None)
        num_layers = read_settings(Path(str(source.get("model")))).get("num_hidden_layers")
        if layers != [0, num_layers]:
            raise ConfigError(
                f"{path}: layer_range is {layers} of {source.get('model')}, which has {num_layers} "
                f"layers; only [0, {num_layers}] is supported"
            )
        entries.append(entry)
    return entries


def _check_tokenizer(path: Path, content: Mapping[str, Any]) -> None:
    tokenizer = content.get("tokenizer") or {}
    if not isinstance(tokenizer, dict):
        raise ConfigError(f"{path}: tokenizer is {tokenizer!r}; expected `source: base`")
    _check_keys(path, "tokenizer.", tokenizer, ("source",))
    for source in (content.get("tokenizer_source"), tokenizer.get("source")):
        if source not in (None, "base", content.get("base_model")):
            raise ConfigError(
                f"{path}: the tokenizer's source is {source!r}; only the base's is supported, "
                "because vocabularies must agree"
            )


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
    if method == "dare" and shared.get("rescale", 1.0) != 1.0:
        raise ConfigError(f"{path}: rescale is off; method dare always rescales what it keeps")
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
    densities = [{"density": 1.0, **shared, **parameters}["density"] for parameters in own]
    if len(set(densities)) > 1:
        settings["densities"] = tuple(densities)
    else:
        settings["density"] = densities[0]
    return settings


def _parameters(path: Path, content: Mapping[str, Any]) -> dict[str, float]:
    parameters = content.get("parameters") or {}
    known = ("density", "int8_mask", "lambda", "normalize", "rescale", "select_topk", "weight")
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
        if key in _REASON_BY_KEY:
            raise ConfigError(f"{path}: {prefix}{key} is not supported; {_REASON_BY_KEY[key]}")
        if key not in known:
            nearest = nearest_key(str(key), known)
            hint = f"did you mean {nearest!r}?" if nearest else f"known: {', '.join(known)}"
            raise ConfigError(f"{path}: {prefix}{key} is not supported; {hint}")
