"""A configuration for verl as Hydra reads it: settings by name, each with the reason beside it.

    hydra: {searchpath: [pkg://verl.trainer.config]}
    defaults: [ppo_trainer, _self_]
    actor_rollout_ref:
      actor:
        ppo_max_token_len_per_gpu: 85000  # 1 x 170,000 / 2: states 6.0 GB + ...

Only what differs from verl's own defaults is in it, or what must not change with them. It is read
by `python -m verl.trainer.main_ppo --config-path FOLDER --config-name NAME`.
"""

import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from longloom.engines.verl.cluster_layout import ClusterLayout
from longloom.errors import ConfigError
from longloom.runlog import atomic_write_text

WIDTH = 100
"""Characters of a line, where a comment can be broken."""
_HEAD = "Written by Longloom. Comments give the arithmetic, or where a value is from."
_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*\Z")
_ESCAPED = re.compile(r"(\\*)\$\{")
"""OmegaConf reads backslashes before `${` in pairs; elsewhere one is one."""
_MISSING = object()


class Reference(str):
    """A value such as `${longloom}`: what another setting holds when verl reads the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting."""

    value: Any
    """Plain: what YAML holds."""
    reason: str = ""
    """Why; one line."""


class Settings:
    """Settings of verl by their dotted names, in the order in which they were given."""

    def __init__(self) -> None:
        self._by_path: dict[tuple[str, ...], Setting] = {}

    def set(self, name: str, value: Any, reason: str = "") -> None:
        """Give the setting of a dotted name a value; a later one takes the place of an earlier."""
        self.set_path(tuple(name.split(".")), value, reason)

    def set_path(self, path: tuple[str, ...], value: Any, reason: str = "") -> None:
        """Give a setting a value; mappings become settings of their own.

        Raises:
            ConfigError: what is within a setting that is no group, or a group, is set.
        """
        if isinstance(value, Mapping) and value:
            for key, entry in value.items():
                self.set_path((*path, str(key)), entry, reason)
                reason = ""
            return
        for known in self._by_path:
            shorter = min(len(known), len(path))
            is_within = known != path and known[:shorter] == path[:shorter]
            if is_within and self._by_path[known].value != {}:
                raise ConfigError(
                    f"setting {'.'.join(path)!r} contradicts {'.'.join(known)!r}, which is set; "
                    "expected a setting without settings of its own"
                )
        self._by_path[path] = Setting(value=value, reason=reason)

    def group(self, prefix: str, values: Mapping[str, Any]) -> None:
        """Give the settings of a group values."""
        for name, value in values.items():
            self.set(f"{prefix}.{name}", value)

    def items(self) -> Iterator[tuple[tuple[str, ...], Setting]]:
        """Yield every setting with its path."""
        yield from self._by_path.items()

    def get(self, name: str, default: Any = _MISSING) -> Any:
        """Return the value of a setting by its dotted name.

        Raises:
            KeyError: it is not set and there is no default.
        """
        found = self._by_path.get(tuple(name.split(".")))
        if found is None:
            if default is _MISSING:
                raise KeyError(name)
            return default
        return found.value

    def nested(self) -> dict[str, Any]:
        """Return them as mappings within mappings."""
        root: dict[str, Any] = {}
        for path, setting in self._by_path.items():
            node = root
            for key in path[:-1]:
                node = node.setdefault(key, {})
            if setting.value != {} or path[-1] not in node:
                node[path[-1]] = setting.value
        return root

    def reasons(self) -> dict[tuple[str, ...], str]:
        """Return the reasons by path."""
        return {path: setting.reason for path, setting in self._by_path.items() if setting.reason}


@dataclass(frozen=True, slots=True, kw_only=True)
class HydraFile:
    """A configuration of verl, and what it was made of."""

    text: str
    """The YAML."""
    settings: Mapping[str, Any]
    """Its settings as mappings within mappings, without Hydra's own."""
    layout: ClusterLayout
    """How the stage is divided."""

    def write(self, path: Path) -> None:
        """Write it, whole or not at all.

        Raises:
            DataError: it cannot be written.
        """
        atomic_write_text(path, self.text)


def hydra_text(settings: Settings, *, base: str, run_folder: str, title: str) -> str:
    """Return the YAML of settings over one of verl's own configurations.

    Args:
        settings: what differs from it.
        base: its name: `ppo_trainer`, `ppo_megatron_trainer`, `sft_trainer_engine`.
        run_folder: where Hydra may write.
        title: the first line.
    """
    head = {
        "hydra": {
            "searchpath": ["pkg://verl.trainer.config"],
            "run": {"dir": run_folder},
            "output_subdir": None,
        },
        "defaults": [base, "_self_"],
    }
    lines = [f"# {line}" for line in (*textwrap.wrap(title, WIDTH - 2), _HEAD)]
    lines += _lines(head, (), {})
    lines += _lines(settings.nested(), (), settings.reasons())
    return "\n".join(lines) + "\n"


def _lines(
    node: Mapping[str, Any], path: tuple[str, ...], reasons: Mapping[tuple[str, ...], str]
) -> list[str]:
    lines = []
    indent = "  " * len(path)
    for key, value in node.items():
        own = (*path, key)
        if isinstance(value, Mapping) and value:
            lines.append(f"{indent}{_written_key(key)}:")
            lines += _lines(value, own, reasons)
            continue
        line, reason = f"{indent}{_written_key(key)}: {_written(value)}", reasons.get(own, "")
        if reason and len(line) + 4 + len(reason) <= WIDTH:
            line = f"{line}  # {reason}"
        elif reason:
            broken = textwrap.wrap(reason, WIDTH - len(indent) - 2, break_on_hyphens=False)
            lines += [f"{indent}# {part}" for part in broken]
        lines.append(line)
    return lines


def _written(value: Any) -> str:
    """Return a value as YAML 1.1 and Hydra's loader read it alike, on one line.

    Words are quoted where one of them would take them for something else; `${` would be a
    reference to another setting, and is one in a `Reference` alone.
    """
    if isinstance(value, Reference):
        return _dumped(str(value), quoted=True)
    if isinstance(value, str):
        if _PLAIN.match(value) and yaml.safe_load(value) == value:
            return value
        return _dumped(_ESCAPED.sub(r"\1\1\\${", value), quoted=True)
    if isinstance(value, list | tuple):
        return f"[{', '.join(_written(entry) for entry in value)}]"
    if isinstance(value, Mapping):
        inner = (f"{_written_key(str(key))}: {_written(entry)}" for key, entry in value.items())
        return f"{{{', '.join(inner)}}}"
    return _dumped(value, quoted=False)


def _written_key(key: str) -> str:
    """Return a key, in which nothing refers to anything."""
    return _written(Reference(key)) if "${" in key else _written(key)


def _dumped(value: Any, *, quoted: bool) -> str:
    written: str = yaml.safe_dump(
        value, default_style='"' if quoted else None, width=float("inf"), allow_unicode=True
    )
    return written.removesuffix("\n").removesuffix("\n...")
