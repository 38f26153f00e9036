"""Load and save model folders of any architecture the local engine runs.

Dense Qwen3 is our own network; everything else goes through transformers. Folders are local paths;
nothing is downloaded and no code of a folder is run.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from longloom.errors import ModelError
from longloom.models.folder import (
    has_own_network,
    load_model,
    read_settings,
    saved_qwen3_weights,
    write_network,
    write_side_files,
)
from longloom.models.lora import has_adapters, merged_state_dict, weights_without_adapters
from longloom.models.network import Network
from longloom.models.qwen3 import Qwen3
from longloom.models.rotary import read_scaling, read_theta, with_scaling, with_yarn
from longloom.models.transformers_network import (
    ATTENTION,
    TransformersNetwork,
    check_equals_own_logits,
    register_attention,
)
from longloom.models.weight_files import SHARD_BYTES, replaced_weights
from longloom.models.yarn_config import YarnConfig

logger = logging.getLogger(__name__)

_LOADING_ERRORS = (
    AttributeError,
    ImportError,
    KeyError,
    OSError,
    RuntimeError,
    SafetensorError,
    TypeError,
    ValueError,
)
"""What transformers raises for a folder it cannot use."""


def load_network(
    folder: Path,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    yarn: YarnConfig | None = None,
) -> Network:
    """Return the network of a model folder.

    Args:
        folder: in the Hugging Face layout.
        device: where its weights go.
        dtype: in what it computes.
        yarn: lengthens the window of a model that has no rotary scaling yet.

    Raises:
        ModelError: a file is missing, damaged or does not fit the others, or the architecture is
            not one the local engine runs.
    """
    if has_own_network(read_settings(folder)):
        return load_model(folder, device=device, dtype=dtype, yarn=yarn)
    network = TransformersNetwork(_load_causal_lm(folder, device, dtype, yarn))
    check_equals_own_logits(network)
    return network


def _load_causal_lm(
    folder: Path, device: torch.device | str, dtype: torch.dtype, yarn: YarnConfig | None
) -> Any:
    from transformers import AutoConfig, AutoModelForCausalLM

    settings = read_settings(folder)
    read_scaling(settings)  # refuses what changes with the length of the sequence
    changes: dict[str, Any] = {}
    if yarn is not None:
        longer = with_yarn(settings, yarn)
        names = ("rope_parameters", "max_position_embeddings")
        changes = {name: longer[name] for name in names}
    register_attention()
    try:
        with _without_progress_bars():
            config = AutoConfig.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False, **changes
            )
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                folder,
                config=config,
                dtype=dtype,
                attn_implementation=ATTENTION,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
    except _LOADING_ERRORS as error:
        raise ModelError(
            f"transformers cannot load {folder}: {str(error).strip().splitlines()[0]}"
        ) from None
    model, report = loaded
    _check_report(folder, report)
    return model.to(device)


def _check_report(folder: Path, report: Mapping[str, Any]) -> None:
    missing = sorted(report.get("missing_keys", ()))
    if missing:
        raise ModelError(f"weights of {folder} lack tensor {', '.join(missing[:5])}")
    mismatched = sorted(str(entry) for entry in report.get("mismatched_keys", ()))
    if mismatched:
        raise ModelError(f"weights of {folder} do not fit config.json: {', '.join(mismatched[:5])}")
    unknown = sorted(report.get("unexpected_keys", ()))
    if unknown:
        logger.warning(
            "weights of %s hold tensors the model does not use; saved models lack them: %s",
            folder,
            ", ".join(unknown[:5]),
        )


def saved_weights(network: Network, folder: Path) -> Iterator[tuple[str, Tensor]]:
    """Check that a folder holds just this network; return an iterator over its weights.

    Those of our own network are read one by one when the iterator comes to them. A model of
    transformers is loaded whole into the main memory, for its names on disk may be others.

    Args:
        network: with or without low-rank adapters; it is not changed.
        folder: what `save_network` wrote.

    Raises:
        ModelError: a file is missing or damaged, or describes another network.
    """
    if isinstance(network, Qwen3):
        return saved_qwen3_weights(network, folder)
    own = weights_without_adapters(network)
    saved = TransformersNetwork(_load_causal_lm(folder, "cpu", network.dtype, None))
    weights = dict(saved.named_parameters())
    if _identity(saved, weights) != _identity(network, own):
        raise ModelError("its config.json describes another network")
    return iter(weights.items())


def _identity(network: Network, weights: Mapping[str, Tensor]) -> tuple[object, ...]:
    """Return what two loaded models must have in common to be one network."""
    assert isinstance(network, TransformersNetwork)
    settings = network.causal_lm.config.to_dict()
    shapes = {name: tuple(weight.shape) for name, weight in weights.items()}
    return shapes, network.sizes, network.scaling, read_theta(settings)


def save_network(
    network: Network, folder: Path, *, like: Path, shard_bytes: int = SHARD_BYTES
) -> None:
    """Write a network as a model folder that transformers and vLLM load.

    Low-rank adapters are added to the weights they belong to. The weights take their names last,
    so a folder with weights is complete.

    Args:
        network: what `load_network` returned.
        folder: made if it is missing; its weights are replaced.
        like: the folder the network was loaded from; its settings and tokenizer are copied.
        shard_bytes: larger models are written as several files.

    Raises:
        ModelError: the folder cannot be written; says why.
    """
    weights = merged_state_dict(network) if has_adapters(network) else None
    if isinstance(network, Qwen3):
        scaling = network.shape.rope_scaling
        weights = network.state_dict() if weights is None else weights
        write_network(folder, weights, like=like, scaling=scaling, shard_bytes=shard_bytes)
    elif isinstance(network, TransformersNetwork):
        _save_causal_lm(network, folder, weights, like=like, shard_bytes=shard_bytes)
    else:
        raise ModelError(f"a {type(network).__name__} cannot be saved as a model folder")


def _save_causal_lm(
    network: TransformersNetwork,
    folder: Path,
    weights: Mapping[str, Tensor] | None,
    *,
    like: Path,
    shard_bytes: int,
) -> None:
    """Write through transformers, which knows the names each architecture has on disk."""
    settings = read_settings(like)
    if read_scaling(settings) != network.scaling:
        settings = with_scaling(settings, network.scaling)
    write_side_files(folder, like=like, settings=settings, dtype=network.dtype)
    with replaced_weights(folder) as partial, _without_progress_bars():
        network.causal_lm.save_pretrained(
            partial,
            state_dict=None if weights is None else dict(weights),
            max_shard_size=shard_bytes,
        )


@contextmanager
def _without_progress_bars() -> Iterator[None]:
    """Keep transformers' bars off the console."""
    from transformers.utils import logging as transformers_logging

    bars: Any = transformers_logging  # its functions are untyped
    is_shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    try:
        yield
    finally:
        if is_shown:
            bars.enable_progress_bar()
