"""How many numbers a network holds and makes, from its config.json alone.

Dense decoders and mixtures of experts with rotary positions: Qwen2, Qwen3, Qwen3-MoE, Llama,
Mistral, Mixtral and what is built like them. Exact for these, but for a bias here and there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longloom.engines.local_config import LoraConfig
from longloom.errors import ModelError
from longloom.models.folder import has_own_network, read_settings

_HEAD_NORMS = ("qwen3", "qwen3_moe", "olmo2")
"""Architectures that normalise queries and keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSizes:
    """Sizes of one decoder; widths are numbers per token."""

    vocab_size: int
    """V."""
    hidden_size: int
    """D."""
    num_layers: int
    """Layers."""
    num_heads: int
    """Query heads H."""
    query_width: int
    """H x d."""
    key_width: int
    """K x d; of values too."""
    mlp_width: int
    """Width of what one token passes through in the MLP, all of its experts together."""
    stored_mlp_width: int
    """The same with every expert there is."""
    num_experts: int
    """Experts of a layer, as a mean over the layers; 0 in a dense network."""
    has_head_norms: bool
    """Whether queries and keys are normalised."""
    is_tied: bool
    """Whether the output matrix is the embedding matrix."""
    is_own: bool
    """Whether our own network computes it, which leaves contexts out of most of the last layer."""

    @property
    def embedding_weights(self) -> int:
        """V x D: the largest single matrix, of embedding and output."""
        return self.vocab_size * self.hidden_size

    @property
    def num_weights(self) -> int:
        """All weights: embedding, output, and per layer attention, MLP and normalisations."""
        width = self.hidden_size
        head_dim = self.query_width // self.num_heads
        layer = width * (2 * self.query_width + 2 * self.key_width + 3 * self.stored_mlp_width)
        layer += self.num_experts * width  # the router
        layer += 2 * width + (2 * head_dim if self.has_head_norms else 0)
        num_matrices = 1 if self.is_tied else 2
        return self.num_layers * layer + num_matrices * self.embedding_weights + width

    def num_adapter_weights(self, lora: LoraConfig) -> int:
        """Weights of adapters: rank x (inputs + outputs) of each adapted matrix of each layer."""
        width = self.hidden_size
        sides = {
            "q_proj": width + self.query_width,
            "k_proj": width + self.key_width,
            "v_proj": width + self.key_width,
            "o_proj": width + self.query_width,
            "gate_proj": width + self.mlp_width,
            "up_proj": width + self.mlp_width,
            "down_proj": width + self.mlp_width,
        }
        total = sum(sides.get(name, 0) for name in lora.target_modules)
        return self.num_layers * lora.rank * total


def read_sizes(folder: Path) -> ModelSizes:
    """Return the sizes in a folder's config.json; no weights are read.

    Raises:
        ModelError: the file is missing or damaged, or lacks a size.
    """
    return sizes_of(read_settings(folder), folder / "config.json")


def sizes_of(settings: Mapping[str, Any], path: Path) -> ModelSizes:
    """Return the sizes in the content of the config.json at `path`.

    Raises:
        ModelError: it lacks a size.
    """
    width = _size(settings, "hidden_size", path)
    num_heads = _size(settings, "num_attention_heads", path)
    num_key_heads = settings.get("num_key_value_heads") or num_heads
    head_dim = settings.get("head_dim") or width // num_heads
    mlp_width, stored_mlp_width, num_experts = _mlp_widths(settings, path)
    return ModelSizes(
        vocab_size=_size(settings, "vocab_size", path),
        hidden_size=width,
        num_layers=_size(settings, "num_hidden_layers", path),
        num_heads=num_heads,
        query_width=num_heads * head_dim,
        key_width=num_key_heads * head_dim,
        mlp_width=mlp_width,
        stored_mlp_width=stored_mlp_width,
        num_experts=num_experts,
        has_head_norms=settings.get("model_type") in _HEAD_NORMS,
        is_tied=bool(settings.get("tie_word_embeddings", False)),
        is_own=has_own_network(settings),
    )


def _mlp_widths(settings: Mapping[str, Any], path: Path) -> tuple[int, int, int]:
    """Return the widths that a token uses and that are stored, and the experts, as means."""
    dense = _size(settings, "intermediate_size", path)
    num_experts = settings.get("num_experts") or settings.get("num_local_experts") or 0
    if not num_experts:
        return dense, dense, 0
    expert = settings.get("moe_intermediate_size") or dense
    shared = settings.get("shared_expert_intermediate_size") or 0
    num_layers = _size(settings, "num_hidden_layers", path)
    step = settings.get("decoder_sparse_step") or 1
    dense_layers = set(settings.get("mlp_only_layers") or ())
    dense_layers |= {layer for layer in range(num_layers) if (layer + 1) % step}
    share = len(dense_layers) / num_layers
    used = settings.get("num_experts_per_tok", 1) * expert + shared
    stored = num_experts * expert + shared
    return (
        round(share * dense + (1 - share) * used),
        round(share * dense + (1 - share) * stored),
        round((1 - share) * num_experts),
    )


def _size(settings: Mapping[str, Any], name: str, path: Path) -> int:
    value = settings.get(name)
    if type(value) is not int or value < 1:
        raise ModelError(f"{path}: {name} is {value!r}; expected a positive whole number")
    return value
