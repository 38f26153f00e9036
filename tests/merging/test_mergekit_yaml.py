from pathlib import Path

import pytest

from longloom.errors import ConfigError
from longloom.merging import MergeConfig, read_mergekit_yaml

SCE = """
merge_method: sce
base_model: out/base
models:
  - model: out/m1
  - model: out/m2
parameters:
  select_topk: 0.1
dtype: bfloat16
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "merge.yml"
    path.write_text(text)
    return path


def test_sce_file_is_read_with_the_variant_of_mergekit(tmp_path: Path) -> None:
    plan = read_mergekit_yaml(write(tmp_path, SCE))
    assert plan.config == MergeConfig(
        method="sce", select_topk=0.1, variant="mergekit", dtype="bfloat16"
    )
    assert (plan.pivot, plan.models) == (Path("out/base"), (Path("out/m1"), Path("out/m2")))


def test_base_among_the_models_adds_nothing(tmp_path: Path) -> None:
    text = """
merge_method: ties
base_model: base
models:
  - model: base
  - model: a
    parameters: {weight: 0.5, density: 0.25}
  - model: b
    parameters: {density: 0.25}
"""
    plan = read_mergekit_yaml(write(tmp_path, text))
    assert plan.models == (Path("a"), Path("b"))
    assert plan.config == MergeConfig(method="ties", weights=(0.5, 1.0), density=0.25)


def test_linear_merge_needs_no_base(tmp_path: Path) -> None:
    text = """
merge_method: linear
models:
  - model: a
    parameters: {weight: 3}
  - model: b
"""
    plan = read_mergekit_yaml(write(tmp_path, text))
    assert (plan.pivot, plan.models) == (Path("a"), (Path("a"), Path("b")))
    assert plan.config.weights == (3.0, 1.0)


def test_lambda_scales_the_weights_of_task_arithmetic(tmp_path: Path) -> None:
    text = """
merge_method: task_arithmetic
base_model: base
models: [{model: a, parameters: {weight: 2.0}}]
parameters: {lambda: 0.25}
"""
    assert read_mergekit_yaml(write(tmp_path, text)).config.weights == (0.5,)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("- a", "is not a merge"),
        ("merge_method: [", "cannot read"),
        ("merge_method: slerp", "merge_method is 'slerp'; expected one of"),
        ("merge_metod: sce", "merge_metod is not supported; did you mean 'merge_method'"),
        ("merge_method: sce\nslices: []", "slices stack or cut layers"),
        ("merge_method: sce\nmodels: []\nslices: []", "both models and slices"),
        ("merge_method: sce\nchat_template: auto", "the base's chat template is copied"),
        (SCE + "tokenizer_source: union", "only the base's is supported"),
        (SCE + "tokenizer: {source: base, tokens: {}}", "tokenizer.tokens is not supported"),
        ("merge_method: sce\nmodels: [{model: a}]", "merge_method sce needs base_model"),
        ("merge_method: sce\nbase_model: a\nmodels: [{model: a}]", "no model beside the base"),
        ("merge_method: sce\nmodels: a", "expected a list"),
        (SCE.replace("0.1", "[0, 1]"), "values by layer are not supported"),
        (SCE.replace("0.1", "1.5"), "select_topk is 1.5"),
        (SCE.replace("bfloat16", "int8"), "dtype is 'int8'"),
    ],
)
def test_unsupported_file_is_refused_with_the_reason(
    tmp_path: Path, text: str, reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        read_mergekit_yaml(write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_densities_may_differ_but_ties_is_always_normalised(tmp_path: Path) -> None:
    text = """
merge_method: ties
base_model: base
models:
  - {model: a, parameters: {density: 0.5}}
  - {model: b, parameters: {density: 0.25}}
"""
    assert read_mergekit_yaml(write(tmp_path, text)).config.densities == (0.5, 0.25)
    text += "parameters: {normalize: false}"
    with pytest.raises(ConfigError, match="only available with normalize: true"):
        read_mergekit_yaml(write(tmp_path, text))


def test_one_slice_over_all_layers_is_a_merge_of_whole_models(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "config.json").write_text('{"num_hidden_layers": 4}')
    text = f"""
merge_method: linear
slices:
  - sources:
      - {{model: {tmp_path / "m"}, layer_range: [0, 4], parameters: {{weight: 0.5}}}}
      - {{model: {tmp_path / "m"}, layer_range: [0, 4]}}
tokenizer_source: base
"""
    plan = read_mergekit_yaml(write(tmp_path, text))
    assert plan.models == (tmp_path / "m", tmp_path / "m")
    assert plan.config.weights == (0.5, 1.0)
    with pytest.raises(ConfigError, match=r"layer_range is \[0, 3\] .* only \[0, 4\]"):
        read_mergekit_yaml(write(tmp_path, text.replace("[0, 4]", "[0, 3]", 1)))
