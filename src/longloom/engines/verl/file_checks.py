"""Whether verl takes a configuration file: asked of verl's own classes before anything starts.

Hydra adds whatever a file names, so a misspelt setting would be ignored without a word. Here every
setting must be one that verl's configuration or the class behind a group has, with a value of its
kind; then each group is made into verl's class as verl does it, and verl's own validation is run.
"""

import contextlib
import dataclasses
import io
import logging
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from longloom.config import nearest_key
from longloom.engines.verl.ppo_config import TRAINER
from longloom.engines.verl.reported import write_error
from longloom.engines.verl.stage_settings import SECTION
from longloom.errors import ConfigError, LongloomError, MissingDependencyError

logger = logging.getLogger(__name__)

_OPEN_GROUPS = (
    ("hydra",),
    ("ray_kwargs", "ray_init"),
    (SECTION,),
    ("data", SECTION),
    ("trainer", "v1", TRAINER),
)
"""Groups that hold what verl's configuration does not name."""
_MODELS = ("actor_rollout_ref.model", "model")
_REFERENCE = "actor_rollout_ref.ref"
_GROUPS = (
    "actor_rollout_ref.actor",
    "actor_rollout_ref.actor.checkpoint",
    "actor_rollout_ref.actor.fsdp_config",
    "actor_rollout_ref.actor.megatron",
    "actor_rollout_ref.actor.optim",
    "actor_rollout_ref.actor.policy_loss",
    _REFERENCE,
    "actor_rollout_ref.rollout",
    "algorithm",
    "checkpoint",
    "engine",
    "optim",
    "profiler",
    "reward.reward_model",
)
"""Groups behind which verl has a class, where a configuration has them. Not all of `reward`: its
class of the reward manager cannot be made in verl 0.9.1, and verl never makes it."""


def check_file(path: Path, *, base: str, reads_model: bool = True) -> Any:
    """Refuse a configuration file that verl would not take; return it as verl composes it.

    Args:
        path: the file.
        base: verl's own configuration that it builds on.
        reads_model: also make verl's class of the model, which reads the model's folder.

    Raises:
        ConfigError: a setting is unknown or of the wrong kind, or verl refuses the whole.
        MissingDependencyError: verl is not installed.
    """
    composed, known = _composed(path, base)
    _check_names(composed, known, ())
    try:
        with contextlib.redirect_stdout(io.StringIO()) as said:
            _convert(composed, reads_model=reads_model)
            if "actor_rollout_ref" in composed:
                _validate(composed)
        logger.debug("verl on %s: %s", path, said.getvalue())
    except Exception as error:  # verl and Hydra raise whatever they like
        raise ConfigError(f"verl refuses {path}: {_one_line(error)}") from None
    return composed


def _composed(path: Path, base: str) -> tuple[Any, Any]:
    """Return the file over verl's configuration, and that alone."""
    try:
        import verl
        from hydra import compose, initialize_config_dir
        from hydra.errors import HydraException
        from omegaconf.errors import OmegaConfBaseException
    except ImportError as error:
        raise MissingDependencyError(
            f"a cluster's configuration cannot be checked without verl ({error}); install it with "
            "pip install 'longloom[verl]'"
        ) from None
    known = _known(str(Path(verl.__file__).parent / "trainer" / "config"), base)
    try:
        with initialize_config_dir(str(path.parent.resolve()), version_base=None):
            return compose(path.stem), known
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(f"Hydra cannot read {path}: {_one_line(error)}") from None


@cache
def _known(folder: str, base: str) -> Any:
    from hydra import compose, initialize_config_dir

    with initialize_config_dir(folder, version_base=None):
        return compose(base)


def _check_names(node: Any, known: Any, path: tuple[str, ...]) -> None:
    """Refuse settings that neither verl's configuration nor the class of their group has.

    Raises:
        ConfigError: names the setting, and the nearest one there is.
    """
    names = _known_names(known)
    for key in node:
        own = (*path, str(key))
        if own in _OPEN_GROUPS:
            continue
        if names and key not in names:
            nearest = nearest_key(str(key), sorted(names))
            hint = f"did you mean {nearest!r}?" if nearest else f"known: {', '.join(sorted(names))}"
            raise ConfigError(f"verl has no setting {'.'.join(own)!r}; {hint}")
        if key not in known or _is_missing(known, key):
            continue
        value, default = _value(node, key), _value(known, key)
        if isinstance(default, Mapping) or _is_group(default):
            if not _is_group(value):
                raise ConfigError(
                    f"{'.'.join(own)} is {value!r}; verl expects a group of settings there"
                )
            _check_names(value, default, own)
        elif not _is_alike(value, default):
            raise ConfigError(
                f"{'.'.join(own)} is {value!r}; verl's own is {default!r}: expected a value of "
                "that kind"
            )


def _known_names(known: Any) -> set[str]:
    """Return what a group may hold; an empty one may hold anything."""
    names = {str(key) for key in known}
    target = known.get("_target_") if names else None
    if target:
        from hydra.utils import get_class

        names |= {field.name for field in dataclasses.fields(get_class(target))}
    return names


def _is_missing(node: Any, key: str) -> bool:
    from omegaconf import OmegaConf

    return bool(OmegaConf.is_missing(node, key))


def _value(node: Any, key: str) -> Any:
    """Return a value, or None where it refers to a setting that is not there yet."""
    from omegaconf.errors import OmegaConfBaseException

    try:
        return node[key]
    except OmegaConfBaseException:
        return None


def _is_group(value: Any) -> bool:
    from omegaconf import DictConfig

    return isinstance(value, DictConfig)


def _is_alike(value: Any, default: Any) -> bool:
    """Return whether a value is of the kind of verl's own; either may be absent."""
    if value is None or default is None:
        return True
    if isinstance(value, bool) or isinstance(default, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    if isinstance(default, int | float):
        return isinstance(value, int | float)
    if isinstance(default, str):
        return isinstance(value, str) or not isinstance(value, int | float)
    return type(value) is type(default)


def _convert(composed: Any, *, reads_model: bool) -> None:
    """Make verl's classes of all groups, as verl does, and hold values against their fields."""
    from omegaconf import OmegaConf
    from verl.utils.config import omega_conf_to_dataclass

    for name in (*_GROUPS, *(_MODELS if reads_model else ())):
        group = OmegaConf.select(composed, name)
        if group is None or not group.get("_target_"):
            continue
        made = omega_conf_to_dataclass(_as_actor(group) if name == _REFERENCE else group)
        for place, field, value in _wrong_kinds(made):
            raise TypeError(f"{name}.{place} is {value!r}; expected {field}")


def _as_actor(reference: Any) -> Any:
    """Return the reference's settings by the names that verl gives them before it reads them."""
    from omegaconf import OmegaConf

    renamed = {
        "log_prob_micro_batch_size": "ppo_micro_batch_size",
        "log_prob_micro_batch_size_per_gpu": "ppo_micro_batch_size_per_gpu",
        "log_prob_use_dynamic_bsz": "use_dynamic_bsz",
        "log_prob_max_token_len_per_gpu": "ppo_max_token_len_per_gpu",
    }
    settings = OmegaConf.to_container(reference, resolve=True)
    assert isinstance(settings, dict)
    return OmegaConf.create({renamed.get(str(key), key): settings[key] for key in settings})


def _wrong_kinds(made: Any) -> Iterator[tuple[str, str, Any]]:
    """Yield fields whose values are not of the plain kind that the class declares."""
    for field in dataclasses.fields(made):
        value, kind = getattr(made, field.name), field.type
        if dataclasses.is_dataclass(value):
            for place, expected, found in _wrong_kinds(value):
                yield f"{field.name}.{place}", expected, found
        elif kind is bool or kind is str:
            if value is not None and not isinstance(value, kind):
                yield field.name, kind.__name__, value
        elif kind is int and value is not None and type(value) is not int:
            yield field.name, "int", value
        elif kind is float and (isinstance(value, bool) or not isinstance(value, int | float)):
            yield field.name, "float", value


def _validate(composed: Any) -> None:
    from verl.trainer.ppo.utils import need_critic, need_reference_policy
    from verl.utils.config import validate_config

    validate_config(
        config=composed,
        use_reference_policy=need_reference_policy(composed),
        use_critic=need_critic(composed),
    )


def _one_line(error: BaseException) -> str:
    """Return an error as one line; Hydra's own say what failed in their second."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2]) or repr(error)


def main(path: str, base: str) -> int:
    """Check a file; write what is wrong with it for whoever asked. Run as a program."""
    try:
        check_file(Path(path), base=base)
    except LongloomError as error:
        write_error(Path(path).parent, error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
