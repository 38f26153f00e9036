"""The optimizer's state as one safetensors file of a checkpoint.

Its metadata carry the schema and the version of its layout: tensors `<weight>.exp_avg`,
`<weight>.exp_avg_sq`, `<weight>.step`, and `<weight>.master` for weights that the model folder
beside it does not hold in fp32.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from longloom.errors import CheckpointError
from longloom.runlog.atomic import describe_write_failure

OPTIMIZER_FILE = "optimizer.safetensors"
_SCHEMA = "longloom.optimizer 1"
"""Name and version in one entry: safetensors writes several in any order, and equal states must be
equal files."""
_CAUSE = re.compile(r"\(os error (\d+)\)")
"""How the writer of safetensors names the system's error inside of its own."""


def write_optimizer(folder: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write the tensors of `Optimizer.tensors`.

    Raises:
        CheckpointError: it cannot be written; the message names the system's reason.
    """
    path = folder / OPTIMIZER_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_file(
            {name: tensor.contiguous() for name, tensor in tensors.items()},
            path,
            {"schema": _SCHEMA},
        )
    except OSError as error:
        raise CheckpointError(describe_write_failure(path, error)) from None
    except SafetensorError as error:
        found = _CAUSE.search(str(error))
        if found is None:
            raise CheckpointError(f"cannot write {path}: {error}; put that right") from None
        number = int(found[1])
        cause = OSError(number, os.strerror(number))
        raise CheckpointError(describe_write_failure(path, cause)) from None


def read_optimizer(folder: Path) -> dict[str, Tensor]:
    """Return what `write_optimizer` wrote.

    Raises:
        CheckpointError: the file is missing, damaged or of another schema.
    """
    path = folder / OPTIMIZER_FILE
    try:
        with safe_open(path, framework="pt") as opened:
            metadata = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from None
    if metadata.get("schema") != _SCHEMA:
        raise CheckpointError(
            f"{path} is of schema and version {metadata.get('schema')!r}; expected {_SCHEMA!r}"
        )
    return tensors
