"""What of verl's checkpoints a stage goes on from: decided before verl starts, and made so.

verl trusts the one number in its tracker file, which it does not write atomically: where that is
missing, or names a folder that is gone, it starts from nothing without a word; where a file of the
folder is damaged, it fails at every attempt. So the newest step of which everything is there is
looked for here, the tracker is made to name it, and what is of no more use is removed: half written
steps, and older ones, which verl forgets to remove after a restart.
"""

import json
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

from longloom.engines.verl.cluster_config import LATEST_FILE
from longloom.engines.verl.stage_state import StageState
from longloom.errors import CheckpointError, ConfigError
from longloom.runlog import atomic_write_text

_STEP = re.compile(r"global_step_(\d+)")
_KINDS = ("model", "optim", "extra_state")
Check = Callable[[Path], str]
"""Says what a step's folder lacks; empty if nothing."""


def settle_checkpoints(
    folder: Path, *, num_ranks: int, keep_last: int, has_state: bool, is_megatron: bool = False
) -> int:
    """Leave the newest whole step and the tracker that names it; return the step, 0 for none.

    Args:
        folder: verl's folder of a stage.
        num_ranks: ranks that will go on.
        keep_last: older steps that stay beside the newest.
        has_state: whether a step has `longloom.json`, as those of reinforcement learning.
        is_megatron: whether Megatron wrote the shards, which are looked at by name alone.

    Raises:
        CheckpointError: there are steps, and none is whole.
        ConfigError: they are of another number of ranks.
    """
    found = sorted(_steps(folder).items(), reverse=True)
    if not found:
        return 0
    lacks = {
        step: _lacking(path, num_ranks, has_state=has_state, is_megatron=is_megatron)
        for step, path in found
    }
    whole = [step for step, _ in found if not lacks[step]]
    if not whole:
        newest, path = found[0]
        raise CheckpointError(
            f"{len(found)} steps are in {folder} and none is whole, the newest ({path.name}): "
            f"{lacks[newest]}; expected one to go on from; put it back, or remove {folder} to "
            "start the stage again"
        )
    atomic_write_text(folder / LATEST_FILE, str(whole[0]))
    for step, path in found:
        if step > whole[0] or step not in whole[: keep_last + 1]:
            shutil.rmtree(path)
    return whole[0]


def _steps(folder: Path) -> dict[int, Path]:
    found = {}
    for path in folder.glob("global_step_*"):
        if (match := _STEP.fullmatch(path.name)) and path.is_dir():
            found[int(match.group(1))] = path
    return found


def _lacking(path: Path, num_ranks: int, *, has_state: bool, is_megatron: bool) -> str:
    """Return what a step's folder lacks; empty if it is whole.

    Raises:
        ConfigError: it is of another number of ranks.
    """
    if has_state:
        try:
            StageState.read(path)
        except CheckpointError as error:
            return str(error)
    shards = path / "actor" if (path / "actor").is_dir() else path
    files = [path / ("data.pt" if has_state else "data_0.pt")]
    if not is_megatron:
        _check_ranks(shards, num_ranks)
        files += [
            shards / f"{kind}_world_size_{num_ranks}_rank_{rank}.pt"
            for kind in _KINDS
            for rank in range(num_ranks)
        ]
    broken = [file for file in files if not zipfile.is_zipfile(file)]  # as torch writes them
    return f"{broken[0]} is missing or damaged" if broken else ""


def _check_ranks(shards: Path, num_ranks: int) -> None:
    try:
        config = json.loads((shards / "fsdp_config.json").read_text("utf-8"))
        found = int(config["world_size"])
    except (OSError, ValueError, KeyError, TypeError):
        return  # half written: its shards are missing too
    if found != num_ranks:
        raise ConfigError(
            f"the checkpoint in {shards} is of {found} ranks and cluster.num_gpus is {num_ranks}; "
            f"verl's shards are of one number alone: go on with --set cluster.num_gpus={found}, or "
            f"remove {shards.parent.parent} to start the stage again"
        )
