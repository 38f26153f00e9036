"""The files beside the weights: compare them between models, and copy them to the merge."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from longloom.errors import ModelError
from longloom.runlog.atomic import atomic_write_text

_ARCHITECTURE_KEYS = (
    "architectures",
    "head_dim",
    "hidden_act",
    "hidden_size",
    "intermediate_size",
    "layer_types",
    "mlp_only_layers",
    "model_type",
    "moe_intermediate_size",
    "n_embd",
    "n_head",
    "n_layer",
    "n_routed_experts",
    "norm_topk_prob",
    "num_attention_heads",
    "num_experts",
    "num_experts_per_tok",
    "num_hidden_layers",
    "num_key_value_heads",
    "num_local_experts",
    "rms_norm_eps",
    "rope_theta",
    "vocab_size",
)
_REPORTED_KEYS = (
    "bos_token_id",
    "eos_token_id",
    "max_position_embeddings",
    "rope_parameters",
    "rope_scaling",
    "sliding_window",
)
_COPIED_FILES = (
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "config.json",
    "generation_config.json",
    "merges.txt",
    "preprocessor_config.json",
    "processor_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
)

ModelSettings = Mapping[str, Any]
"""The content of a config.json."""


def read_settings(folder: Path) -> ModelSettings:
    """Return the content of the folder's config.json.

    Raises:
        ModelError: it is missing or not a JSON object.
    """
    path = folder / "config.json"
    try:
        settings = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}; expected a model folder") from None
    except ValueError as error:
        raise ModelError(f"{path} is not JSON: {error}") from None
    if not isinstance(settings, dict):
        raise ModelError(f"{path} is not a JSON object; expected a model's configuration")
    return settings


def is_tied(settings: ModelSettings) -> bool:
    """Return whether the output layer is the embedding."""
    return bool(settings.get("tie_word_embeddings", False))


def compare_models(pivot: Path, models: Sequence[Path]) -> list[str]:
    """Check that models can be merged into the pivot; returns one line per harmless difference.

    Keys that one configuration lacks are not compared, because versions of transformers write
    different ones.

    Raises:
        ModelError: architectures or vocabularies disagree; all disagreements are named.
    """
    settings = read_settings(pivot)
    _check_not_quantised(pivot, settings)
    warnings: list[str] = []
    for model in models:
        others = read_settings(model)
        _check_not_quantised(model, others)
        disagreements = _differences(settings, others, _ARCHITECTURE_KEYS)
        if is_tied(settings) != is_tied(others):
            disagreements.append(
                f"tie_word_embeddings {is_tied(settings)} against {is_tied(others)}"
            )
        if disagreements:
            raise ModelError(
                f"{model} does not have the architecture of the pivot {pivot}: "
                f"{'; '.join(disagreements)}; merge models of one architecture"
            )
        differences = _differences(settings, others, _REPORTED_KEYS)
        warnings += [f"{model}: {line}; the pivot's is kept" for line in differences]
        warnings += _compare_tokenizers(pivot, model)
    return warnings


def copy_model_files(pivot: Path, output: Path, *, dtype: str | None) -> None:
    """Copy configuration and tokenizer of the pivot; `dtype` replaces the type it names.

    Raises:
        ModelError: a file cannot be read or written.
    """
    for name in _COPIED_FILES:
        if not (pivot / name).exists():
            continue
        try:
            shutil.copyfile(pivot / name, output / name)
        except OSError as error:
            raise ModelError(f"cannot copy {pivot / name} to {output}: {error}") from error
    if dtype is not None:
        settings = dict(read_settings(pivot))
        settings.pop("torch_dtype", None)  # its name before transformers 5, which reads both
        settings["dtype"] = dtype
        text = json.dumps(settings, indent=2, sort_keys=True) + "\n"
        atomic_write_text(output / "config.json", text, error_class=ModelError)


def _check_not_quantised(folder: Path, settings: ModelSettings) -> None:
    quantization = settings.get("quantization_config")
    if quantization:
        method = quantization.get("quant_method") if isinstance(quantization, dict) else None
        raise ModelError(
            f"{folder} is quantised ({method or 'see config.json'}); merge the models it was "
            "quantised from, and quantise the merge"
        )


def _differences(settings: ModelSettings, others: ModelSettings, keys: Sequence[str]) -> list[str]:
    return [
        f"{key} {settings[key]!r} against {others[key]!r}"
        for key in keys
        if key in settings and key in others and settings[key] != others[key]
    ]


def _compare_tokenizers(pivot: Path, model: Path) -> list[str]:
    files = [folder / "tokenizer.json" for folder in (pivot, model)]
    missing = [str(file.parent) for file in files if not file.exists()]
    if missing:
        return [f"no tokenizer.json in {' and '.join(missing)}; vocabularies were not compared"]
    contents = [file.read_bytes() for file in files]
    if contents[0] == contents[1]:
        return []
    try:
        first, second = (json.loads(content) for content in contents)
        is_same_vocabulary = _vocabulary(first) == _vocabulary(second)
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{files[0]} or {files[1]} is damaged: {error!r}") from None
    if not is_same_vocabulary:
        raise ModelError(
            f"{files[1]} has another vocabulary than the pivot's {files[0]}; its embeddings mean "
            "other tokens, so the models cannot be merged"
        )
    if first == second:
        return []
    return [f"{files[1]} differs from the pivot's outside the vocabulary; the pivot's is kept"]


def _vocabulary(tokenizer: Mapping[str, Any]) -> tuple[object, object, dict[str, int]]:
    model = tokenizer["model"]
    added = {token["content"]: token["id"] for token in tokenizer.get("added_tokens") or ()}
    # Newer files hold a merge as a pair, older ones as a string with a space.
    merges = [
        merge if isinstance(merge, str) else " ".join(merge) for merge in model.get("merges") or ()
    ]
    return model["vocab"], merges, added
