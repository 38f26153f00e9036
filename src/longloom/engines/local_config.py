"""How the local engine uses the machine; none of it changes what is learned but by rounding.

Except for `optimizer` and `lora`, which say what is stepped and how.
"""

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

from longloom.config import FrozenConfig


class OptimizerConfig(FrozenConfig):
    """AdamW; the learning rate and the clipping of gradients are the stage's."""

    beta_first: float = Field(default=0.9, ge=0, lt=1)
    """Decay of the mean of gradients."""
    beta_second: float = Field(default=0.95, ge=0, lt=1)
    """Decay of the mean of squared gradients; as language models are pre-trained."""
    epsilon: PositiveFloat = 1e-8
    """Added to the root of the second moment."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Each step shrinks all trained weights by learning rate x this; the paper gives none."""


class LoraConfig(FrozenConfig):
    """Low-rank adapters in place of training every weight (the extra `lora`)."""

    rank: PositiveInt = 16
    """Rank of each adapter."""
    alpha: float = Field(default=32.0, gt=0)
    """The adapters' output is scaled by alpha / rank."""
    target_modules: tuple[str, ...] = (
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
        "gate_proj",
        "up_proj",
        "down_proj",
    )
    """Last names of the linear layers that get one."""


class LocalEngineConfig(FrozenConfig):
    """How training and rollouts of the local engine use the machine."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where it runs; `auto` takes an accelerator if there is one."""
    dtype: Literal["auto", "bfloat16", "float32"] = "auto"
    """In what the network computes: `auto` is bfloat16 on CUDA and float32 on CPU. The optimizer's
    weights and moments are always float32."""
    max_batch_tokens: PositiveInt | None = None
    """Tokens of one micro-batch, a shared prompt counted once; None is 3,072 on CPU and 32,768 on
    CUDA. A prompt is never cut: one longer than this is a micro-batch of its own, with up to this
    many tokens of its answers."""
    max_cache_tokens: PositiveInt | None = None
    """Prompt and answer tokens held in the caches of rollouts at once; None is 65,536 on CPU and
    131,072 on CUDA."""
    gradient_checkpointing: Literal["auto", "off", "on"] = "auto"
    """Compute each layer again in the backward pass; `auto` turns it on for CUDA."""
    check_memory: bool = True
    """Refuse a stage whose planned peak is above what is free before it starts. Turn it off where
    the plan is known to ask too much: it counts every prompt and answer at its limit, and knows
    nothing of swap or of memory that other programs will give back."""
    activation_offload: bool = False
    """Keep what the backward pass needs in the main memory instead of the accelerator's."""
    optimizer: OptimizerConfig = OptimizerConfig()
    """How gradients become steps."""
    lora: LoraConfig | None = None
    """Train adapters instead of the weights; None trains the weights."""
