"""Read and write model folders in the Hugging Face layout.

What it leaves out: any architecture but dense Qwen3; those go through transformers.
"""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from longloom.errors import ModelError
from longloom.models.qwen3 import Qwen3, Qwen3Shape

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
WEIGHTS_FILE = "model.safetensors"


def read_shape(folder: Path) -> Qwen3Shape:
    """Return the sizes in a folder's config.json.

    Raises:
        ModelError: the file is missing, damaged or of another architecture.
    """
    path = folder / "config.json"
    try:
        settings: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if not isinstance(settings, dict):
            raise ValueError("expected a JSON object")
    except (OSError, ValueError) as error:
        raise ModelError(f"no usable config.json in {folder}: {error}") from None
    if settings.get("model_type") != "qwen3":
        raise ModelError(
            f"{path} has model_type {settings.get('model_type')!r}; the local engine runs 'qwen3'"
        )
    rope = settings.get("rope_parameters") or settings.get("rope_scaling") or {}
    if rope.get("rope_type", "default") != "default" or settings.get("use_sliding_window"):
        raise ModelError(f"{path} uses rotary scaling or sliding windows; expected neither")
    names = set(Qwen3Shape.__dataclass_fields__) - {"rope_theta"}
    missing = sorted(names - set(settings))
    if missing:
        raise ModelError(f"{path} lacks {', '.join(missing)}")
    theta = settings.get("rope_theta")
    settings["rope_theta"] = rope.get("rope_theta", 10_000.0) if theta is None else theta
    _check_sizes(settings, path)
    sizes = {name: settings[name] for name in names}
    return Qwen3Shape(rope_theta=float(settings["rope_theta"]), **sizes)


def _check_sizes(settings: dict[str, Any], path: Path) -> None:
    """Refuse sizes that no network has; the error names the first of them."""
    numbers = ("rms_norm_eps", "rope_theta")
    for name in sorted(Qwen3Shape.__dataclass_fields__):
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


def load_model(folder: Path) -> Qwen3:
    """Return the network of a model folder in fp32.

    Raises:
        ModelError: a file is missing, damaged, or does not fit config.json.
    """
    shape = read_shape(folder)
    model = Qwen3(shape)
    model.load_state_dict(load_weights(folder, tied=shape.tie_word_embeddings), strict=True)
    return model


def load_weights(folder: Path, *, tied: bool) -> dict[str, torch.Tensor]:
    """Return the tensors of a folder by name, checked against the network's names and shapes.

    Reads `model.safetensors` or the shards `model-*.safetensors`.
    """
    paths = sorted(folder.glob("model*.safetensors"))
    if not paths:
        raise ModelError(f"no *.safetensors in {folder}; expected a Hugging Face model folder")
    weights: dict[str, torch.Tensor] = {}
    for path in paths:
        try:
            weights.update(load_file(path))
        except (SafetensorError, OSError) as error:
            raise ModelError(f"weights {path} are damaged: {error}") from None
    if tied:
        weights.pop("lm_head.weight", None)
    with torch.device("meta"):
        expected = {
            name: tensor.shape for name, tensor in Qwen3(read_shape(folder)).state_dict().items()
        }
    for name, wanted in expected.items():
        if name not in weights:
            raise ModelError(f"weights of {folder} lack tensor {name}")
        if weights[name].shape != wanted:
            raise ModelError(
                f"tensor {name} of {folder} is {tuple(weights[name].shape)}; "
                f"config.json says {tuple(wanted)}"
            )
    unknown = sorted(set(weights) - set(expected))
    if unknown:
        raise ModelError(f"weights of {folder} have unknown tensors: {', '.join(unknown[:5])}")
    return {name: tensor.to(torch.float32) for name, tensor in weights.items()}


def shape_settings(shape: Qwen3Shape, *, end_id: int, pad_id: int) -> dict[str, object]:
    """Return the config.json of a network, as transformers and vLLM expect it."""
    settings: dict[str, object] = {
        name: getattr(shape, name) for name in Qwen3Shape.__dataclass_fields__
    }
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
    return dict(sorted(settings.items()))


def save_model(model: Qwen3, folder: Path, *, like: Path) -> None:
    """Write `model` as a folder with the configuration and tokenizer of folder `like`.

    The weights are written last under a temporary name, so a folder with weights is complete.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "generation_config.json", *TOKENIZER_FILES):
        if (like / name).exists() and folder.resolve() != like.resolve():
            shutil.copyfile(like / name, folder / name)
    weights = {name: tensor.detach().contiguous() for name, tensor in model.state_dict().items()}
    partial = folder / f".{WEIGHTS_FILE}.partial"
    try:
        save_file(weights, partial, metadata={"format": "pt"})
        partial.replace(folder / WEIGHTS_FILE)
    except (OSError, SafetensorError) as error:  # the writer wraps a full disk in its own error
        raise ModelError(f"could not write {folder}: {error}; free space and run again") from None
    finally:
        partial.unlink(missing_ok=True)
