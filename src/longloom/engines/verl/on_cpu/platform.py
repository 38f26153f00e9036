"""The CPU as a platform of verl's.

Ray's workers ask for a resource named GPU: a cluster on CPU states as many of them as it has ranks.
"""

import contextlib
import os
from collections.abc import Iterator
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


def register_platform() -> None:
    """Make the platform `cpu` known to verl, and its process groups possible."""
    from verl.plugin.platform import PlatformBase, PlatformRegistry

    @PlatformRegistry.register(platform="cpu")
    class PlatformCPU(PlatformBase):
        """A device that is always there and has no memory of its own."""

        device_name = "cpu"
        vendor_name = "cpu"
        device_module = torch_cpu()

        def is_available(self) -> bool:
            """Return whether the device is there."""
            return True

        def is_platform_available(self, use_smi_check: bool = False) -> bool:
            """Return whether the user asked for it."""
            return os.environ.get("VERL_PLATFORM") == "cpu"

        def current_device(self) -> str:
            """Return what tensors are put on."""
            return "cpu"

        def device_count(self) -> int:
            """Return the devices of a rank."""
            return 1

        def set_device(self, device_index: int) -> None:
            """Do nothing."""

        def synchronize(self, device_index: int | None = None) -> None:
            """Do nothing."""

        def manual_seed(self, seed: int) -> None:
            """Seed torch."""
            torch.manual_seed(seed)

        def manual_seed_all(self, seed: int) -> None:
            """Seed torch."""
            torch.manual_seed(seed)

        def set_allocator_settings(self, settings: str) -> None:
            """Do nothing."""

        def empty_cache(self) -> None:
            """Do nothing."""

        def get_device_capability(self, device_index: int = 0) -> tuple[None, None]:
            """Return that there is none."""
            return None, None

        def communication_backend_name(self) -> str:
            """Return what ranks talk by."""
            return "gloo"

        def visible_devices_envvar(self) -> str:
            """Return a variable that says nothing to a CPU."""
            return "CUDA_VISIBLE_DEVICES"

        @contextlib.contextmanager
        def nvtx_range(self, msg: str) -> Iterator[None]:
            """Mark nothing."""
            yield

        def profiler_start(self) -> None:
            """Do nothing."""

        def profiler_stop(self) -> None:
            """Do nothing."""

        def ray_resource_name(self) -> str:
            """Return what workers ask Ray for."""
            return "GPU"

        def ray_noset_envvars(self) -> list[str]:
            """Return that Ray leaves no variable alone."""
            return []

        def is_ipc_supported(self) -> bool:
            """Return that memory of the device cannot be shared."""
            return False

        def cudart(self) -> None:
            """Return that there is none."""

    _repair_process_groups()


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


def _repair_process_groups() -> None:
    """Let torch open the process group that verl names twice over; torch refuses that name."""
    opened = torch.distributed.init_process_group

    def init_process_group(backend: str | None = None, *given: Any, **named: Any) -> Any:
        return opened("gloo" if backend == _REFUSED_BACKEND else backend, *given, **named)

    torch.distributed.init_process_group = init_process_group
