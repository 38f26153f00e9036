"""Join a Ray cluster, or start one on this machine."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from longloom.errors import EngineError, MissingDependencyError

ADDRESS_VARIABLE = "RAY_ADDRESS"
_STARTED_HERE = "local"
_KNOCK_SECONDS = 10.0


def load_ray() -> Any:
    """Return the module `ray`, with `ray.data`.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        import ray
        import ray.data
        import ray.exceptions
    except ImportError as error:
        raise MissingDependencyError(
            f'Ray cannot be imported ({error}); install the extra: pip install "longloom[ray]"'
        ) from error
    return ray


@contextmanager
def joined_cluster(
    address: str = "",
    *,
    num_cpus: int | None = None,
    temporary_folder: Path | None = None,
    object_store_bytes: int | None = None,
) -> Iterator[str]:
    """Be part of a cluster while the block lasts; give its address, or `this machine`.

    A cluster that this process has joined before is used and not left.

    Args:
        address: as `ray start` printed it, or `auto`; empty for that of RAY_ADDRESS, and where
            there is none for a cluster started on this machine, which ends with the block.
        num_cpus: CPUs of a cluster started here; those of the machine if not given.
        temporary_folder: where a cluster started here keeps its logs and sockets; a short path.
        object_store_bytes: memory for objects of a cluster started here; Ray's default if not
            given. Synthesis moves paths and settings, not documents.

    Raises:
        EngineError: the cluster cannot be joined.
        MissingDependencyError: Ray is not installed.
    """
    ray = load_ray()
    if ray.is_initialized():
        yield ray.get_runtime_context().gcs_address
        return
    wanted = address or os.environ.get(ADDRESS_VARIABLE, "") or _STARTED_HERE
    settings: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.WARNING}
    if wanted == _STARTED_HERE:
        settings |= {
            "include_dashboard": False,
            "num_cpus": num_cpus,
            "object_store_memory": object_store_bytes,
        }
        if temporary_folder is not None:
            settings["_temp_dir"] = str(temporary_folder)
    try:
        _knock(wanted)
        ray.init(address=wanted, **settings)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise EngineError(
            f"the Ray cluster at {wanted!r} cannot be joined: {reason}; expected the address that "
            "`ray start --head` printed, or none to start a cluster on this machine"
        ) from error
    try:
        yield "this machine" if wanted == _STARTED_HERE else wanted
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raise at once where nobody listens at `host:port`; Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdigit() and "/" not in host:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK_SECONDS).close()
