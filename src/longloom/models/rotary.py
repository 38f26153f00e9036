"""Rotary position embedding: frequencies of each scaling, and where config.json keeps them.

Rotary type   what it does to the frequencies theta^(-2i/d)
default       nothing
linear        divides all by `factor`
llama3        divides the slow ones by `factor`, blends between, leaves the fast ones
yarn          the same with a linear ramp, and scales cosines and sines (arXiv 2309.00071)

Values equal those of `transformers.modeling_rope_utils`. What it leaves out: types whose
frequencies change with the length of the sequence (`dynamic`, `longrope`): tokens of one prompt
would differ between the rollouts that share it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, cast, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from longloom.errors import ModelError
from longloom.models.yarn_config import YarnConfig

RotaryType = Literal["default", "linear", "llama3", "yarn"]
"""The scalings that are known."""

_QWEN3_WINDOW_TOKENS = 40_960
"""Qwen3's config.json: 32,768 tokens it was trained on and room for 8,192 of an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RotaryScaling:
    """How the frequencies depart from the plain ones; the fields are those of config.json."""

    rope_type: RotaryType = "default"
    """The scaling; fields that it does not use keep their defaults."""
    factor: float = 1.0
    """How many times longer the window becomes."""
    original_max_position_embeddings: int = 0
    """The window before scaling, in tokens (`llama3`, `yarn`)."""
    low_freq_factor: float = 1.0
    """`llama3`: waves longer than the window over this are slow."""
    high_freq_factor: float = 4.0
    """`llama3`: waves shorter than the window over this are fast."""
    attention_factor: float | None = None
    """`yarn`: what cosines and sines are multiplied by; None computes it."""
    beta_fast: float = 32.0
    """`yarn`: frequencies that turn more often within the window stay."""
    beta_slow: float = 1.0
    """`yarn`: frequencies that turn less often are divided by `factor`."""
    mscale: float | None = None
    """`yarn`: numerator of the computed attention factor, with `mscale_all_dim`."""
    mscale_all_dim: float | None = None
    """`yarn`: its denominator."""
    truncate: bool = True
    """`yarn`: the ends of the ramp are whole dimensions."""


NO_SCALING = RotaryScaling()
"""Plain frequencies."""
_USED: Mapping[str, tuple[str, ...]] = {
    "default": (),
    "linear": ("factor",),
    "llama3": (
        "factor",
        "original_max_position_embeddings",
        "low_freq_factor",
        "high_freq_factor",
    ),
    "yarn": (
        "factor",
        "original_max_position_embeddings",
        "attention_factor",
        "beta_fast",
        "beta_slow",
        "mscale",
        "mscale_all_dim",
        "truncate",
    ),
}
"""The fields of each type; others that a folder may hold mean nothing."""


def read_scaling(settings: Mapping[str, Any]) -> RotaryScaling:
    """Return the scaling in a config.json (`rope_parameters`, in older folders `rope_scaling`).

    Raises:
        ModelError: the scaling is unknown or a value makes no sense.
    """
    found = _rope(settings)
    rope_type = found.get("rope_type") or found.get("type") or "default"
    if rope_type not in get_args(RotaryType):
        raise ModelError(
            f"config.json has rotary scaling {rope_type!r}; expected one of "
            f"{', '.join(get_args(RotaryType))}; others change with the length of the sequence"
        )
    values: dict[str, Any] = {
        name: found[name] for name in _USED[rope_type] if found.get(name) is not None
    }
    window = settings.get("max_position_embeddings")
    if "original_max_position_embeddings" in _USED[rope_type]:
        values.setdefault("original_max_position_embeddings", window)
        original = values["original_max_position_embeddings"]
        if type(original) is not int or original < 1:
            raise ModelError(
                f"config.json: original_max_position_embeddings of its rotary scaling is "
                f"{original!r}; expected a positive whole number"
            )
        if rope_type == "yarn" and "factor" not in values and type(window) is int:
            values["factor"] = window / original  # DeepSeek's folders
    _check_values(values, rope_type)
    whole = ("original_max_position_embeddings", "truncate")
    exact: dict[str, Any] = {
        name: value if name in whole else float(value) for name, value in values.items()
    }
    return RotaryScaling(rope_type=cast(RotaryType, rope_type), **exact)


def _check_values(values: Mapping[str, Any], rope_type: str) -> None:
    if rope_type != "default" and "factor" not in values:
        raise ModelError(f"config.json: its rotary scaling {rope_type!r} lacks a factor")
    for name, value in values.items():
        if name == "truncate":
            continue
        if type(value) not in (int, float) or not math.isfinite(value) or value <= 0:
            raise ModelError(
                f"config.json: {name} of its rotary scaling is {value!r}; expected a positive "
                "number"
            )


def read_theta(settings: Mapping[str, Any]) -> Any:
    """Return the base of the frequencies in a config.json, unchecked; 10,000 if it names none."""
    theta = settings.get("rope_theta")
    return _rope(settings).get("rope_theta", 10_000.0) if theta is None else theta


def _rope(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    found = settings.get("rope_parameters") or settings.get("rope_scaling") or {}
    if not isinstance(found, dict) or any(isinstance(value, dict) for value in found.values()):
        raise ModelError(
            "config.json gives rotary parameters for each kind of layer; expected one set for all"
        )
    return found


def with_scaling(settings: Mapping[str, Any], scaling: RotaryScaling) -> dict[str, Any]:
    """Return a config.json with this scaling in place of its own, and the window that follows.

    Written by the names of transformers 5 and by the older ones, which other programs read.
    """
    theta = read_theta(settings)
    parameters: dict[str, Any] = {"rope_type": scaling.rope_type, "rope_theta": theta}
    for name in _USED[scaling.rope_type]:
        value = getattr(scaling, name)
        if scaling.rope_type != "yarn" or value != getattr(NO_SCALING, name):
            parameters[name] = value
    changed = {**settings, "rope_parameters": parameters, "rope_theta": theta}
    changed["max_position_embeddings"] = window_tokens(
        scaling, int(settings["max_position_embeddings"])
    )
    changed.pop("rope_scaling", None)
    if scaling.rope_type != "default":
        changed["rope_scaling"] = {
            name: value for name, value in parameters.items() if name != "rope_theta"
        }
    return changed


def with_yarn(settings: Mapping[str, Any], yarn: YarnConfig) -> dict[str, Any]:
    """Return a config.json with YaRN.

    Raises:
        ModelError: it has a scaling already, or its window is not the one YaRN starts from.
    """
    present = read_scaling(settings)
    if present.rope_type != "default":
        raise ModelError(
            f"YaRN was asked for, but the model's config.json has rotary scaling "
            f"{present.rope_type!r} by factor {present.factor:g} already; leave YaRN out, it is "
            "applied as it is"
        )
    window = settings.get("max_position_embeddings")
    if type(window) is not int or not yarn.original_window_tokens <= window <= yarn.window_tokens:
        raise ModelError(
            f"YaRN from {yarn.original_window_tokens} to {yarn.window_tokens} tokens does not fit "
            f"a model whose window is {window!r}; expected original_window_tokens of at most the "
            "model's window, and a longer window of no less than it"
        )
    scaling = RotaryScaling(
        rope_type="yarn",
        factor=yarn.factor,
        original_max_position_embeddings=yarn.original_window_tokens,
    )
    return with_scaling(settings, scaling)


def yarn_by_factor(settings: Mapping[str, Any], factor: float) -> YarnConfig:
    """Return YaRN by `factor` from the window the model of this config.json was trained with."""
    window = settings.get("max_position_embeddings")
    if type(window) is not int or window < 1:
        raise ModelError(
            f"config.json: max_position_embeddings is {window!r}; expected a positive whole number"
        )
    original = YarnConfig().original_window_tokens if window == _QWEN3_WINDOW_TOKENS else window
    return YarnConfig(factor=factor, original_window_tokens=original)


def window_tokens(scaling: RotaryScaling, max_position_embeddings: int) -> int:
    """Return the window: with YaRN its factor times the original, else what config.json says."""
    if scaling.rope_type == "yarn":
        return int(scaling.factor * scaling.original_max_position_embeddings)
    return max_position_embeddings


@lru_cache(maxsize=16)
@torch.inference_mode(False)
def rotary_frequencies(
    scaling: RotaryScaling, theta: float, head_dim: int, device: torch.device
) -> tuple[Float[Tensor, " half"], float]:
    """Return the frequencies in fp32 and what cosines and sines are multiplied by."""
    exponents = torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim
    waves = theta**exponents
    match scaling.rope_type:
        case "default":
            frequencies = 1 / waves
        case "linear":
            frequencies = 1 / waves / scaling.factor
        case "llama3":
            frequencies = _llama3(1 / waves, scaling)
        case "yarn":
            frequencies = _yarn(waves, scaling, theta, head_dim)
    return frequencies.to(device), attention_factor(scaling)


def _llama3(frequencies: Tensor, scaling: RotaryScaling) -> Tensor:
    window = scaling.original_max_position_embeddings
    wavelengths = 2 * math.pi / frequencies
    slow, fast = scaling.low_freq_factor, scaling.high_freq_factor
    share = (window / wavelengths - slow) / (fast - slow)  # of the frequency left as it is
    share = torch.where(wavelengths > window / slow, 0.0, share)
    share = torch.where(wavelengths < window / fast, 1.0, share)
    return (1 - share) * frequencies / scaling.factor + share * frequencies


def _yarn(waves: Tensor, scaling: RotaryScaling, theta: float, head_dim: int) -> Tensor:
    def dimension(num_turns: float) -> float:
        window = scaling.original_max_position_embeddings
        return head_dim * math.log(window / (num_turns * 2 * math.pi)) / (2 * math.log(theta))

    low, high = dimension(scaling.beta_fast), dimension(scaling.beta_slow)
    if scaling.truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, head_dim - 1)
    if low == high:
        high += 0.001
    ramp = (torch.arange(head_dim // 2, dtype=torch.float32) - low) / (high - low)
    left = 1 - ramp.clamp(0, 1)  # share of the frequency left as it is
    return 1 / (scaling.factor * waves) * (1 - left) + 1 / waves * left


def attention_factor(scaling: RotaryScaling) -> float:
    """Return what cosines and sines are multiplied by: 0.1 ln(factor) + 1 for plain YaRN."""
    if scaling.rope_type != "yarn":
        return 1.0
    if scaling.attention_factor is not None:
        return scaling.attention_factor
    growth = math.log(scaling.factor) if scaling.factor > 1 else 0.0
    if scaling.mscale and scaling.mscale_all_dim:
        return (0.1 * scaling.mscale * growth + 1) / (0.1 * scaling.mscale_all_dim * growth + 1)
    return 0.1 * growth + 1
