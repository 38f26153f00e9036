"""The folder of an evaluation: the same command goes on in it, another one is refused."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from longloom.errors import ConfigError
from longloom.runlog import RunFolder, config_hash, describe_run, read_manifest, write_manifest

_NEUTRAL = (
    "asking.answer_price", "asking.concurrency", "asking.max_tokens_in_flight",
    "asking.prompt_price", "asking.thinking", "files", "generated", "judge", "named",
)  # fmt: skip
"""Settings that change no answer: a run goes on with others."""
RECIPE = "evaluate"
"""Written as the recipe into run.yaml."""


def default_folder(label: str, model: str, settings: Mapping[str, Any]) -> Path:
    """Return the folder of an evaluation in `runs`, with a digest of its settings in its name."""
    shaping = {name: value for name, value in flat(settings).items() if not _is_neutral(name)}
    return Path("runs") / f"evaluate-{label}-{model}-{config_hash(shaping)[:8]}"


def begin(folder: RunFolder, settings: Mapping[str, Any], *, seed: int, num_threads: int) -> None:
    """Write run.yaml, or check that the folder holds an evaluation with these settings.

    Raises:
        ConfigError: it holds something else.
        DataError: it cannot be written.
    """
    if folder.run_file.exists():
        found = read_manifest(folder.run_file)
        if found.recipe != RECIPE:
            raise ConfigError(
                f"{folder.path} holds a run of {found.recipe!r}; choose another folder (-o)"
            )
        _check_same(folder.path, flat(found.config), flat(settings))
    write_manifest(
        folder.run_file,
        describe_run(recipe=RECIPE, seed=seed, num_threads=num_threads, config=settings),
    )


def clear(folder: Path) -> None:
    """Delete what an evaluation left in a folder, if it is one.

    Raises:
        ConfigError: the folder holds something else.
    """
    if not folder.exists():
        return
    run_file = RunFolder(folder).run_file
    if not run_file.exists() or read_manifest(run_file).recipe != RECIPE:
        raise ConfigError(f"{folder} holds no evaluation; nothing was deleted; choose another")
    shutil.rmtree(folder)


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings by dotted names."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping) and name != "judge":
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def _check_same(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    differing = [
        f"{name}: {before.get(name)!r} before, {now.get(name)!r} here"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name) and not _is_neutral(name)
    ]
    if differing:
        raise ConfigError(
            f"{folder} holds an evaluation with other settings ({'; '.join(differing[:5])}); give "
            "the same ones to go on, another folder (-o), or --fresh to start again"
        )


def _is_neutral(name: str) -> bool:
    return name in _NEUTRAL
