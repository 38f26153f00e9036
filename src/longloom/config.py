"""The base of every configuration class, and how overrides reach it.

Configurations are frozen pydantic models. An unknown key is refused with the nearest real key.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Self, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from longloom.errors import ConfigError


class FrozenConfig(BaseModel):
    """A frozen group of settings; unknown keys are errors."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )

    def replace(self, **changes: object) -> Self:
        """Return a copy with `changes`, validated again (pydantic's own copy does not).

        Raises:
            ConfigError: a key is unknown or a value is refused.
        """
        return parse_config(type(self), {**self.model_dump(), **changes})


ConfigT = TypeVar("ConfigT", bound=FrozenConfig)


def parse_config(config_class: type[ConfigT], settings: Mapping[str, object]) -> ConfigT:
    """Build `config_class` from plain values.

    Raises:
        ConfigError: one line naming the setting, its value and what was expected.
    """
    try:
        return config_class.model_validate(dict(settings))
    except ValidationError as error:
        raise ConfigError(_describe(config_class, error)) from None


def apply_overrides(settings: Mapping[str, object], overrides: Sequence[str]) -> dict[str, object]:
    """Return `settings` with `a.b=c` overrides applied; values are read as YAML.

    List entries are reached by index: `stages.0.num_steps=5`.

    Raises:
        ConfigError: an override is not of the form `a.b=c`, or its path does not exist.
    """
    changed = _copied(settings)
    for override in overrides:
        path, separator, text = override.partition("=")
        if not separator or not path:
            raise ConfigError(f"override {override!r} is not of the form a.b=c")
        try:
            value = read_yaml(text)
        except yaml.YAMLError:
            value = text
        _set_path(changed, path.split("."), value, override)
    assert isinstance(changed, dict)
    return changed


def overrides_of(group: str, overrides: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the overrides `group.a=b`, as `a=b`, and all others."""
    prefix = f"{group}."
    own = [override.removeprefix(prefix) for override in overrides if override.startswith(prefix)]
    return own, [override for override in overrides if not override.startswith(prefix)]


def read_yaml(text: str) -> Any:
    """Return the plain values of a YAML text; `on`, `off`, `yes` and `no` are words.

    As in YAML 1.2: in 1.1 they are truth values, and `mode=off` would not name a mode.

    Raises:
        yaml.YAMLError: the text is no YAML, or holds a value that contains itself.
    """
    loader = _WordsAreWords(text)
    try:
        return loader.get_single_data()
    except RecursionError:
        raise yaml.YAMLError("its values are nested too deeply") from None
    finally:
        loader.dispose()


class _WordsAreWords(yaml.SafeLoader):
    """The safe loader, with `true` and `false` as the only truth values."""

    yaml_implicit_resolvers = {  # noqa: RUF012  # a class attribute of yaml's own kind
        first: [entry for entry in entries if entry[0] != "tag:yaml.org,2002:bool"]
        for first, entries in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._open_anchors: set[str] = set()

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        anchor = event.anchor
        if anchor is None or isinstance(event, yaml.AliasEvent):
            if anchor in self._open_anchors:
                raise yaml.YAMLError(f"*{anchor} stands within what it repeats")
            return super().compose_node(parent, index)
        self._open_anchors.add(anchor)
        node = super().compose_node(parent, index)
        self._open_anchors.discard(anchor)
        return node


_WordsAreWords.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile("^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def nearest_key(key: str, known: Sequence[str]) -> str:
    """Return the known key most like `key`, or an empty string."""
    return next(iter(difflib.get_close_matches(key, known, n=1, cutoff=0.5)), "")


def _copied(value: object) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_copied(entry) for entry in value]
    return value


def _set_path(node: Any, path: list[str], value: object, override: str) -> None:
    for position, key in enumerate(path):
        is_last = position == len(path) - 1
        if isinstance(node, list):
            if not key.isdigit() or int(key) >= len(node):
                raise ConfigError(
                    f"override {override!r}: {key!r} is not an index below {len(node)}"
                )
            index: int | str = int(key)
        elif isinstance(node, dict):
            if key not in node:
                raise ConfigError(_unknown(".".join(path[: position + 1]), key, list(node)))
            index = key
        elif node is None and position:
            group, asked = ".".join(path[:position]), override.partition("=")[2]
            for name in reversed(path[position:]):
                asked = f"{{{name}: {asked}}}"
            raise ConfigError(
                f"override {override!r}: {group} is null, so it has no {key!r} yet; give the "
                f"group with --set '{group}={asked}'"
            )
        else:
            raise ConfigError(f"override {override!r}: {path[position - 1]!r} has no settings")
        if is_last:
            node[index] = value
        else:
            node = node[index]


def _unknown(path: str, key: str, known: Sequence[str]) -> str:
    nearest = nearest_key(key, known)
    hint = f"did you mean {nearest!r}?" if nearest else f"known settings: {', '.join(known)}"
    return f"unknown setting {path!r}; {hint}"


def _fields_at(config_class: type[BaseModel], location: Sequence[int | str]) -> list[str]:
    current: type[BaseModel] | None = config_class
    for step in location:
        if isinstance(step, int) or current is None:
            continue
        field = current.model_fields.get(step)
        current = _model_within(field.annotation) if field else current
    return list(current.model_fields) if current else []


def _model_within(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _model_within(arg))), None)


def _describe(config_class: type[BaseModel], error: ValidationError) -> str:
    first = error.errors()[0]
    location = first["loc"]
    path = ".".join(str(step) for step in location)
    if first["type"] == "extra_forbidden":
        return _unknown(path, str(location[-1]), _fields_at(config_class, location[:-1]))
    message = first["msg"].removeprefix("Value error, ")
    if not path:
        return message
    if first["type"] == "value_error":
        return f"{path}: {message}"
    return f"{path} is {first['input']!r}: {message[0].lower()}{message[1:]}"
