"""Which settings a training may be resumed with, and which of them decide what is learned.

What is learned must stay as it was. How it is shown, where the judge listens and how the machine is
used may change: a training that paused for a judge or ran out of memory goes on with other values.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from longloom.config import FrozenConfig, parse_config
from longloom.engines.local_config import LocalEngineConfig
from longloom.errors import ConfigError, DataError
from longloom.rewards import JudgeConfig
from longloom.runlog import RunFolder, read_manifest, write_manifest

_PASSING_GROUPS = ("logged_groups", "track")
_PASSING_ENGINE = (
    "activation_offload", "check_memory", "device", "gradient_checkpointing", "max_batch_tokens",
    "max_cache_tokens",
)  # fmt: skip

ConfigT = TypeVar("ConfigT", bound=FrozenConfig)


def lasting_settings(config: FrozenConfig) -> dict[str, object]:
    """Return the settings that a resumed run must share, as plain values."""
    plain = config.model_dump(mode="json")
    for name in _PASSING_GROUPS:
        plain.pop(name, None)
    if plain.get("judge"):
        plain["judge"] = {"model": plain["judge"]["endpoint"]["model"]}
    for name in _PASSING_ENGINE:
        plain.get("engine", {}).pop(name, None)
    return plain


def lasting_engine(config: LocalEngineConfig) -> dict[str, object]:
    """Return the settings of the engine that decide what is learned, as plain values."""
    return config.model_dump(mode="json", exclude=set(_PASSING_ENGINE))


def judge_identity(judge: JudgeConfig | None) -> str:
    """Return who judges; where that model listens and how it is asked may change."""
    return judge.endpoint.model if judge else ""


def check_resumable(folder: RunFolder, config: ConfigT, *, kind: str, advice: str) -> None:
    """Refuse to go on in a folder of other settings; take over those that may change.

    Args:
        folder: a run folder with a run.yaml.
        config: the settings asked for.
        kind: what the folder holds, for the error.
        advice: what to do, for the error.

    Raises:
        ConfigError: what is learned would be another thing; the message names the first setting.
        DataError: run.yaml is damaged.
    """
    found = stored_settings(folder, type(config))
    if found is None:
        raise ConfigError(f"run folder {folder.path} holds something else than a {kind}; {advice}")
    asked, there = (lasting_settings(one) for one in (config, found))
    if difference := first_difference(there, asked):
        name, was, is_now = difference
        raise ConfigError(
            f"run folder {folder.path} holds a {kind} with other settings: {name} is {was} there "
            f"and {is_now} here; {advice}"
        )


def first_difference(
    there: Mapping[str, object], here: Mapping[str, object]
) -> tuple[str, str, str] | None:
    """Return the whole name of the first setting that differs, and both values as they are written.

    `None` if none does.
    """
    was, is_now = (dict(_flat(settings)) for settings in (there, here))
    for name in (*is_now, *was):
        if was.get(name) != is_now.get(name):
            return name, _shown(was, name), _shown(is_now, name)
    return None


def stored_settings(folder: RunFolder, config_class: type[ConfigT]) -> ConfigT | None:
    """Return the settings in a folder's run.yaml, or None if it is of another kind of run.

    Raises:
        DataError: run.yaml is damaged.
    """
    plain = read_manifest(folder.run_file).config
    try:
        return parse_config(config_class, plain)
    except ConfigError as error:
        if set(plain) <= set(config_class.model_fields):
            raise DataError(
                f"run file {folder.run_file} is damaged ({error}); put back a copy, or take "
                "another folder"
            ) from None
        return None


def store_changed_settings(folder: RunFolder, config: FrozenConfig) -> None:
    """Write the settings that a resumed run goes on with into its run.yaml.

    Raises:
        DataError: run.yaml is damaged or cannot be written.
    """
    manifest = read_manifest(folder.run_file)
    settings = config.model_dump(mode="json")
    if dict(manifest.config) != settings:
        write_manifest(folder.run_file, replace(manifest, config=settings))


def _flat(plain: Mapping[str, object], above: str = "") -> Iterator[tuple[str, object]]:
    """Yield settings by their whole names, those of groups and lists one by one."""
    for key, value in plain.items():
        name = f"{above}{key}"
        if isinstance(value, list):
            value = {str(place): entry for place, entry in enumerate(value)}
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{name}.")
        else:
            yield name, value


def _shown(settings: Mapping[str, object], name: str) -> str:
    """Return a value as it would be written; of another shape there may be none."""
    return json.dumps(settings[name]) if name in settings else "not given"
