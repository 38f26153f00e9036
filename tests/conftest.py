"""What holds for every test: checked shapes, one thread, a fixed seed, no home folder.

The environment is set before anything imports torch; its thread count is read only then.
"""

import atexit
import os
import random
import shutil
import sys
import tempfile

import hypothesis
import pytest
from jaxtyping import install_import_hook

_HOME = tempfile.mkdtemp(prefix="longloom-tests-")
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
os.environ.update(
    HOME=_HOME,
    XDG_CACHE_HOME=os.path.join(_HOME, "cache"),
    XDG_CONFIG_HOME=os.path.join(_HOME, "config"),
    HF_HOME=os.path.join(_HOME, "huggingface"),
    HF_HUB_OFFLINE="1",
    MPLBACKEND="Agg",
    OMP_NUM_THREADS="1",
    TOKENIZERS_PARALLELISM="false",
)

# Shapes and types are checked at every call of a function of these rooms, in tests alone: they
# hold the tensors. Elsewhere it would cost a third of the time and say what mypy says.
install_import_hook(
    [f"longloom.{room}" for room in ("engines", "merging", "models", "recipes", "training")],
    "shape_checks.check_shapes",
)

from tiny_models import any_folder, tiny_folder  # noqa: E402, F401  # fixtures for every room

# Random examples are drawn from a fixed seed: a failure is a failure for everybody. No deadline:
# the machine may be busy.
hypothesis.settings.register_profile("longloom", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("longloom")

SEED = 20260
"""Arbitrary; any value would do."""


@pytest.fixture(autouse=True)
def _fixed_seed() -> None:
    """Seed every generator that is loaded; torch and numpy are not imported for it."""
    random.seed(SEED)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(SEED)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(SEED)
        sys.modules["torch"].set_num_threads(1)
