"""Print a configuration as YAML that can be edited and run, each setting explained above it."""

import textwrap
from collections.abc import Iterator

import yaml
from pydantic import BaseModel

_WIDTH = 99


def recipe_yaml(config: BaseModel, *, is_commented: bool = True) -> str:
    """Return `config` as YAML.

    Args:
        config: any configuration.
        is_commented: whether docstrings of settings become comments. A group of settings that
            occurs again, such as a second stage, is explained the first time only.
    """
    explained: set[type[BaseModel]] | None = set() if is_commented else None
    return "\n".join(_lines(config, 0, explained)) + "\n"


def _lines(config: BaseModel, indent: int, explained: set[type[BaseModel]] | None) -> Iterator[str]:
    is_new = explained is not None and type(config) not in explained
    if explained is not None:
        explained.add(type(config))
    for name, field in type(config).model_fields.items():
        if is_new and field.description:
            yield from _comment(field.description, indent)
        value = getattr(config, name)
        if isinstance(value, BaseModel):
            yield f"{' ' * indent}{name}:"
            yield from _lines(value, indent + 2, explained)
        elif isinstance(value, tuple) and any(isinstance(entry, BaseModel) for entry in value):
            yield f"{' ' * indent}{name}:"
            for entry in value:
                yield from _entry(entry, indent, explained)
        else:
            plain = config.model_dump(mode="json", include={name})[name]
            yield f"{' ' * indent}{name}: {_value(plain)}"


def _entry(entry: BaseModel, indent: int, explained: set[type[BaseModel]] | None) -> Iterator[str]:
    """Yield one entry of a list: the dash stands before its first setting, below comments."""
    is_begun = False
    for line in _lines(entry, indent + 2, explained):
        if is_begun or line.lstrip().startswith("#"):
            yield line
        else:
            yield f"{' ' * indent}- {line.lstrip()}"
            is_begun = True


def _value(plain: object) -> str:
    """Return a plain value on one line."""
    text = yaml.safe_dump(plain, default_flow_style=True, allow_unicode=True, width=10**9)
    return text.removesuffix("...\n").rstrip("\n")


def _comment(description: str, indent: int) -> list[str]:
    margin = " " * indent + "# "
    text = " ".join(description.split())
    return textwrap.wrap(text, _WIDTH, initial_indent=margin, subsequent_indent=margin)
