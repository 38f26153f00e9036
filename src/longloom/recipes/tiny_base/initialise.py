"""Initial weights that already hold a look-up circuit, so that training takes minutes.

A look-up in context needs two attention layers: a head that writes the previous token's identity
into each position, and a head that finds the position whose previous token equals the current one
and copies what stands there (an induction head). From random weights this circuit forms in one
late, sharp step; set by hand it is there at once, and training only refines it. Everything else
starts random, and all weights are trained.

The width D is used in two halves at the start: dimensions below D/2 hold a token's identity, those
above the identity of the token before it. The last dimension is a constant.
"""

import math

import torch
from torch import Tensor

from longloom.models.qwen3 import Attention, Layer, Qwen3

PREVIOUS_GAIN = 2.5
"""Sharpness of the previous-token heads (their query and key gain)."""
MATCH_GAIN = 1.8
"""Sharpness of the matching heads."""
COPY_GAIN = 4.0
"""How strongly the matching heads write what they copied."""
CONSTANT = 0.3
"""Value of the constant dimension in every embedding."""


@torch.no_grad()
def initialise(model: Qwen3, *, seed: int) -> None:
    """Set the weights of a network of at least two layers and two heads."""
    shape = model.shape
    generator = torch.Generator().manual_seed(seed)
    width, half = shape.hidden_size, shape.hidden_size // 2
    embedding = model.model.embed_tokens.weight
    embedding.zero_()
    embedding[:, :half] = _normal(shape.vocab_size, half, 1 / math.sqrt(half), generator)
    embedding[:, -1] = CONSTANT
    for layer in model.model.layers:
        for name, weight in layer.named_parameters():
            if weight.dim() == 2:
                is_output = name.endswith(("o_proj.weight", "down_proj.weight"))
                std = 0.02 if is_output else 0.7 / math.sqrt(weight.shape[1])
                weight.copy_(_normal(weight.shape[0], weight.shape[1], std, generator))
    first, second = model.model.layers[0], model.model.layers[1]
    assert isinstance(first, Layer)
    assert isinstance(second, Layer)
    frequencies = shape.rope_theta ** -(
        torch.arange(shape.head_dim // 2, dtype=torch.float32) * 2 / shape.head_dim
    )
    _plant_previous_token(first.self_attn, frequencies, width)
    _plant_matching(second.self_attn, frequencies, width, generator)


def _plant_previous_token(attention: Attention, frequencies: Tensor, width: int) -> None:
    """Make heads 0 and 1 attend one token back and move its identity to the upper half."""
    head_dim, quarter = attention.shape.head_dim, width // 4
    fast = [index for index, frequency in enumerate(frequencies.tolist()) if frequency > 0.1]
    query, key = torch.zeros(head_dim), torch.zeros(head_dim)
    for index in fast:  # score(distance) = sum of cos(frequency * (distance - 1))
        frequency = float(frequencies[index])
        key[index] = 1.0
        query[index] = math.cos(frequency)
        query[index + head_dim // 2] = -math.sin(frequency)
    for head in (0, 1):
        rows = slice(head * head_dim, (head + 1) * head_dim)
        for projection, direction in ((attention.q_proj, query), (attention.k_proj, key)):
            projection.weight[rows] *= 0.02
            projection.weight[rows, width - 1] = 2 * direction
        attention.v_proj.weight[rows] *= 0.1
        attention.o_proj.weight[:, rows] *= 0.1
        for offset in range(min(quarter, head_dim)):
            source = head * quarter + offset
            if width // 2 + source < width - 1:
                attention.v_proj.weight[head * head_dim + offset, source] = 1.0
                attention.o_proj.weight[width // 2 + source, head * head_dim + offset] = 1 / (
                    0.7 * math.sqrt(width)
                )
    attention.q_norm.weight.fill_(PREVIOUS_GAIN)
    attention.k_norm.weight.fill_(PREVIOUS_GAIN)


def _plant_matching(
    attention: Attention, frequencies: Tensor, width: int, generator: torch.Generator
) -> None:
    """Make heads 0 and 1 find where the current token stood one step earlier, and copy."""
    head_dim, half, quarter = attention.shape.head_dim, width // 2, width // 4
    slow = [index for index, frequency in enumerate(frequencies.tolist()) if frequency < 0.006]
    dims = slow + [index + head_dim // 2 for index in slow]  # these match at any distance
    for head in (0, 1):
        rows = slice(head * head_dim, (head + 1) * head_dim)
        attention.q_proj.weight[rows] *= 0.1
        attention.k_proj.weight[rows] *= 0.1
        directions, _ = torch.linalg.qr(_normal(half, half, 1.0, generator))
        for direction, dim in zip(directions, dims, strict=False):
            attention.q_proj.weight[head * head_dim + dim, :half] += direction
            attention.k_proj.weight[head * head_dim + dim, half : width - 1] += direction[:-1]
        attention.v_proj.weight[rows] *= 0.1
        attention.o_proj.weight[:, rows] *= 0.1
        for offset in range(min(quarter, head_dim)):
            source = head * quarter + offset
            attention.v_proj.weight[head * head_dim + offset, source] = 1.0
            attention.o_proj.weight[source, head * head_dim + offset] = COPY_GAIN / (
                0.7 * math.sqrt(width)
            )
    attention.q_norm.weight.fill_(MATCH_GAIN)
    attention.k_norm.weight.fill_(MATCH_GAIN)


def _normal(rows: int, columns: int, std: float, generator: torch.Generator) -> Tensor:
    return torch.randn(rows, columns, generator=generator) * std
