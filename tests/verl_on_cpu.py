"""The least that verl's engines need of a platform, on the CPU."""

import types
from contextlib import contextmanager

import torch
from verl.plugin.platform import PlatformBase, PlatformRegistry, set_platform

_MODULE = types.SimpleNamespace(
    memory_allocated=lambda *_: 0,
    max_memory_allocated=lambda *_: 0,
    memory_reserved=lambda *_: 0,
    max_memory_reserved=lambda *_: 0,
    mem_get_info=lambda *_: (0, 0),
    empty_cache=lambda: None,
    current_device=lambda: "cpu",
    synchronize=lambda *_: None,
    is_available=lambda: True,
    ipc_collect=lambda: None,
)


@PlatformRegistry.register(platform="cpu")
class CpuPlatform(PlatformBase):
    device_name = "cpu"
    vendor_name = "cpu"
    device_module = _MODULE

    def is_available(self):
        return True

    def is_platform_available(self, use_smi_check=False):
        return True

    def current_device(self):
        return "cpu"

    def device_count(self):
        return 1

    def set_device(self, device_index):
        return None

    def synchronize(self, device_index=None):
        return None

    def manual_seed(self, seed):
        torch.manual_seed(seed)

    manual_seed_all = manual_seed

    def set_allocator_settings(self, settings):
        return None

    def empty_cache(self):
        return None

    def get_device_capability(self, device_index=0):
        return None, None

    def communication_backend_name(self):
        return "gloo"

    def visible_devices_envvar(self):
        return "CUDA_VISIBLE_DEVICES"

    @contextmanager
    def nvtx_range(self, msg):
        yield

    def profiler_start(self):
        return None

    def profiler_stop(self):
        return None

    def ray_resource_name(self):
        return "GPU"

    def ray_noset_envvars(self):
        return []

    def is_ipc_supported(self):
        return False

    def cudart(self):
        return None


set_platform(CpuPlatform())

import verl.workers.engine  # noqa: E402
from verl.workers.engine.base import EngineRegistry  # noqa: E402

for _by_device in EngineRegistry._engines["language_model"].values():
    if "cuda" in _by_device:
        _by_device.setdefault("cpu", _by_device["cuda"])
