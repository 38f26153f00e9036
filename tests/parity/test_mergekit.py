"""Our merges against mergekit's own, where it is installed: run `make test-mergekit`.

Both merge the same tensors in fp32. Where several positions have the variance at which selection
ends, mergekit's choice among them is its sort's: such tensors are left out of the comparison of
values, and counted. Its bounds of 1e-6 are part of our variant `mergekit`; beside the variant
`authors`, positions they touch are left out, and counted.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
import yaml
from safetensors.torch import load_file
from torch import Tensor

from longloom.merging import MergeConfig, read_mergekit_yaml
from longloom.merging.dare import merge_dare
from longloom.merging.linear import merge_linear
from longloom.merging.merge import merge_models
from longloom.merging.sce import MERGEKIT_BOUND, merge_sce
from longloom.merging.task_arithmetic import merge_task_arithmetic
from longloom.merging.ties import merge_ties
from tiny_architectures import write_architecture

pytest.importorskip("mergekit", reason="mergekit needs its own environment: `make test-mergekit`")

from mergekit.merge_methods.base import PerInputValues, TensorGroup
from mergekit.merge_methods.registry import get
from mergekit.merge_methods.sce import sce_mask

SHAPES = [(5,), (1000,), (64, 300), (300_001,)]
ROUNDING = 8 * torch.finfo(torch.float32).eps


@pytest.fixture
def show(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Write a line of counts beside the dots of the tests."""

    def write(line: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{line}")

    return write


class Inputs(NamedTuple):
    pivot: Tensor
    targets: list[Tensor]

    @property
    def deltas(self) -> Tensor:
        return torch.stack(self.targets) - self.pivot


def random_inputs(
    shape: tuple[int, ...], scales: tuple[float, ...], seed: int, *, bits: int = 32
) -> Inputs:
    """Return a pivot and one model per scale of its changes; 16 bits make many equal variances."""
    generator = torch.Generator().manual_seed(seed)
    pivot = torch.randn(shape, generator=generator)
    targets = [pivot + scale * torch.randn(shape, generator=generator) for scale in scales]
    if bits == 16:
        pivot, *targets = (each.bfloat16().float() for each in (pivot, *targets))
    return Inputs(pivot, targets)


def merge_with_mergekit(
    method: str, inputs: Inputs, *, per_model: dict[str, tuple[float, ...]] | None = None, **shared
) -> Tensor:
    group = TensorGroup.from_tensors([inputs.pivot, *inputs.targets], base_index=0)
    ids = [entry.id for entry in group.non_base]
    parameters = {
        name: PerInputValues(list(zip(ids, values, strict=True)))
        for name, values in (per_model or {}).items()
    }
    return get(method)([group], parameters={**parameters, **shared}, dtype=torch.float32)[0]


def assert_equal_to_rounding(found: Tensor, expected: Tensor, inputs: Inputs) -> None:
    size = inputs.pivot.abs() + inputs.deltas.abs().amax(dim=0)
    assert float(((found - expected).abs() / size.clamp(min=1e-30)).max()) <= ROUNDING


def is_selection_tied(inputs: Inputs, select_topk: float) -> bool:
    """Return whether variances that are equal to rounding lie on both sides of the selection."""
    if select_topk == 1:
        return False
    variances = torch.var(inputs.deltas, dim=0, unbiased=False)
    selected = sce_mask(inputs.deltas, select_topk) > 0
    if not selected.any() or not (~selected & (variances > 0)).any():
        return False
    last, first_left = variances[selected].min(), variances[~selected].max()
    return bool(first_left >= last * (1 - 1e-5))


@pytest.mark.parametrize("select_topk", [1.0, 0.1])
@pytest.mark.parametrize("scales", [(0.02, 0.01), (0.02, 0.01, 0.005), (1e-4, 2e-4), (0.05, 1e-6)])
def test_sce_equals_mergekit_on_random_tensors(
    scales: tuple[float, ...], select_topk: float, show: Callable[[str], None]
) -> None:
    num_tied, num_compared = 0, 0
    for seed, shape in enumerate(SHAPES * 3):
        inputs = random_inputs(shape, scales, seed)
        if is_selection_tied(inputs, select_topk):
            num_tied += 1
            continue
        expected = merge_with_mergekit("sce", inputs, select_topk=select_topk)
        found, _ = merge_sce(*inputs, select_topk, "mergekit")
        assert_equal_to_rounding(found, expected, inputs)
        num_compared += 1
    show(f"scales {scales}, top-k {select_topk}: {num_compared} equal, {num_tied} tied")
    assert num_compared > num_tied


@pytest.mark.parametrize("scales", [(0.02, 0.01), (0.02, 0.01, 0.005)])
def test_variances_that_tie_are_counted_and_all_else_is_equal(
    scales: tuple[float, ...], show: Callable[[str], None]
) -> None:
    num_tied, num_compared = 0, 0
    for seed, shape in enumerate(SHAPES * 3):
        inputs = random_inputs(shape, scales, seed, bits=16)
        for select_topk in (1.0, 0.1):
            if is_selection_tied(inputs, select_topk):
                num_tied += 1
                continue
            expected = merge_with_mergekit("sce", inputs, select_topk=select_topk)
            found, _ = merge_sce(*inputs, select_topk, "mergekit")
            assert_equal_to_rounding(found, expected, inputs)
            num_compared += 1
    show(f"bf16 values, scales {scales}: {num_compared} equal, {num_tied} tied")
    assert num_compared >= len(SHAPES) * 3


@pytest.mark.parametrize("scales", [(0.02, 0.01), (0.02, 0.01, 0.005), (1.0, 3e-4)])
def test_authors_variant_equals_mergekit_above_its_bounds(
    scales: tuple[float, ...], show: Callable[[str], None]
) -> None:
    num_bounded, num_positions = 0, 0
    for seed, shape in enumerate(SHAPES):
        inputs = random_inputs(shape, scales, seed)
        found, coefficients = merge_sce(*inputs)
        expected = merge_with_mergekit("sce", inputs, select_topk=1.0)
        deltas = inputs.deltas
        agreeing = torch.sign(deltas) == torch.where(deltas.sum(dim=0) >= 0, 1.0, -1.0)
        weights = torch.tensor(coefficients).reshape(-1, *[1] * len(shape))
        is_bounded = (weights * agreeing).sum(dim=0) < MERGEKIT_BOUND * (1 + 1e-5)
        assert deltas.square().flatten(1).mean(dim=1).sum() > MERGEKIT_BOUND
        found, expected = (each.where(~is_bounded, 0.0) for each in (found, expected))
        assert_equal_to_rounding(found, expected, inputs)
        num_bounded += int(is_bounded.sum())
        num_positions += is_bounded.numel()
    show(f"scales {scales}: {num_bounded} of {num_positions} positions below the bound")
    assert num_bounded < num_positions


def tied_magnitudes(inputs: Inputs, density: float) -> Tensor:
    """Return where a change has the magnitude at which a model's trimming ends, and another has."""
    tied = torch.zeros_like(inputs.pivot, dtype=torch.bool)
    for delta in inputs.deltas.abs():
        num_kept = max(1, int(density * delta.numel()))
        threshold = delta.flatten().sort(descending=True).values[num_kept - 1]
        if density < 1 and int((delta == threshold).sum()) > 1:
            tied |= delta == threshold
    return tied


@pytest.mark.parametrize("density", [1.0, 0.5, 0.1])
@pytest.mark.parametrize("weights", [(1.0, 1.0), (0.75, 0.25)])
def test_ties_equals_mergekit(
    weights: tuple[float, ...], density: float, show: Callable[[str], None]
) -> None:
    num_tied = 0
    for seed, shape in enumerate(SHAPES):
        inputs = random_inputs(shape, (0.02, 0.01), seed)
        per_model = {"weight": weights, "density": (density, density)}
        expected = merge_with_mergekit("ties", inputs, per_model=per_model)
        found = merge_ties(*inputs, weights, density)
        tied = tied_magnitudes(inputs, density)
        num_tied += int(tied.sum())
        assert_equal_to_rounding(*(each.where(~tied, 0.0) for each in (found, expected)), inputs)
    show(f"TIES, weights {weights}, density {density}: {num_tied} positions tied")
    assert num_tied < 100


def test_task_arithmetic_and_dare_without_dropping_equal_mergekit() -> None:
    for seed, shape in enumerate(SHAPES):
        inputs = random_inputs(shape, (0.02, 0.01), seed)
        per_model = {"weight": (0.75, -0.25)}
        expected = merge_with_mergekit("task_arithmetic", inputs, per_model=per_model)
        found = merge_task_arithmetic(*inputs, (0.75, -0.25))
        assert_equal_to_rounding(found, expected, inputs)
        expected = merge_with_mergekit("dare_linear", inputs, per_model=per_model)
        found = merge_dare(*inputs, (0.75, -0.25), 1.0, seed=0, unit_name="w")
        assert_equal_to_rounding(found, expected, inputs)


def test_linear_equals_mergekit() -> None:
    for seed, shape in enumerate(SHAPES):
        inputs = random_inputs(shape, (0.02, 0.01), seed)
        group = TensorGroup.from_tensors(inputs.targets)
        values = PerInputValues([(0, 3.0), (1, 1.0)])
        expected = get("linear")([group], parameters={"weight": values}, dtype=torch.float32)[0]
        assert_equal_to_rounding(merge_linear(*inputs, (3.0, 1.0)), expected, inputs)


def write_three(folder: Path, architecture: str) -> None:
    """Write a pivot and two models that moved away from it."""
    write_architecture(folder / "pivot", architecture)
    for seed, name in enumerate(("first", "second")):
        generator = torch.Generator().manual_seed(seed)
        moved = write_architecture(folder / name, architecture)
        with torch.no_grad():
            for parameter in moved.parameters():
                parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator))
        moved.save_pretrained(folder / name)


def read_weights(folder: Path) -> dict[str, Tensor]:
    files = sorted(folder.glob("*.safetensors"))
    return {name: tensor for file in files for name, tensor in load_file(file).items()}


METHODS = {
    "sce": ({"select_topk": 1.0}, {}),
    "sce at 0.1": ({"select_topk": 0.1}, {}),
    "ties": ({"density": 0.5}, {"weight": 0.5}),
    "linear": ({}, {"weight": 0.5}),
}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("architecture", ["llama", "qwen2", "qwen3", "qwen3_moe"])
def test_the_same_file_gives_the_same_model(
    tmp_path: Path, architecture: str, name: str, show: Callable[[str], None]
) -> None:
    from mergekit.config import MergeConfiguration
    from mergekit.merge import run_merge
    from mergekit.options import MergeOptions

    write_three(tmp_path, architecture)
    shared, own = METHODS[name]
    content = {
        "merge_method": name.split()[0],
        "models": [
            {"model": str(tmp_path / model), "parameters": own} for model in ("first", "second")
        ],
        "parameters": shared,
        "dtype": "float32",
    }
    if content["merge_method"] != "linear":
        content["base_model"] = str(tmp_path / "pivot")
    file = tmp_path / "merge.yml"
    file.write_text(yaml.safe_dump(content))
    configuration = MergeConfiguration.model_validate(yaml.safe_load(file.read_text()))
    run_merge(configuration, str(tmp_path / "theirs"), MergeOptions(quiet=True))
    plan = read_mergekit_yaml(file)
    merge_models(plan.config, pivot=plan.pivot, models=plan.models, output=tmp_path / "ours")

    ours, theirs = read_weights(tmp_path / "ours"), read_weights(tmp_path / "theirs")
    weights = [read_weights(tmp_path / model) for model in ("pivot", "first", "second")]
    assert set(ours) == set(weights[0])
    # mergekit fuses the experts of a layer, merges them as one tensor and writes them fused.
    assert all(".experts." in tensor for tensor in set(ours) ^ set(theirs))
    num_tied = 0
    common = set(ours) & set(theirs)
    for tensor in common:
        inputs = Inputs(weights[0][tensor], [each[tensor] for each in weights[1:]])
        if is_selection_tied(inputs, shared.get("select_topk", 1.0)):
            num_tied += 1
            continue
        assert_equal_to_rounding(ours[tensor], theirs[tensor], inputs)
    show(f"{architecture}, {name}: {len(common) - num_tied} equal, {num_tied} tied")
    assert num_tied < len(common) / 4


@pytest.mark.parametrize("select_topk", [1.0, 0.1])
def test_every_expert_equals_mergekit_on_its_matrices(tmp_path: Path, select_topk: float) -> None:
    write_three(tmp_path, "qwen3_moe")
    models = [tmp_path / "first", tmp_path / "second"]
    config = MergeConfig(select_topk=select_topk, variant="mergekit")
    merge_models(config, pivot=tmp_path / "pivot", models=models, output=tmp_path / "ours")
    ours = read_weights(tmp_path / "ours")
    weights = [read_weights(tmp_path / model) for model in ("pivot", "first", "second")]
    experts = [name for name in ours if ".experts." in name]
    assert len(experts) == 2 * 4 * 3  # layers, experts, matrices
    for name in experts:
        inputs = Inputs(weights[0][name], [each[name] for each in weights[1:]])
        if not is_selection_tied(inputs, select_topk):
            expected = merge_with_mergekit("sce", inputs, select_topk=select_topk)
            assert_equal_to_rounding(ours[name], expected, inputs)
