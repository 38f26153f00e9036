"""What tests of verl and Ray share: a short folder for Ray's files, removed at the end."""

import os
import shutil
import tempfile
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _ray_folder() -> Iterator[None]:
    """Keep Ray's sessions out of the common folder; its sockets need a short path."""
    folder = tempfile.mkdtemp(prefix="ll-ray-")
    before = os.environ.get("RAY_TMPDIR")
    os.environ["RAY_TMPDIR"] = folder
    yield
    if before is None:
        del os.environ["RAY_TMPDIR"]
    else:
        os.environ["RAY_TMPDIR"] = before
    shutil.rmtree(folder, ignore_errors=True)
