"""Accelerators by name: peak rate, memory bandwidth and memory, as their makers state them.

NVIDIA's data sheets and architecture papers; tensor-core bf16 with fp32 sums, without sparsity.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from longloom.config import nearest_key
from longloom.errors import ConfigError
from longloom.recipes.planning.operations import Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """One GPU."""

    name: str
    """What it is called on the command line."""
    peak_flops: Number
    """Dense bf16 operations per second."""
    bandwidth_bytes: Number
    """Bytes per second to and from its memory."""
    memory_bytes: Number
    """Its memory."""
    source: str
    """Where the figures are from."""


def _accelerator(
    name: str, teraflops: Number, gigabytes_per_second: Number, gigabytes: Number, source: str
) -> Accelerator:
    return Accelerator(
        name=name,
        peak_flops=teraflops * 1e12,
        bandwidth_bytes=gigabytes_per_second * 1e9,
        memory_bytes=gigabytes * 1e9,
        source=source,
    )


ACCELERATORS: Mapping[str, Accelerator] = {
    entry.name: entry
    for entry in (
        _accelerator("h200", 989, 4_800, 141, "NVIDIA H200 data sheet, SXM"),
        _accelerator("h100", 989, 3_350, 80, "NVIDIA H100 data sheet, SXM5"),
        _accelerator("h100-pcie", 756, 2_000, 80, "NVIDIA H100 data sheet, PCIe"),
        _accelerator("b200", 2_250, 8_000, 180, "NVIDIA DGX B200 data sheet, per GPU"),
        _accelerator("a100-80g", 312, 2_039, 80, "NVIDIA A100 data sheet, SXM 80 GB"),
        _accelerator("a100-40g", 312, 1_555, 40, "NVIDIA A100 data sheet, 40 GB"),
        _accelerator("l40s", 362, 864, 48, "NVIDIA L40S data sheet"),
        _accelerator("l4", 121, 300, 24, "NVIDIA L4 data sheet"),
        _accelerator("5090", 209.5, 1_792, 32, "NVIDIA RTX Blackwell architecture paper"),
        _accelerator("4090", 165.2, 1_008, 24, "NVIDIA Ada architecture paper"),
        _accelerator("3090", 71, 936, 24, "NVIDIA GA102 architecture paper"),
    )
}
"""Every accelerator by its name."""


def accelerator(name: str) -> Accelerator:
    """Return an accelerator by name, in any case.

    Raises:
        ConfigError: there is none of this name.
    """
    found = ACCELERATORS.get(name.lower())
    if found is None:
        nearest = nearest_key(name.lower(), list(ACCELERATORS))
        hint = f"did you mean {nearest!r}? " if nearest else ""
        raise ConfigError(
            f"gpu {name!r} is unknown; {hint}expected one of {', '.join(ACCELERATORS)}"
        )
    return found
