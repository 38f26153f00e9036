"""The CPU as a platform of verl's; importing this registers it.

Ray's workers ask for a resource named GPU: a cluster on CPU states as many of them as it has ranks.
"""

import contextlib
import os
from collections.abc import Iterator

import torch
from verl.plugin.platform import PlatformBase, PlatformRegistry

from longloom.engines.verl.on_cpu.torch_calls import torch_cpu


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
