"""run.yaml: the resolved configuration of a run and what it ran on.

`longloom run run.yaml` repeats the run from this file alone.
"""

import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from longloom import __version__
from longloom.config import read_yaml
from longloom.errors import DataError
from longloom.runlog.atomic import atomic_write_text

MANIFEST_SCHEMA = "longloom.run"
"""Written as `schema` into run.yaml."""
MANIFEST_VERSION = 1
"""Written as `version` into run.yaml."""

_RECORDED_LIBRARIES = (
    "duckdb",
    "numpy",
    "pyarrow",
    "pydantic",
    "safetensors",
    "tokenizers",
    "torch",
    "transformers",
)
_GIT_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunManifest:
    """What is needed to repeat a run to the bit."""

    recipe: str
    """Name of the recipe that made the configuration."""
    seed: int
    """Seed of every random stream."""
    num_threads: int
    """Threads of the tensor library; the bits depend on it."""
    git_commit: str
    """Commit of Longloom, with `-dirty` if files differ from it; empty outside a checkout."""
    library_versions: Mapping[str, str]
    """Version by library, Longloom and Python included."""
    platform: str
    """Operating system and machine type."""
    config: Mapping[str, Any]
    """The resolved configuration as JSON values."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """Digest of what was read by the name of its setting; empty where nobody checks it."""


_NAMES = tuple(field.name for field in fields(RunManifest))
_MAPPINGS = ("library_versions", "config", "inputs")


def describe_run(
    *,
    recipe: str,
    seed: int,
    num_threads: int,
    config: Mapping[str, Any],
    inputs: Mapping[str, str] | None = None,
) -> RunManifest:
    """Return the manifest of a run that starts here and now. Imports none of the libraries.

    Args:
        recipe: name of the recipe.
        seed: seed of the run.
        num_threads: threads that the tensor library uses.
        config: JSON values, as `config.model_dump(mode="json")` gives them.
        inputs: digests of the files that a resumed run must find again.
    """
    return RunManifest(
        recipe=recipe,
        seed=seed,
        num_threads=num_threads,
        git_commit=git_commit(Path(__file__)),
        library_versions=_library_versions(),
        platform=f"{platform.system()} {platform.machine()}",
        config=config,
        inputs=inputs or {},
    )


def write_manifest(path: Path, manifest: RunManifest) -> None:
    """Write run.yaml atomically.

    Raises:
        DataError: it cannot be written.
    """
    values = {name: getattr(manifest, name) for name in _NAMES}
    for name in _MAPPINGS:
        values[name] = dict(values[name])
    content = {"schema": MANIFEST_SCHEMA, "version": MANIFEST_VERSION, **values}
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
    atomic_write_text(path, text)


def read_manifest(path: Path) -> RunManifest:
    """Return what `write_manifest` wrote.

    Raises:
        DataError: the file is missing, damaged, not a run file or of another version.
    """
    try:
        content = read_yaml(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"cannot read run file {path}: {reason}") from None
    if not isinstance(content, dict) or content.get("schema") != MANIFEST_SCHEMA:
        raise DataError(f"{path} is not a run file; expected `schema: {MANIFEST_SCHEMA}` in it")
    if content.get("version") != MANIFEST_VERSION:
        raise DataError(
            f"{path} has version {content.get('version')!r}, this Longloom reads version "
            f"{MANIFEST_VERSION}; run it with the Longloom that wrote it"
        )
    content.setdefault("inputs", {})
    missing = [name for name in _NAMES if name not in content]
    if missing:
        raise DataError(f"run file {path} is damaged: it lacks {', '.join(missing)}")
    for name in _MAPPINGS:
        if not isinstance(content[name], dict):
            raise DataError(f"run file {path} is damaged: it lacks a mapping under {name}")
    return RunManifest(**{name: content[name] for name in _NAMES})


def git_commit(file: Path) -> str:
    """Return the commit of the checkout that tracks `file`, or an empty string.

    An installed package inside another project's checkout is not tracked by it: no commit.
    """
    if _git(file.parent, "ls-files", "--error-unmatch", file.name) is None:
        return ""
    commit = _git(file.parent, "rev-parse", "HEAD")
    if commit is None:
        return ""
    changes = _git(file.parent, "status", "--porcelain", "--untracked-files=no")
    return f"{commit}-dirty" if changes else commit


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        ran = subprocess.run(
            command, capture_output=True, text=True, timeout=_GIT_TIMEOUT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ran.stdout.strip() if ran.returncode == 0 else None


def _library_versions() -> dict[str, str]:
    versions = {"longloom": __version__, "python": platform.python_version()}
    for name in _RECORDED_LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions
