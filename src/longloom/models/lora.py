"""Low-rank adapters (LoRA, arXiv 2106.09685) through peft, the extra `lora`.

    output = W x + (alpha / rank) B A x,  A: rank x in, B: out x rank, B = 0 at the start

W is frozen. A saved policy is a whole model: the adapters are added to copies of the weights, and
the weights in memory stay what they were to the bit. Adapters alone are saved in peft's format.
"""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from longloom.errors import MissingDependencyError, ModelError
from longloom.models.network import Network
from longloom.runlog.atomic import atomic_write_bytes, atomic_write_text

ADAPTER_FILE = "adapter_model.safetensors"
"""Where peft keeps adapters."""
ADAPTER_SETTINGS_FILE = "adapter_config.json"
"""Where peft keeps their settings."""
_NAME = "default"
_PEFT_PREFIX = "base_model.model."


def add_adapters(
    network: Network,
    *,
    rank: int,
    alpha: float,
    target_modules: Sequence[str],
    seed: int = 0,
) -> None:
    """Freeze a network and give some of its linear layers adapters, in place.

    Args:
        network: what `loading.load_network` returned.
        rank: of each adapter.
        alpha: their output is scaled by alpha / rank.
        target_modules: last names of the linear layers that get one.
        seed: of the first values; nothing else draws from it.

    Raises:
        MissingDependencyError: peft is not installed.
        ModelError: no layer has one of these names, or the network has adapters already.
    """
    peft = _peft()
    model = _module(network)
    if has_adapters(network):
        raise ModelError("the network has adapters already; expected one without")
    linear = {
        name.rpartition(".")[2]
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
    }
    absent = [name for name in target_modules if name not in linear]
    if len(absent) == len(target_modules):
        raise ModelError(
            f"no linear layer is named {', '.join(target_modules)}; expected some of "
            f"{', '.join(sorted(linear))} (set lora.target_modules)"
        )
    if absent:
        logging.getLogger(__name__).warning(
            "no linear layer is named %s; these get no adapter (fused experts have none)",
            ", ".join(absent),
        )
    config = peft.LoraConfig(
        r=rank,
        lora_alpha=alpha,
        target_modules=[name for name in target_modules if name in linear],
        lora_dropout=0.0,
        bias="none",
        task_type="CAUSAL_LM",
    )
    devices = [network.device.index or 0] if network.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        peft.inject_adapter_in_model(config, model, adapter_name=_NAME)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(_is_adapter(name))
    for name, module in model.named_modules():
        if name.endswith((".lora_A", ".lora_B")):
            module.to(device=network.device, dtype=network.dtype)


def has_adapters(network: Network) -> bool:
    """Whether `add_adapters` was called."""
    return any(_is_adapter(name) for name, _ in network.named_parameters())


def weights_without_adapters(network: Network) -> dict[str, nn.Parameter]:
    """Return the weights that are no adapters, by the names they had before `add_adapters`."""
    return {
        name.replace(".base_layer.", "."): parameter
        for name, parameter in network.named_parameters()
        if not _is_adapter(name)
    }


@torch.no_grad()
def merged_state_dict(network: Network) -> dict[str, Tensor]:
    """Return the weights by their names without adapters, the adapters added to copies.

    Weights without an adapter are not copied.
    """
    model = _module(network)
    state: dict[str, Tensor] = {}
    for name, tensor in model.state_dict().items():
        if _is_adapter(name):
            continue
        owner, _, last = name.rpartition(".")
        if not owner.endswith(".base_layer"):
            state[name] = tensor
            continue
        owner = owner.removesuffix(".base_layer")
        if last == "weight":
            delta = model.get_submodule(owner).get_delta_weight(_NAME)  # type: ignore[operator]
            tensor = tensor + delta.to(tensor.dtype)
        state[f"{owner}.{last}"] = tensor
    return state


def save_adapters(network: Network, folder: Path, *, base: Path) -> None:
    """Write the adapters alone, as peft loads them beside the model folder `base`.

    Raises:
        ModelError: the network has none, or the folder cannot be written.
    """
    if not has_adapters(network):
        raise ModelError("the network has no adapters; call add_adapters first")
    model: Any = _module(network)
    tensors = {
        _PEFT_PREFIX + name.replace(f".{_NAME}.", "."): parameter.detach().cpu().contiguous()
        for name, parameter in network.named_parameters()
        if _is_adapter(name)
    }
    settings = model.peft_config[_NAME].to_dict()
    settings["base_model_name_or_path"] = str(base)
    settings["inference_mode"] = True
    text = json.dumps(settings, indent=2, sort_keys=True, default=_plain)
    atomic_write_text(folder / ADAPTER_SETTINGS_FILE, text + "\n", error_class=ModelError)
    content = save(tensors, metadata={"format": "pt"})
    atomic_write_bytes(folder / ADAPTER_FILE, content, error_class=ModelError)


def _is_adapter(name: str) -> bool:
    return ".lora_A." in name or ".lora_B." in name


def _module(network: Network) -> nn.Module:
    """Return the module whose names are those of the model folder."""
    module = getattr(network, "causal_lm", network)
    assert isinstance(module, nn.Module)
    return module


def _plain(value: object) -> object:
    """Return what JSON has no form for: peft keeps some settings as sets and enums."""
    return sorted(value) if isinstance(value, set) else str(value)


def _peft() -> ModuleType:
    try:
        import peft
    except ImportError:
        raise MissingDependencyError(
            "low-rank adapters need peft, which is not installed: pip install 'longloom[lora]'"
        ) from None
    module: ModuleType = peft
    return module
