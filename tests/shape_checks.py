"""The type checker that the jaxtyping import hook puts around every longloom function in tests.

beartype refuses hints that mean nothing at run time: `Self` outside a decorated class, protocols
that are not `runtime_checkable`. A function with such a hint keeps the checks of its tensors.
"""

import copy
import types
from collections.abc import Callable
from typing import Any, get_args

from beartype import beartype
from beartype.roar import BeartypeDecorHintException
from jaxtyping import AbstractArray

AnyFunction = Callable[..., Any]


def check_shapes(fn: AnyFunction) -> AnyFunction:
    """Return `fn` with every hint checked, or with its tensor hints alone if beartype cannot."""
    try:
        return beartype(fn)
    except BeartypeDecorHintException:
        if not isinstance(fn, types.FunctionType):
            return fn
        return beartype(_with_tensor_hints_alone(fn))


def _with_tensor_hints_alone(fn: types.FunctionType) -> types.FunctionType:
    reduced = types.FunctionType(
        fn.__code__, fn.__globals__, fn.__name__, fn.__defaults__, fn.__closure__
    )
    reduced.__dict__.update(fn.__dict__)
    reduced.__kwdefaults__ = copy.copy(fn.__kwdefaults__)
    reduced.__qualname__ = fn.__qualname__
    reduced.__module__ = fn.__module__
    reduced.__annotations__ = {
        name: hint if _mentions_a_tensor(hint) else Any for name, hint in fn.__annotations__.items()
    }
    return reduced


def _mentions_a_tensor(hint: object) -> bool:
    if isinstance(hint, type) and issubclass(hint, AbstractArray):
        return True
    return any(_mentions_a_tensor(part) for part in get_args(hint))
