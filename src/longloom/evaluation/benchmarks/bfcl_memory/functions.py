"""The functions that a model may call, how they are described to it, and how a call is carried out.

Names, arguments and results are bfcl_eval's; the descriptions are worded anew. A call that cannot
be carried out has a result too, which says why: the model reads it and goes on.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from longloom.evaluation.benchmarks.bfcl_memory.calls import Call

_FAILED = "Error during execution: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One argument of a function."""

    name: str
    """As it is written in a call."""
    kind: Literal["string", "integer"] = "string"
    """Its type."""
    description: str
    """For the model."""
    default: int | None = None
    """Taken where a call leaves it out; without one it must be there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One function of a memory."""

    name: str
    """As it is called."""
    description: str
    """For the model."""
    parameters: tuple[Parameter, ...] = ()
    """Its arguments."""
    run: Callable[..., Mapping[str, Any]]
    """Carries a call out; gets every argument by name and in its type."""


def describe_functions(functions: Sequence[Function]) -> str:
    """Return the functions as JSON, in the layout of bfcl_eval's function documents."""
    return json.dumps([_document(function) for function in functions], indent=4)


def run_call(functions: Sequence[Function], call: Call) -> str:
    """Carry out a call; return its result, or what is wrong with it, as text."""
    function = next((one for one in functions if one.name == call.name), None)
    if function is None:
        return f"{_FAILED}name '{call.name}' is not defined"
    if call.num_unnamed:
        return f"{_FAILED}{call.name}() takes named arguments only"
    arguments: dict[str, str | int] = {}
    for parameter in function.parameters:
        value = call.arguments.get(parameter.name, parameter.default)
        if parameter.name not in call.arguments and parameter.default is None:
            return f"{_FAILED}{call.name}() missing required argument: '{parameter.name}'"
        if parameter.kind == "integer":
            if not isinstance(value, int) or isinstance(value, bool):
                return f"{_FAILED}{call.name}() needs an integer as '{parameter.name}'"
            arguments[parameter.name] = value
        else:
            arguments[parameter.name] = value if isinstance(value, str) else str(value)
    unknown = sorted(set(call.arguments) - set(arguments))
    if unknown:
        return f"{_FAILED}{call.name}() got an unexpected keyword argument '{unknown[0]}'"
    return json.dumps(function.run(**arguments))


def _document(function: Function) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for parameter in function.parameters:
        described = {"type": parameter.kind, "description": parameter.description}
        properties[parameter.name] = (
            described if parameter.default is None else {**described, "default": parameter.default}
        )
    required = [one.name for one in function.parameters if one.default is None]
    return {
        "name": function.name,
        "description": function.description,
        "parameters": {"type": "dict", "properties": properties, "required": required},
    }
