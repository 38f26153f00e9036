"""One Ray cluster of two CPUs for all tests of this folder; it ends with the last of them."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from longloom.engines.ray.cluster import joined_cluster


@pytest.fixture(scope="package")
def ray_folder() -> Iterator[Path]:
    # pytest's own folders have names too long for the sockets that Ray makes in it.
    folder = Path(tempfile.mkdtemp(prefix="ray-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="package")
def cluster(ray_folder: Path) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        # Workers find the modules of the tests as this process does.
        patch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
        with joined_cluster(
            "local", num_cpus=2, temporary_folder=ray_folder, object_store_bytes=100_000_000
        ) as address:
            yield address
