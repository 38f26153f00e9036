"""Programs as JSON, and their shapes.

    {"op": "count", "of": {"op": "inverse", ...}}

Reading checks every kind, field and type; nothing but the listed node classes can be built.
"""

import json
from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any

from longloom.errors import DataError
from longloom.synthesis.programs.node import Program

_MAX_DEPTH = 40
_CLASS_KEY = "op"
"""Names the class of a node; no node class has a field of this name."""


def to_json(program: Program) -> str:
    """Return `program` as one line of JSON."""
    return json.dumps(_as_plain(program), separators=(",", ":"), ensure_ascii=False)


def shape_of(program: Program) -> str:
    """Return the program with its constants removed, as one line of JSON.

    Two questions of the same shape differ in names, values and ordinals only.
    """
    return json.dumps(_as_plain(program, with_constants=False), separators=(",", ":"))


def from_json(text: str, node_classes: Mapping[str, type[Program]]) -> Program:
    """Read a program back.

    Raises:
        DataError: the text is not the JSON of a program of these classes.
    """
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"program {text[:80]!r} is not JSON: {error}") from None
    return _node(plain, node_classes, 0)


def _as_plain(value: Any, *, with_constants: bool = True) -> Any:
    if isinstance(value, str | int):
        return value
    if isinstance(value, tuple):
        return [_as_plain(entry, with_constants=with_constants) for entry in value]
    plain = {_CLASS_KEY: value.KIND}
    for field in fields(value):
        if with_constants or field.name not in value.CONSTANTS:
            plain[field.name] = _as_plain(getattr(value, field.name), with_constants=with_constants)
    return plain


def _node(plain: Any, node_classes: Mapping[str, type[Program]], depth: int) -> Program:
    if depth > _MAX_DEPTH or not isinstance(plain, dict):
        raise DataError(f"program node {str(plain)[:80]!r}; expected an object, not too deep")
    kind = plain.get(_CLASS_KEY)
    node_class = node_classes.get(kind) if isinstance(kind, str) else None
    if node_class is None:
        known = ", ".join(sorted(node_classes))
        raise DataError(f"program node of kind {kind!r}; expected one of {known}")
    expected = {field.name: field for field in fields(node_class)}  # type: ignore[arg-type]
    given = {name: value for name, value in plain.items() if name != _CLASS_KEY}
    if given.keys() != expected.keys():
        raise DataError(
            f"program node {kind!r} has fields {sorted(given)}; expected {sorted(expected)}"
        )
    values = {name: _value(value, node_classes, depth) for name, value in given.items()}
    for name, value in values.items():
        if not _fits(value, expected[name].type):
            raise DataError(f"program node {kind!r}, field {name}: {str(value)[:80]!r} is no fit")
    return node_class(**values)


def _value(plain: Any, node_classes: Mapping[str, type[Program]], depth: int) -> Any:
    if isinstance(plain, dict):
        return _node(plain, node_classes, depth + 1)
    if isinstance(plain, list):
        return tuple(_value(entry, node_classes, depth) for entry in plain)
    if isinstance(plain, str | int) and not isinstance(plain, bool):
        return plain
    raise DataError(f"program value {plain!r}; expected text, a whole number, a node or a list")


_PLAIN_TYPES: Mapping[Any, type] = MappingProxyType({str: str, int: int, "str": str, "int": int})


def _fits(value: Any, annotation: Any) -> bool:
    """Check the fields that are plain; nodes and tuples are checked as they are read."""
    wanted = _PLAIN_TYPES.get(annotation)
    if wanted is not None:
        return isinstance(value, wanted)
    is_tuple = str(annotation).startswith("tuple[")
    return isinstance(value, tuple) if is_tuple else not isinstance(value, str | int | tuple)
