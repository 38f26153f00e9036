"""What a coefficient is computed over: a whole tensor, or one expert's matrix of a fused one.

SCE's coefficients depend on how tensors are stored. Mixture-of-experts checkpoints store experts
one by one or fused into one tensor; both must merge to the same model, so a fused tensor is
merged matrix by matrix.
"""

import math
from collections.abc import Mapping
from typing import Any

_FUSED_SUFFIXES = (".experts.gate_up_proj", ".experts.down_proj")


def unit_spans(
    name: str, shape: tuple[int, ...], settings: Mapping[str, Any]
) -> tuple[tuple[int, int], ...]:
    """Return the element ranges of a flattened tensor that are merged on their own.

    Args:
        name: the tensor's name.
        shape: its shape; a fused one has the experts in front.
        settings: the model's config.json; tells whether gate and up projections of an expert lie
            behind one another. In other layouts they are interleaved and stay one unit.
    """
    num_elements = math.prod(shape)
    if not name.endswith(_FUSED_SUFFIXES) or len(shape) != 3 or not num_elements:
        return ((0, num_elements),)
    num_units = shape[0]
    stacked = (2 * settings.get("moe_intermediate_size", 0), settings.get("hidden_size"))
    if name.endswith(".gate_up_proj") and shape[1:] == stacked:
        num_units *= 2
    unit_elements = num_elements // num_units
    return tuple((start, start + unit_elements) for start in range(0, num_elements, unit_elements))
