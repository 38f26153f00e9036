"""The machine a plan is for: GPUs as stated, or the CPU at hand as measured."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

from longloom.engines.local_config import LocalEngineConfig
from longloom.engines.machine import DeviceKind, MachineUse, available_bytes, resolve
from longloom.engines.model_sizes import ModelSizes
from longloom.errors import ConfigError
from longloom.recipes.planning.assumptions import PlanAssumptions
from longloom.recipes.planning.devices import Accelerator, accelerator
from longloom.recipes.planning.operations import Number
from longloom.recipes.planning.rates import Rates, StatedRates

_MAX_GPUS = 10**6


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedMachine:
    """What a recipe would run on."""

    kind: DeviceKind
    """CPU or CUDA."""
    num_devices: int
    """GPUs; 1 for a CPU."""
    usable_bytes: Number
    """Memory of one device that can be filled."""
    description: str
    """What it is, in words."""
    accelerator: Accelerator | None = None
    """The GPU, if it is one."""

    def use(self, config: LocalEngineConfig) -> MachineUse:
        """Return what settings of the engine mean on it."""
        return resolve(self.engine(config), planned=self.kind)

    def engine(self, config: LocalEngineConfig) -> LocalEngineConfig:
        """Return the settings of the engine with this device."""
        return config.replace(device=self.kind)


def gpus(
    name: str, num_gpus: int, memory_gb: Number | None, assumed: PlanAssumptions
) -> PlannedMachine:
    """Return a machine of several equal GPUs.

    Args:
        name: of the GPU.
        num_gpus: how many.
        memory_gb: memory of one, in 10^9 bytes; None is what its maker states.
        assumed: which part of it can be filled.

    Raises:
        ConfigError: the GPU is unknown, or a number is not above 0.
    """
    found = accelerator(name)
    if num_gpus < 1:
        raise ConfigError(f"gpus is {num_gpus}; expected at least 1")
    if num_gpus > _MAX_GPUS:
        raise ConfigError(f"gpus is {num_gpus}; expected at most {_MAX_GPUS}")
    if memory_gb is not None and not 0 < memory_gb < sys.float_info.max / 1e9:
        raise ConfigError(f"gpu_memory is {memory_gb}; expected gigabytes above 0, as 80")
    memory_bytes = found.memory_bytes if memory_gb is None else memory_gb * 1e9
    rates = f"{found.peak_flops / 1e12:g} TFLOP/s in bf16, {found.bandwidth_bytes / 1e12:g} TB/s"
    return PlannedMachine(
        kind="cuda",
        num_devices=num_gpus,
        usable_bytes=memory_bytes * assumed.usable_memory_fraction,
        description=f"{num_gpus} x {found.name} ({rates}, {memory_bytes / 1e9:g} GB each; "
        f"{found.source})",
        accelerator=found,
    )


def this_cpu() -> PlannedMachine:
    """Return the CPU at hand.

    Raises:
        EngineError: the system does not say how much memory is free.
    """
    use = resolve(LocalEngineConfig(device="cpu"))
    free_bytes = available_bytes(use.device)
    return PlannedMachine(
        kind="cpu",
        num_devices=1,
        usable_bytes=free_bytes,
        description=f"this machine's CPU, one thread, {free_bytes / 1e9:.1f} GB free; "
        "rates measured just now; times are CPU seconds",
    )


def rates_of(
    machine: PlannedMachine,
    sizes: ModelSizes,
    config: LocalEngineConfig,
    assumed: PlanAssumptions,
) -> Callable[[int], Rates]:
    """Return what gives the rates for a tensor-parallel degree; a CPU is measured once, here."""
    use = machine.use(config)
    has_adapters = config.lora is not None
    found = machine.accelerator
    if found is None:
        from longloom.recipes.planning.calibration import calibrate

        measured = calibrate(sizes, use, has_adapters=has_adapters)
        return lambda degree: measured

    def stated(degree: int) -> Rates:
        return StatedRates(
            accelerator=found,
            assumed=assumed,
            sizes=sizes,
            weight_bytes=use.dtype.itemsize,
            tensor_parallel=degree,
            has_adapters=has_adapters,
            recomputes_layers=use.recomputes_layers,
            is_served=machine.num_devices > 1,
        )

    return stated
