"""Which settings of the local engine to change when the memory does not suffice."""

from collections.abc import Callable, Iterator

from longloom.engines.local_config import LocalEngineConfig, LoraConfig
from longloom.engines.machine import MachineUse

_LEAST_TOKENS = 256
"""Micro-batches and caches are not suggested to be smaller than this."""


def suggestions(
    config: LocalEngineConfig, use: MachineUse, peak_bytes: Callable[[LocalEngineConfig], int]
) -> list[tuple[str, int]]:
    """Return changes of settings, each with the peak it would leave.

    Those that only cost time come first: smaller caches, smaller micro-batches, checkpointing,
    offloading, and these together; then bf16 and adapters, which change what is computed. Changes
    that lower nothing are left out.

    Args:
        config: the settings as they are.
        use: what they mean on this machine.
        peak_bytes: the peak under other settings.
    """
    found: list[tuple[str, int]] = []
    for changed in _changes(config, use):
        peak = peak_bytes(changed)
        if peak < peak_bytes(config) and peak not in [known for _, known in found]:
            found.append((_described(config, changed, use), peak))
    return found


def _changes(config: LocalEngineConfig, use: MachineUse) -> Iterator[LocalEngineConfig]:
    batches, caches = _halves(use.max_batch_tokens), _halves(use.max_cache_tokens)
    for tokens in caches:
        yield config.replace(max_cache_tokens=tokens)
    for tokens in batches:
        yield config.replace(max_batch_tokens=tokens)
    if not use.recomputes_layers:
        config = config.replace(gradient_checkpointing="on")
        yield config
    if use.device.type == "cuda" and not config.activation_offload:
        config = config.replace(activation_offload=True)
        yield config
    for share in range(max(len(batches), len(caches))):
        batch = batches[min(share, len(batches) - 1)] if batches else use.max_batch_tokens
        cache = caches[min(share, len(caches) - 1)] if caches else use.max_cache_tokens
        yield config.replace(max_batch_tokens=batch, max_cache_tokens=cache)
    smallest = config.replace(
        max_batch_tokens=min(_LEAST_TOKENS, use.max_batch_tokens),
        max_cache_tokens=min(_LEAST_TOKENS, use.max_cache_tokens),
    )
    if use.dtype.itemsize == 4:
        yield config.replace(dtype="bfloat16")
        smallest = smallest.replace(dtype="bfloat16")
        yield smallest
    if config.lora is None:
        yield config.replace(lora=LoraConfig())
        yield smallest.replace(lora=LoraConfig())


def _halves(num_tokens: int) -> list[int]:
    halves = []
    while num_tokens // 2 >= _LEAST_TOKENS:
        num_tokens //= 2
        halves.append(num_tokens)
    return halves


def _described(config: LocalEngineConfig, changed: LocalEngineConfig, use: MachineUse) -> str:
    """Return the settings that differ, as one would write them, with what they were."""
    before = {
        "max_batch_tokens": use.max_batch_tokens,
        "max_cache_tokens": use.max_cache_tokens,
    }
    parts = []
    for name in type(config).model_fields:
        value = getattr(changed, name)
        if value == getattr(config, name) or value == before.get(name):
            continue
        if name == "lora":
            parts.append(f"train adapters (set engine.lora.rank={value.rank})")
        elif name in before:
            parts.append(f"lower engine.{name} from {before[name]} to {value}")
        else:
            written = str(value).lower() if isinstance(value, bool) else value
            parts.append(f"set engine.{name}={written}")
    return " and ".join(parts)
