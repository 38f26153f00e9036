"""From verl's checkpoint of a step to a Hugging Face folder for the next stage.

verl's own merger rounds every weight to bfloat16 on the way; here weights keep the type of the
folder that the stage started from, so a float32 model loses nothing. Shards are read one after the
other and put together weight by weight. Megatron's layout is left to verl's merger.
"""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError  # breaks a rule: torch raises it
from typing import Any

import torch
import torch.distributed.tensor  # so that shards are known as tensors, and read as nothing else
from torch import Tensor

from longloom.errors import CheckpointError
from longloom.models.folder import read_settings
from longloom.models.loading import load_network, save_network

_MERGER = "verl.model_merger"


def write_model(step_folder: Path, target: Path, *, like: Path, is_megatron: bool = False) -> None:
    """Write the policy of a step as a model folder.

    Args:
        step_folder: verl's `global_step_N`; the shards lie there or in its `actor`.
        target: a new folder.
        like: the folder that the stage started from; its settings and tokenizer are copied.
        is_megatron: whether Megatron wrote the shards.

    Raises:
        CheckpointError: shards are missing or damaged, or of another model.
        ModelError: the folder cannot be written.
    """
    shards = step_folder / "actor" if (step_folder / "actor").is_dir() else step_folder
    if is_megatron:
        _merge_by_verl(shards, target)
        return
    network = load_network(like, dtype=_dtype_of(like))
    places = dict(network.named_parameters())
    with torch.no_grad():
        for name, weight in merged_weights(shards):
            place = places.pop(name, None)
            if place is not None and place.shape != weight.shape:
                raise CheckpointError(
                    f"{shards} holds {name!r} of shape {tuple(weight.shape)}; expected "
                    f"{tuple(place.shape)} as in {like}"
                )
            if place is not None:
                place.copy_(weight)
            elif name != "lm_head.weight":  # of tied embeddings, which are there already
                raise CheckpointError(
                    f"{shards} holds a weight {name!r} that {like} has no place for; expected a "
                    "checkpoint of a stage that started from it"
                )
    if places:
        raise CheckpointError(
            f"{shards} lacks {len(places)} weights of {like}, the first {min(places)!r}; expected "
            "a checkpoint of a stage that started from it"
        )
    save_network(network, target, like=like)


def merged_weights(shards: Path) -> Iterator[tuple[str, Tensor]]:
    """Yield each weight of FSDP shards as a whole.

    Raises:
        CheckpointError: a shard is missing or damaged, or they are laid out in another way.
    """
    ranks = [_read_shard(path) for path in _shard_paths(shards)]
    for name, first in ranks[0].items():
        yield name, _whole(name, first, [rank[name] for rank in ranks])


def _whole(name: str, first: Any, parts: list[Any]) -> Tensor:
    """Return a weight of which each rank has a part, or all of it."""
    placements = getattr(first, "placements", None)
    if placements is None:
        whole: Tensor = first
        return whole
    if len(placements) != 1:
        raise CheckpointError(
            f"weight {name!r} is laid out as {placements}; expected one dimension of ranks; set "
            "actor_rollout_ref.actor.fsdp_config.fsdp_size=-1, or merge it with verl's "
            "model_merger"
        )
    if placements[0].is_replicate():
        kept: Tensor = first._local_tensor
        return kept
    axis = placements[0].dim
    joined = torch.cat([part._local_tensor for part in parts], dim=axis)
    if joined.shape != first.shape:
        raise CheckpointError(
            f"weight {name!r} of {len(parts)} shards has shape {tuple(joined.shape)}; expected "
            f"{tuple(first.shape)}: a shard is missing or damaged; go back to an earlier step"
        )
    return joined


def _shard_paths(folder: Path) -> list[Path]:
    try:
        size = int(json.loads((folder / "fsdp_config.json").read_text("utf-8"))["world_size"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{folder / 'fsdp_config.json'} is missing or damaged ({error!r}); expected what verl "
            "writes beside its shards; go back to an earlier step"
        ) from None
    paths = [folder / f"model_world_size_{size}_rank_{rank}.pt" for rank in range(size)]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise CheckpointError(
            f"{folder} lacks {len(missing)} of {size} shards, the first {missing[0]}; expected "
            "all: does every node write to the same disk?"
        )
    return paths


def _read_shard(path: Path) -> Mapping[str, Any]:
    try:
        with _no_word_of_meshes():
            shard: Mapping[str, Any] = torch.load(
                path, map_location="cpu", weights_only=True, mmap=True
            )
    except (OSError, RuntimeError, EOFError, ValueError, UnpicklingError) as error:
        raise CheckpointError(
            f"shard {path} is damaged ({str(error).splitlines()[0]}); go back to an earlier step"
        ) from None
    return shard


@contextmanager
def _no_word_of_meshes() -> Iterator[None]:
    """Keep torch from warning that no processes belong to a mesh: none are wanted here."""
    torchs = logging.getLogger("torch.distributed.device_mesh")
    before = torchs.level
    torchs.setLevel(logging.ERROR)
    try:
        yield
    finally:
        torchs.setLevel(before)


def _dtype_of(folder: Path) -> torch.dtype:
    settings = read_settings(folder)
    name = str(settings.get("dtype") or settings.get("torch_dtype") or "float32")
    dtype = getattr(torch, name.removeprefix("torch."), torch.float32)
    return dtype if isinstance(dtype, torch.dtype) else torch.float32


def _merge_by_verl(shards: Path, target: Path) -> None:
    command = [
        sys.executable, "-m", _MERGER, "merge", "--backend", "megatron",
        "--local_dir", str(shards), "--target_dir", str(target),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CheckpointError(
            f"verl's merger ended with {done.returncode} on {shards}: "
            f"{done.stderr.strip().splitlines()[-1:]}; the shards are still there"
        )
