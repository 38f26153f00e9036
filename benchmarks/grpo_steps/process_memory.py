"""How much memory this process takes above where it stood; needs nothing but Linux and torch.

Both children use this one file, so that both are measured alike.
"""

from pathlib import Path

import torch


class MemoryMeter:
    """Remembers where memory stands when it is made, and from there on the largest."""

    def __init__(self, device: str) -> None:
        """Begin to measure on `cpu` or `cuda`."""
        self._device = device
        if device == "cuda":
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
            self._start_bytes = torch.cuda.memory_allocated()
            return
        # Writing 5 forgets the largest resident set so far (see `man proc`).
        Path("/proc/self/clear_refs").write_text("5", "ascii")
        self._start_bytes = _status_bytes("VmRSS")

    def figures(self) -> dict[str, float]:
        """Return start, peak and their difference in megabytes (10^6 bytes)."""
        if self._device == "cuda":
            peak_bytes = torch.cuda.max_memory_allocated()
        else:
            peak_bytes = _status_bytes("VmHWM")
        return {
            "start_mb": round(self._start_bytes / 1e6, 1),
            "peak_mb": round(peak_bytes / 1e6, 1),
            "above_start_mb": round((peak_bytes - self._start_bytes) / 1e6, 1),
        }


def _status_bytes(field: str) -> int:
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {field}; memory can be measured on Linux only")
