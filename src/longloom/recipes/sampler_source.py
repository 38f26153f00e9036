"""Make the sampler of a local model folder, for verbs that ask but do not train."""

from pathlib import Path

import torch

from longloom.engines.local_config import LocalEngineConfig
from longloom.engines.machine import MachineUse, resolve
from longloom.errors import ConfigError
from longloom.models.folder import read_settings
from longloom.models.fused_qwen3 import network_for_sampling
from longloom.models.live.sampler import LiveSampler
from longloom.models.loading import load_network
from longloom.models.local_sampler import LocalSampler
from longloom.models.network import SampledNetwork
from longloom.models.rotary import read_scaling, yarn_by_factor
from longloom.text.tokenizer import FolderTokenizer


def open_sampler(
    folder: Path,
    *,
    yarn_factor: float | None = None,
    config: LocalEngineConfig | None = None,
) -> LocalSampler:
    """Return a sampler of a model folder.

    Args:
        folder: in the Hugging Face layout, of any architecture `load_network` reads.
        yarn_factor: lengthens the window by YaRN.
        config: the device and the type it computes in; None chooses both by the machine.

    Raises:
        ConfigError: the folder has rotary scaling already.
        ModelError: the folder cannot be used.
        EngineError: the device is not there.
    """
    use = resolve(config or LocalEngineConfig())
    network = _open_network(folder, yarn_factor, use)
    return LocalSampler(network, FolderTokenizer(folder), max_batch_tokens=use.max_cache_tokens)


def open_live_sampler(
    folder: Path,
    *,
    yarn_factor: float | None = None,
    config: LocalEngineConfig | None = None,
) -> LiveSampler:
    """Return a sampler of a model folder for servers; see `open_sampler`. Close it.

    Its caches have room for one request of the whole window at least.
    """
    use = resolve(config or LocalEngineConfig())
    network = _open_network(folder, yarn_factor, use)
    max_cache_tokens = max(use.max_cache_tokens, network.sizes.window_tokens)
    return LiveSampler(network, FolderTokenizer(folder), max_cache_tokens=max_cache_tokens)


def _open_network(folder: Path, yarn_factor: float | None, use: MachineUse) -> SampledNetwork:
    yarn = None
    if yarn_factor is not None:
        settings = read_settings(folder)
        present = read_scaling(settings)
        if present.rope_type != "default":
            raise ConfigError(
                f"yarn_factor is {yarn_factor:g}, but {folder} has rotary scaling "
                f"{present.rope_type!r} by factor {present.factor:g} already; leave yarn_factor "
                "out, the folder's scaling is applied"
            )
        yarn = yarn_by_factor(settings, yarn_factor)
    network = load_network(folder, device=use.device, dtype=use.dtype, yarn=yarn)
    return network_for_sampling(network)


def prepare_torch(num_threads: int, engine: LocalEngineConfig) -> None:
    """Use so many threads, and on CPU the same sums in the same order every time.

    Args:
        num_threads: of this process.
        engine: says on which device the sums are; others in the machine do not matter.

    Raises:
        EngineError: the device is not there.
    """
    torch.set_num_threads(num_threads)
    # On CUDA this would forbid matrix products without settings made before the process starts.
    torch.use_deterministic_algorithms(resolve(engine).device.type == "cpu")
    # It also fills all new memory with NaN, which costs time; no result may depend on it anyway.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
