"""Errors reach other processes whole and can be caught as the builtins they refine."""

import pickle

import pytest

from longloom import errors

REFINED = {
    errors.ConfigError: ValueError,
    errors.DataError: ValueError,
    errors.ModelError: RuntimeError,
    errors.ContextLengthError: errors.ModelError,
    errors.RewardError: RuntimeError,
    errors.CheckpointError: RuntimeError,
    errors.EngineError: RuntimeError,
    errors.MissingDependencyError: ImportError,
}


def test_every_error_is_listed_here_and_in_the_tree() -> None:
    defined = {name for name in vars(errors) if name.endswith("Error")} - {"LongloomError"}
    assert defined == {error.__name__ for error in REFINED}
    assert all(name in (errors.__doc__ or "") for name in defined)


@pytest.mark.parametrize(("error", "builtin"), REFINED.items())
def test_error_is_a_longloom_error_and_its_builtin(error: type, builtin: type) -> None:
    assert issubclass(error, errors.LongloomError)
    assert issubclass(error, builtin)


@pytest.mark.parametrize("error", REFINED)
def test_error_survives_pickling(error: type) -> None:
    copied = pickle.loads(pickle.dumps(error("group_size is 1")))
    assert type(copied) is error
    assert str(copied) == "group_size is 1"
