"""Sizes of the models that recipes name, so that a plan needs no download.

The figures are those of the models' published config.json; a folder on the disk comes first.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from longloom.config import nearest_key
from longloom.engines.model_sizes import ModelSizes, read_sizes, sizes_of
from longloom.errors import ModelError
from longloom.recipes.model_source import TINY_BASE, resolve_model


def _dense(
    width: int, mlp_width: int, num_layers: int, num_heads: int, num_key_heads: int, **others: Any
) -> dict[str, Any]:
    return {
        "model_type": "qwen3",
        "vocab_size": 151_936,
        "hidden_size": width,
        "intermediate_size": mlp_width,
        "num_hidden_layers": num_layers,
        "num_attention_heads": num_heads,
        "num_key_value_heads": num_key_heads,
        "head_dim": 128,
        "tie_word_embeddings": False,
        **others,
    }


_TIED = {"tie_word_embeddings": True}
_QWEN2 = {"model_type": "qwen2", "vocab_size": 152_064}
_QWEN3_4B = _dense(2_560, 9_728, 36, 32, 8, **_TIED)
_QWEN3_30B_A3B = _dense(
    2_048, 6_144, 48, 32, 4, model_type="qwen3_moe",
    num_experts=128, num_experts_per_tok=8, moe_intermediate_size=768, decoder_sparse_step=1,
)  # fmt: skip

KNOWN_MODELS: Mapping[str, Mapping[str, Any]] = {
    "Qwen/Qwen3-0.6B": _dense(1_024, 3_072, 28, 16, 8, **_TIED),
    "Qwen/Qwen3-1.7B": _dense(2_048, 6_144, 28, 16, 8, **_TIED),
    "Qwen/Qwen3-4B": _QWEN3_4B,
    "Qwen/Qwen3-4B-Thinking-2507": _QWEN3_4B,
    "Qwen/Qwen3-8B": _dense(4_096, 12_288, 36, 32, 8),
    "Qwen/Qwen3-14B": _dense(5_120, 17_408, 40, 40, 8),
    "Qwen/Qwen3-32B": _dense(5_120, 25_600, 64, 64, 8),
    "Qwen/Qwen3-30B-A3B": _QWEN3_30B_A3B,
    "Qwen/Qwen3-30B-A3B-Thinking-2507": _QWEN3_30B_A3B,
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B": _dense(3_584, 18_944, 28, 28, 4, **_QWEN2),
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-14B": _dense(5_120, 13_824, 48, 40, 8, **_QWEN2),
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B": _dense(5_120, 27_648, 64, 40, 8, **_QWEN2),
}
"""Settings of config.json by the model's name."""


def model_sizes(name: str) -> ModelSizes:
    """Return the sizes of a model folder, of `tiny-base`, or of a model known by name.

    Names are known without their owner too, in any case: `qwen3-4b`.

    Raises:
        ModelError: there is neither such a folder nor such a name, or config.json lacks a size.
    """
    if name == TINY_BASE or (Path(name).expanduser() / "config.json").is_file():
        return read_sizes(resolve_model(name))
    names = {_short(known): known for known in KNOWN_MODELS}
    known = names.get(_short(name))
    if known is None:
        nearest = nearest_key(_short(name), list(names))
        hint = f"did you mean {names[nearest]!r}?" if nearest else ""
        raise ModelError(
            f"model {name!r} is neither a folder with a config.json nor known by name; {hint or ''}"
            f"{' ' if hint else ''}known: {', '.join(KNOWN_MODELS)}"
        )
    return sizes_of(KNOWN_MODELS[known], Path(known) / "config.json")


def _short(name: str) -> str:
    return name.rpartition("/")[2].lower()
