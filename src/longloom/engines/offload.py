"""Keep what a backward pass needs in the main memory while the forward pass goes on.

Weights stay where they are: they are there anyway. So do small tensors, whose copies would cost
more than they free. With gradient checkpointing it is the inputs of the layers that move.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

_SMALL_BYTES = 1 << 16
"""Below this a tensor stays; a layer's normalisers and places are about as large."""


@contextmanager
def offloaded_activations(
    weights: Iterable[Tensor], *, small_bytes: int = _SMALL_BYTES
) -> Iterator[None]:
    """Move what autograd saves within the block to the main memory; bring it back when needed.

    Copies from CUDA go to pinned memory, and come back beside the computation. On CPU they are
    plain copies, which free nothing but show that nothing changes.
    """
    kept = {weight.untyped_storage().data_ptr() for weight in weights}

    def pack(tensor: Tensor) -> tuple[torch.device, Tensor] | Tensor:
        is_weight = tensor.untyped_storage().data_ptr() in kept
        if is_weight or tensor.numel() * tensor.element_size() < small_bytes:
            return tensor
        is_pinned = tensor.device.type == "cuda"
        copy = torch.empty(tensor.shape, dtype=tensor.dtype, device="cpu", pin_memory=is_pinned)
        copy.copy_(tensor)
        return tensor.device, copy

    def unpack(packed: tuple[torch.device, Tensor] | Tensor) -> Tensor:
        if isinstance(packed, Tensor):
            return packed
        device, copy = packed
        return copy.to(device, non_blocking=copy.is_pinned()) if device.type == "cuda" else copy

    with torch.autograd.graph.saved_tensors_hooks(pack, unpack):
        yield
