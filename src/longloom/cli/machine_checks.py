"""The findings of `longloom doctor`: Python, packages, disk, processors, write access."""

import importlib
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from longloom.cli.console import progress

_MODULE_BY_DISTRIBUTION = {"markdown-it-py": "markdown_it", "pyyaml": "yaml"}
"""Packages that are imported under another name."""
_NEEDED_BYTES = 1_000_000_000
"""A tiny run writes about a tenth of this; the rest is room for checkpoints of larger ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One finding."""

    name: str
    """What was looked at."""
    is_fine: bool
    """Whether Longloom can work with it."""
    finding: str
    """What was found."""
    advice: str = ""
    """What to do if it is not fine."""


def check_machine() -> list[Check]:
    """Look at everything a run needs; imports every package, which takes a few seconds."""
    return [_python(), *_packages(), _disk(), _write_access(), _processors(), _accelerator()]


def _python() -> Check:
    return Check(
        name="python",
        is_fine=sys.version_info >= (3, 11),
        finding=f"{platform.python_version()} on {platform.platform(terse=True)}",
        advice="install Python 3.11 or newer, then `make clean` and `make setup PYTHON=...`",
    )


def _packages() -> Iterator[Check]:
    from packaging.requirements import Requirement

    requirements = [Requirement(line) for line in metadata.requires("longloom") or []]
    needed = [wanted for wanted in requirements if not wanted.marker or wanted.marker.evaluate()]
    with progress("importing packages", len(needed)) as advance:
        for num_done, wanted in enumerate(needed, start=1):
            yield package_check(wanted.name, str(wanted.specifier))
            advance(num_done)


def package_check(distribution: str, specifier: str) -> Check:
    """Import a package and compare its version with `specifier` (`>=2.11`)."""
    from packaging.specifiers import SpecifierSet

    advice = f"run `make setup`, or: pip install '{distribution}{specifier}'"
    try:
        version = metadata.version(distribution)
        importlib.import_module(_module_name(distribution))
    except metadata.PackageNotFoundError:
        return Check(name=distribution, is_fine=False, finding="not installed", advice=advice)
    except (ImportError, OSError) as error:  # OSError: a shared library of it is missing
        finding = f"{version}, import fails: {error}"
        return Check(name=distribution, is_fine=False, finding=finding, advice=advice)
    is_fine = SpecifierSet(specifier).contains(version, prereleases=True)
    finding = version if is_fine else f"{version}, needs {specifier}"
    return Check(name=distribution, is_fine=is_fine, finding=finding, advice=advice)


def _module_name(distribution: str) -> str:
    return _MODULE_BY_DISTRIBUTION.get(distribution.lower(), distribution.replace("-", "_"))


def _disk() -> Check:
    free_bytes = shutil.disk_usage(Path.cwd()).free
    return Check(
        name="free disk",
        is_fine=free_bytes >= _NEEDED_BYTES,
        finding=f"{free_bytes / 1e9:.1f} GB in the current folder",
        advice=f"free some: a run needs {_NEEDED_BYTES / 1e9:.0f} GB",
    )


def _write_access() -> Check:
    try:
        with tempfile.TemporaryFile(dir=Path.cwd()):
            pass
    except OSError as error:
        advice = "change to a folder that you may write to; runs are written under ./runs"
        finding = f"the current folder: {error.strerror}"
        return Check(name="write access", is_fine=False, finding=finding, advice=advice)
    return Check(name="write access", is_fine=True, finding="the current folder can be written")


def _processors() -> Check:
    variables = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    settings = [f"{name}={os.environ[name]}" for name in variables if name in os.environ]
    threads = ", ".join(settings) or "no thread variable set"
    return Check(name="processors", is_fine=True, finding=f"{os.cpu_count()}; {threads}")


def _accelerator() -> Check:
    try:
        import torch
    except (ImportError, OSError):
        finding = "unknown, as torch cannot be imported"
        return Check(name="accelerator", is_fine=True, finding=finding)
    if torch.cuda.is_available():
        finding = torch.cuda.get_device_name(0)
    elif torch.backends.mps.is_available():
        finding = "Apple GPU (Longloom uses the CPU)"
    else:
        finding = f"none; torch uses the CPU with {torch.get_num_threads()} threads"
    return Check(name="accelerator", is_fine=True, finding=finding)
