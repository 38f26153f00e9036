"""Read and write folders of our own Qwen3 network in the Hugging Face layout.

`loading.py` reads any architecture and comes here for those that `has_own_network`.
"""

import json
import math
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from longloom.errors import ModelError
from longloom.models.qwen3 import Qwen3, Qwen3Shape
from longloom.models.rotary import (
    RotaryScaling,
    read_scaling,
    read_theta,
    window_tokens,
    with_scaling,
    with_yarn,
)
from longloom.models.weight_files import (
    SHARD_BYTES,
    dtype_name,
    read_shapes,
    read_tensors,
    write_weights,
)
from longloom.models.yarn_config import YarnConfig
from longloom.runlog.atomic import atomic_write_text, describe_write_failure

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
)
"""What a tokenizer may consist of; `tokenizer.json` alone is read here."""

_READ_APART = {"rope_theta", "rope_scaling"}


def read_settings(folder: Path) -> dict[str, Any]:
    """Return the content of a folder's config.json.

    Raises:
        ModelError: the file is missing or damaged.
    """
    try:
        settings = json.loads((folder / "config.json").read_text("utf-8"))
        if not isinstance(settings, dict):
            raise ValueError("expected a JSON object")
    except (OSError, ValueError) as error:
        raise ModelError(f"no usable config.json in {folder}: {error}") from None
    return settings


def has_own_network(settings: Mapping[str, Any]) -> bool:
    """Whether our own network computes the model of this config.json."""
    return (
        settings.get("model_type") == "qwen3"
        and not settings.get("attention_bias")
        and not settings.get("use_sliding_window")
        and settings.get("hidden_act", "silu") == "silu"
    )


def read_shape(folder: Path) -> Qwen3Shape:
    """Return the sizes in a folder's config.json.

    Raises:
        ModelError: the file is missing, damaged or of another architecture.
    """
    return shape_of(read_settings(folder), folder / "config.json")


def shape_of(settings: Mapping[str, Any], path: Path) -> Qwen3Shape:
    """Return the sizes in the content of the config.json at `path`.

    Raises:
        ModelError: it is of another architecture, or a size makes no sense.
    """
    if settings.get("model_type") != "qwen3":
        raise ModelError(
            f"{path} has model_type {settings.get('model_type')!r}; our own network is 'qwen3'"
        )
    if not has_own_network(settings):
        raise ModelError(
            f"{path} uses sliding windows, attention bias or an activation other than silu; "
            "expected none of them"
        )
    names = set(Qwen3Shape.__dataclass_fields__) - _READ_APART
    missing = sorted(names - set(settings))
    if missing:
        raise ModelError(f"{path} lacks {', '.join(missing)}")
    sizes = {name: settings[name] for name in names} | {"rope_theta": read_theta(settings)}
    _check_sizes(sizes, path)
    scaling = read_scaling(settings)
    sizes["rope_theta"] = float(sizes["rope_theta"])
    sizes["max_position_embeddings"] = window_tokens(scaling, sizes["max_position_embeddings"])
    return Qwen3Shape(rope_scaling=scaling, **sizes)


def _check_sizes(settings: Mapping[str, Any], path: Path) -> None:
    """Refuse sizes that no network has; the error names the first of them."""
    numbers = ("rms_norm_eps", "rope_theta")
    for name in sorted(settings):
        value = settings[name]
        if name == "tie_word_embeddings":
            expected, fits = "true or false", isinstance(value, bool)
        elif name in numbers:
            expected, fits = "a positive number", type(value) in (int, float)
            fits = fits and math.isfinite(value) and value > 0
        else:
            expected, fits = "a positive whole number", type(value) is int and value > 0
        if not fits:
            raise ModelError(f"{path}: {name} is {value!r}; expected {expected}")
    heads, key_heads = settings["num_attention_heads"], settings["num_key_value_heads"]
    if heads % key_heads:
        raise ModelError(
            f"{path}: num_attention_heads is {heads}; expected a multiple of num_key_value_heads, "
            f"which is {key_heads}"
        )
    if settings["head_dim"] % 2:
        raise ModelError(f"{path}: head_dim is {settings['head_dim']}; expected an even number")


def load_model(
    folder: Path,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    yarn: YarnConfig | None = None,
) -> Qwen3:
    """Return our own network with the weights of a model folder.

    Weights are read one by one into the network, so no second copy of them is held.

    Raises:
        ModelError: a file is missing, damaged, or does not fit config.json.
    """
    settings = read_settings(folder)
    if yarn is not None:
        settings = with_yarn(settings, yarn)
    model = _without_weights(shape_of(settings, folder / "config.json"))
    # Copies: a tensor read is a view of its file, which may change.
    weights = {
        name: tensor.to(device=device, dtype=dtype, copy=True)
        for name, tensor in _weights(folder, model)
    }
    model.load_state_dict(weights, strict=True, assign=True)
    return model


def saved_qwen3_weights(model: Qwen3, folder: Path) -> Iterator[tuple[str, Tensor]]:
    """Check that a folder holds just this network; return an iterator over its weights.

    They are read one by one, each mapped from its file, when the iterator comes to them. Names are
    those of the folder; low-rank adapters of `model` do not matter.

    Raises:
        ModelError: a file is missing or damaged, or describes another network.
    """
    shape = read_shape(folder)
    for name in Qwen3Shape.__dataclass_fields__:
        found, expected = getattr(shape, name), getattr(model.shape, name)
        if found != expected:
            raise ModelError(
                f"its config.json describes another network: {name} is {found}; expected {expected}"
            )
    return _weights(folder, _without_weights(shape))


def _without_weights(shape: Qwen3Shape) -> Qwen3:
    with torch.device("meta"):
        return Qwen3(shape)


def _weights(folder: Path, model: Qwen3) -> Iterator[tuple[str, Tensor]]:
    """Check names and shapes of a folder's weights; return an iterator that reads them."""
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    found = read_shapes(folder)
    if model.shape.tie_word_embeddings:
        found.pop("lm_head.weight", None)
    for name, shape in found.items():
        if shape != wanted.get(name, shape):
            raise ModelError(
                f"tensor {name} of {folder} is {shape}; config.json says {wanted[name]}"
            )
    for name in wanted:
        if name not in found:
            raise ModelError(f"weights of {folder} lack tensor {name}")
    if unknown := sorted(found.keys() - wanted.keys()):
        raise ModelError(f"weights of {folder} have unknown tensors: {', '.join(unknown[:5])}")
    return ((name, tensor) for name, tensor in read_tensors(folder) if name in wanted)


def shape_settings(shape: Qwen3Shape, *, end_id: int, pad_id: int) -> dict[str, object]:
    """Return the config.json of a network, as transformers and vLLM expect it."""
    names = set(Qwen3Shape.__dataclass_fields__) - {"rope_scaling"}
    settings: dict[str, object] = {name: getattr(shape, name) for name in names}
    settings |= {
        "architectures": ["Qwen3ForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "dtype": "float32",
        "eos_token_id": end_id,
        "hidden_act": "silu",
        "model_type": "qwen3",
        "pad_token_id": pad_id,
        "use_cache": True,
        "use_sliding_window": False,
    }
    if shape.rope_scaling.rope_type != "default":
        settings = with_scaling(settings, shape.rope_scaling)
    return dict(sorted(settings.items()))


def write_side_files(
    folder: Path, *, like: Path, settings: Mapping[str, Any], dtype: torch.dtype
) -> None:
    """Write all of a model folder but its weights.

    Args:
        folder: made if it is missing.
        like: whose tokenizer and generation settings are copied.
        settings: the content of config.json; its type of weights is set to `dtype`.
        dtype: the type of the weights.

    Raises:
        ModelError: the files cannot be written.
    """
    keys = [key for key in ("dtype", "torch_dtype") if key in settings] or ["dtype"]
    content = {**settings, **dict.fromkeys(keys, dtype_name(dtype))}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if folder.resolve() != like.resolve():
            for name in ("generation_config.json", *TOKENIZER_FILES):
                if (like / name).exists():
                    shutil.copyfile(like / name, folder / name)
    except OSError as error:
        raise ModelError(describe_write_failure(folder, error)) from None
    atomic_write_text(
        folder / "config.json", json.dumps(content, indent=2) + "\n", error_class=ModelError
    )


def save_model(model: Qwen3, folder: Path, *, like: Path) -> None:
    """Write `model` as a folder with the configuration and tokenizer of folder `like`.

    The weights take their names last, so a folder with weights is complete.

    Raises:
        ModelError: the folder cannot be written; says why.
    """
    write_network(folder, model.state_dict(), like=like, scaling=model.shape.rope_scaling)


def write_network(
    folder: Path,
    weights: Mapping[str, Tensor],
    *,
    like: Path,
    scaling: RotaryScaling,
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Write weights by name as a folder like folder `like`, with this rotary scaling."""
    settings = read_settings(like)
    if read_scaling(settings) != scaling:
        settings = with_scaling(settings, scaling)
    write_side_files(folder, like=like, settings=settings, dtype=next(iter(weights.values())).dtype)
    write_weights(folder, weights, shard_bytes=shard_bytes)
