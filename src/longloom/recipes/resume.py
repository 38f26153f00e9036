"""Which settings a run may be resumed with.

What is learned must stay as it was. How it is shown, where the judge listens and how the machine is
used may change: a run that paused for a judge or ran out of memory goes on with other values.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from longloom.config import FrozenConfig, parse_config
from longloom.errors import ConfigError
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


def check_resumable(folder: RunFolder, config: ConfigT, *, kind: str, advice: str) -> None:
    """Refuse to go on in a folder of other settings; take over those that may change.

    Args:
        folder: a run folder with a run.yaml.
        config: the settings asked for.
        kind: what the folder holds, for the error.
        advice: what to do, for the error.

    Raises:
        ConfigError: what is learned would be another thing.
        DataError: run.yaml is damaged.
    """
    manifest = read_manifest(folder.run_file)
    found = _parsed(type(config), manifest.config)
    if found is None or lasting_settings(found) != lasting_settings(config):
        raise ConfigError(f"run folder {folder.path} holds a {kind} with other settings; {advice}")


def store_changed_settings(folder: RunFolder, config: FrozenConfig) -> None:
    """Write the settings that a resumed run goes on with into its run.yaml.

    Raises:
        DataError: run.yaml is damaged or cannot be written.
    """
    manifest = read_manifest(folder.run_file)
    settings = config.model_dump(mode="json")
    if dict(manifest.config) != settings:
        write_manifest(folder.run_file, replace(manifest, config=settings))


def _parsed(config_class: type[ConfigT], settings: Mapping[str, object]) -> ConfigT | None:
    try:
        return parse_config(config_class, settings)
    except ConfigError:  # of another kind of run
        return None
