"""Calls of longloom functions are checked in tests: types, and the shapes of tensors."""

from typing import Protocol

import pytest
import torch
from jaxtyping import Float, TypeCheckError, jaxtyped
from torch import Tensor

from longloom.models.drawing import uniform_stream
from shape_checks import check_shapes


class Scale(Protocol):
    """A protocol that beartype cannot check."""

    factor: float


@jaxtyped(typechecker=check_shapes)
def product(left: Float[Tensor, "B T"], right: Float[Tensor, "B T"], scale: Scale | None) -> Tensor:
    return left * right


def test_equal_letters_must_be_equal_sizes() -> None:
    assert product(torch.ones(2, 3), torch.ones(2, 3), None).shape == (2, 3)
    with pytest.raises(TypeCheckError):
        product(torch.ones(2, 3), torch.ones(2, 1), None)


def test_dtype_is_checked() -> None:
    with pytest.raises(TypeCheckError):
        product(torch.ones(2, 3), torch.ones(2, 3, dtype=torch.int64), None)


def test_longloom_is_imported_under_the_check() -> None:
    with pytest.raises(TypeCheckError):
        uniform_stream(1)  # type: ignore[arg-type]
