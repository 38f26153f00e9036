"""What verl calls on `torch.cuda`, as a CPU answers it; and torch's process groups on a CPU."""

from types import ModuleType, SimpleNamespace
from typing import Any

import torch

_NOTHING = (
    "empty_cache", "ipc_collect", "manual_seed", "manual_seed_all", "reset_peak_memory_stats",
    "set_device",
)  # fmt: skip
"""What verl calls on `torch.cuda` and a CPU has no need of."""
_ZERO = (
    "max_memory_allocated", "max_memory_reserved", "memory_allocated", "memory_reserved",
)  # fmt: skip
_REFUSED_BACKEND = "cpu:gloo,cpu:gloo"
"""What verl names the process group of a CPU platform."""


def torch_cpu() -> ModuleType:
    """Return `torch.cpu` with the calls that verl makes on `torch.cuda`."""
    module = ModuleType("longloom_torch_cpu")
    module.__dict__.update(
        {name: getattr(torch.cpu, name) for name in dir(torch.cpu) if not name.startswith("__")}
    )
    added: dict[str, Any] = {
        **dict.fromkeys(_NOTHING, _do_nothing),
        **dict.fromkeys(_ZERO, _nothing_held),
        "get_device_name": lambda *given: "cpu",
        "get_device_properties": lambda *given: SimpleNamespace(total_memory=0, name="cpu"),
        "get_rng_state": lambda *given: torch.get_rng_state(),
        "mem_get_info": lambda *given: (0, 0),
        "set_rng_state": lambda state, *given: torch.set_rng_state(state),
    }
    module.__dict__.update(added)
    return module


def _do_nothing(*given: Any, **named: Any) -> None:
    pass


def _nothing_held(*given: Any, **named: Any) -> int:
    return 0


def repair_process_groups() -> None:
    """Let torch open the process group that verl names twice over; torch refuses that name."""
    opened = torch.distributed.init_process_group

    def init_process_group(backend: str | None = None, *given: Any, **named: Any) -> Any:
        return opened("gloo" if backend == _REFUSED_BACKEND else backend, *given, **named)

    torch.distributed.init_process_group = init_process_group
