"""Bytes that one GPU of several holds of a network in training, by what holds them.

FSDP2 as verl 0.9.1 builds it: weights, gradients and Adam's moments in fp32, divided by all GPUs;
computed in bf16, for which two layers and the output matrix are gathered. W weights, L layers, V
words, D the width, t the tokens that one GPU has of a micro-batch. What it leaves out: gaps that
the allocator cannot use, and buffers of NCCL, for which `layout` keeps a part of the memory free.
None of it has been measured on a GPU.
"""

from dataclasses import dataclass

from longloom.engines.local_config import LoraConfig
from longloom.engines.model_sizes import ModelSizes
from longloom.engines.token_bytes import layer_token_bytes, working_token_bytes

BF16 = 2
"""Bytes of a number in bf16."""
RESIDENT_BYTES = 12
"""Of a trained weight, all the time: fp32 weight 4, Adam's two moments 8."""
GRADIENT_BYTES = 4
"""Of a trained weight, in an update: verl reduces gradients in fp32."""
FROZEN_BYTES = 4
"""Of a weight that adapters leave as it is: verl loads it in fp32."""
GATHERED_LAYER_BYTES = 10
"""Of a weight of one layer: bf16 of it and of the layer fetched ahead 4, its gradient in bf16 2 and
in fp32 for the reduction 4."""
GATHERED_OUTPUT_BYTES = 6
"""Of a weight of the output: in bf16 the matrix, its gradient and one chunk's share of that."""
USABLE_FRACTION = 0.92
"""Part of a GPU's memory that can be filled: the rest is the driver's and lost in gaps; assumed, as
in `longloom plan`."""
RESERVED_BYTES = 4_000_000_000
"""Kept free: CUDA contexts of trainer and server, NCCL's buffers, what a sleeping server keeps;
assumed."""
SERVER_BYTES = 3_000_000_000
"""What a server needs beside weights and caches: a pass, logits of a step, CUDA graphs; assumed."""
LARGEST_FRACTION = 0.85
"""More of a GPU is not given to the server."""
LEAST_SEQUENCES = 4
"""Of the longest rows, that a copy should hold at once: weights are read once for all of them."""
HEAD_CHUNK_TOKENS = 512
"""Tokens whose logits verl's fused head forms at a time (`FusedLinearForPPO`)."""
HEAD_WORD_BYTES = 18
"""Of one logit there: in bf16 2, and fp32 logits, probabilities, the one-hot target and the
gradient 16."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenBytes:
    """What a token costs on the GPU that computes it."""

    kept: int
    """With gradient checkpointing the inputs of all layers in bf16: L D 2."""
    working: int
    """One layer's insides, while it is computed again and gone back through."""


def token_bytes(sizes: ModelSizes) -> TokenBytes:
    """Return what one token costs in an update."""
    inside = layer_token_bytes(sizes, BF16) + working_token_bytes(sizes, BF16)
    inside += 2 * BF16 * num_experts_used(sizes) * sizes.hidden_size  # copies for, and of, experts
    return TokenBytes(kept=sizes.num_layers * sizes.hidden_size * BF16, working=inside)


def num_experts_used(sizes: ModelSizes) -> int:
    """Return the experts that a token passes through; 0 in a dense network."""
    if not sizes.num_experts:
        return 0
    return round(sizes.mlp_width * sizes.num_experts / sizes.stored_mlp_width)


def layer_weights(sizes: ModelSizes) -> int:
    """Return the weights of one layer, as a mean."""
    num_matrices = 1 if sizes.is_tied else 2
    return (sizes.num_weights - num_matrices * sizes.embedding_weights) // sizes.num_layers


def expert_weights(sizes: ModelSizes) -> int:
    """Return the weights of all experts; 0 in a dense network."""
    if not sizes.num_experts:
        return 0
    return 3 * sizes.num_layers * sizes.hidden_size * sizes.stored_mlp_width


def resident_bytes(sizes: ModelSizes, lora: LoraConfig | None, num_gpus: int) -> int:
    """Return what each GPU holds between updates."""
    if lora is None:
        return RESIDENT_BYTES * sizes.num_weights // num_gpus
    adapters = RESIDENT_BYTES * sizes.num_adapter_weights(lora)
    return (FROZEN_BYTES * sizes.num_weights + adapters) // num_gpus


def gradient_bytes(sizes: ModelSizes, lora: LoraConfig | None, num_gpus: int) -> int:
    """Return the gradients that each GPU holds in an update."""
    num_trained = sizes.num_weights if lora is None else sizes.num_adapter_weights(lora)
    return GRADIENT_BYTES * num_trained // num_gpus


def gathered_bytes(sizes: ModelSizes) -> int:
    """Return what is whole on every GPU for a moment: layers, and the output all the time."""
    layers = GATHERED_LAYER_BYTES * layer_weights(sizes)
    return layers + GATHERED_OUTPUT_BYTES * sizes.embedding_weights


def head_bytes(sizes: ModelSizes) -> int:
    """Return the logits of one chunk and what is computed of them."""
    return HEAD_CHUNK_TOKENS * sizes.vocab_size * HEAD_WORD_BYTES


def activation_bytes(sizes: ModelSizes, num_tokens: int, *, is_update: bool) -> int:
    """Return what `num_tokens` of a micro-batch cost on one GPU.

    Kept inputs, and the larger of a layer's insides and the head's chunk. Without a backward pass
    nothing is kept.
    """
    costs = token_bytes(sizes)
    kept = costs.kept * num_tokens if is_update else 0
    return kept + max(costs.working * num_tokens, head_bytes(sizes))
