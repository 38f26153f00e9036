"""What the local engine's settings mean on this machine, and how much memory it has.

`auto` and None in `LocalEngineConfig` are resolved here and nowhere else, so the memory plan and
the engine mean the same.
"""

import ctypes
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from longloom.engines.local_config import LocalEngineConfig
from longloom.errors import EngineError

DeviceKind = Literal["cpu", "cuda"]
"""What a network runs on."""
MAX_BATCH_TOKENS = {"cpu": 3_072, "cuda": 32_768}
"""Small micro-batches stay in a processor's cache: 3,072 took 0.8 of the time of 16,384. An
accelerator is busy at tens of thousands of tokens."""
MAX_CACHE_TOKENS = {"cpu": 65_536, "cuda": 131_072}
_CPU_ALLOCATOR = "can't allocate memory"
"""In the text of the error that torch's CPU allocator raises; it has no class of its own."""


_MMAP_THRESHOLD = -3
"""M_MMAP_THRESHOLD of glibc's malloc.h."""
_MAPPED_BYTES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineUse:
    """Settings of the local engine without `auto` and None."""

    device: torch.device
    """Where the network is."""
    dtype: torch.dtype
    """In what it computes."""
    max_batch_tokens: int
    """Tokens of one micro-batch."""
    max_cache_tokens: int
    """Tokens held in the caches of rollouts."""
    recomputes_layers: bool
    """Whether gradients are checkpointed."""


def resolve(config: LocalEngineConfig, *, planned: DeviceKind | None = None) -> MachineUse:
    """Return what `config` means on this machine, or on one that is only planned for.

    Args:
        config: the settings.
        planned: the kind of device to plan for, whatever is there; None looks what there is.

    Raises:
        EngineError: CUDA is asked for and there is none.
    """
    has_cuda = torch.cuda.is_available() if planned is None else planned == "cuda"
    if config.device == "cuda" and not has_cuda:
        raise EngineError(
            "device is 'cuda' and torch finds no CUDA device; expected one; set device to 'cpu' or "
            "install a build of torch for CUDA"
        )
    kind = "cuda" if has_cuda and config.device != "cpu" else "cpu"
    is_cuda = kind == "cuda"
    dtype = ("bfloat16" if is_cuda else "float32") if config.dtype == "auto" else config.dtype
    checkpointing = config.gradient_checkpointing
    return MachineUse(
        device=torch.device(kind),
        dtype={"bfloat16": torch.bfloat16, "float32": torch.float32}[dtype],
        max_batch_tokens=config.max_batch_tokens or MAX_BATCH_TOKENS[kind],
        max_cache_tokens=config.max_cache_tokens or MAX_CACHE_TOKENS[kind],
        recomputes_layers=is_cuda if checkpointing == "auto" else checkpointing == "on",
    )


def return_freed_memory() -> None:
    """Have this process give large blocks of memory back as soon as they are freed.

    glibc keeps freed blocks of up to 32 MB in a heap, where others do not fit into the gaps. With
    gradient checkpointing that doubled the peak on CPU (845 MB for 385 MB); mapping blocks of 1 MB
    and more one by one costs about a tenth of the time. Elsewhere than with glibc it does nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _MAPPED_BYTES)


def give_back_unused_memory(device: torch.device) -> None:
    """Return what ended work left with torch and the C library to the device and the system.

    Otherwise `available_bytes` would count it as used, though this process can use it again.
    """
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def available_bytes(device: torch.device, *, root: Path = Path("/")) -> int:
    """Return the memory that is free for this process: the accelerator's or the machine's.

    On CPU it is the smaller of what the kernel calls available and what the control groups of this
    process leave; `root` is where `proc` and `sys` are.

    Raises:
        EngineError: the system does not say.
    """
    if device.type == "cuda":
        free_bytes, _ = torch.cuda.mem_get_info(device)
        return int(free_bytes)
    bounds = [*_kernel_bytes(root), *_control_group_bytes(root)]
    if not bounds:
        raise EngineError(
            f"{root / 'proc/meminfo'} has no MemAvailable; expected a Linux system; plan without "
            "checking, or on the machine that will train"
        )
    return max(0, min(bounds))


def _kernel_bytes(root: Path) -> list[int]:
    for line in _lines(root / "proc/meminfo"):
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return [int(value.split()[0]) * 1_024]
    return []


def _control_group_bytes(root: Path) -> list[int]:
    """Return what each control group above this process leaves, of version 2 and version 1.

    Pages of files that can be dropped are counted as free, as the kernel does.
    """
    places = []
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        top = root / "sys/fs/cgroup" / ("memory" if controllers else "")
        own = top / path.lstrip("/")
        # In a container the path may be the host's; the top is then the container's own group.
        places += [folder for folder in (own, *own.parents) if folder.is_relative_to(top)]
    bounds = []
    for folder in dict.fromkeys(places):
        for limit_name, used_name in (
            ("memory.max", "memory.current"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        ):
            limit, used = _lines(folder / limit_name), _lines(folder / used_name)
            if limit and used and limit[0] != "max":
                bounds.append(int(limit[0]) - int(used[0]) + _droppable_bytes(folder))
    return bounds


def _droppable_bytes(folder: Path) -> int:
    for line in _lines(folder / "memory.stat"):
        name, _, value = line.partition(" ")
        if name in ("inactive_file", "total_inactive_file"):
            return int(value)
    return 0


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8").splitlines()
    except OSError:
        return []


@contextmanager
def told_when_memory_ends(advice: Callable[[], str]) -> Iterator[None]:
    """Turn torch's out-of-memory errors, of any device, into one line with `advice`.

    Raises:
        EngineError: the memory did not suffice.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        is_full = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if not is_full and _CPU_ALLOCATOR not in str(error):
            raise
        reason = str(error).strip().splitlines()[0] if str(error).strip() else "memory is full"
        raise EngineError(f"out of memory ({reason}); {advice()}") from None
