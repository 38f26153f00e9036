import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from longloom.errors import ConfigError, ModelError
from longloom.merging import MergeConfig
from longloom.merging.linear import merge_linear
from longloom.merging.merge import merge_models
from longloom.merging.sce import merge_sce
from merging.folders import (
    SETTINGS,
    TOKENIZER,
    Weights,
    random_weights,
    read_all,
    write_model,
)
from tiny_architectures import write_architecture


def write_three(tmp_path: Path, change: Callable[[Weights], Weights] = dict) -> list[Path]:
    return [
        write_model(tmp_path / name, change(random_weights(seed)))
        for seed, name in enumerate(["pivot", "first", "second"])
    ]


def merge(paths: list[Path], output: Path, config: MergeConfig | None = None) -> Weights:
    merge_models(config or MergeConfig(), pivot=paths[0], models=paths[1:], output=output)
    return read_all(output)


@pytest.mark.parametrize("variant", ["authors", "mergekit"])
@pytest.mark.parametrize("select_topk", [0.3, 1.0])
def test_merge_from_disk_equals_merge_in_memory_to_the_bit(
    tmp_path: Path, select_topk: float, variant: str
) -> None:
    paths = write_three(tmp_path)
    config = MergeConfig(select_topk=select_topk, variant=variant)
    merged = merge(paths, tmp_path / "out", config)
    pivot, first, second = (random_weights(seed) for seed in range(3))
    assert set(merged) == set(pivot)
    for name, tensor in merged.items():
        targets = [first[name], second[name]]
        assert torch.equal(tensor, merge_sce(pivot[name], targets, select_topk, variant)[0])


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", None])
def test_output_has_the_wanted_type_and_rounds_once(tmp_path: Path, dtype: str | None) -> None:
    def to_bfloat16(weights: Weights) -> Weights:
        return {name: tensor.bfloat16() for name, tensor in weights.items()}

    paths = write_three(tmp_path, to_bfloat16)
    merged = merge(paths, tmp_path / "out", MergeConfig(dtype=dtype))
    wanted = getattr(torch, dtype or "bfloat16")
    name = "model.norm.weight"
    pivot, *targets = (to_bfloat16(random_weights(seed))[name] for seed in range(3))
    assert {tensor.dtype for tensor in merged.values()} == {wanted}
    assert torch.equal(merged[name], merge_sce(pivot, targets)[0].to(wanted))
    settings = json.loads((tmp_path / "out" / "config.json").read_text())
    assert settings.get("dtype") == dtype


def test_shard_layouts_of_input_and_output_do_not_matter(tmp_path: Path) -> None:
    paths = write_three(tmp_path)
    whole = merge(paths, tmp_path / "whole")
    sharded = merge(paths, tmp_path / "sharded", MergeConfig(max_shard_bytes=20))
    again = merge([tmp_path / "sharded"] * 3, tmp_path / "again")
    index = json.loads((tmp_path / "sharded" / "model.safetensors.index.json").read_text())
    assert len(set(index["weight_map"].values())) > 1
    assert index["metadata"]["total_size"] == 4 * sum(t.numel() for t in whole.values())
    for name, tensor in whole.items():
        assert torch.equal(tensor, sharded[name])
        assert torch.equal(tensor, again[name])


def test_mixed_types_are_written_aligned_and_copied_if_not_floating(tmp_path: Path) -> None:
    def mixed(weights: Weights) -> Weights:
        odd = {"a.odd": torch.ones(3, dtype=torch.bfloat16), "b.step": torch.tensor([7])}
        return {**weights, **odd}

    merged = merge(write_three(tmp_path, mixed), tmp_path / "out")
    assert merged["b.step"].tolist() == [7]
    assert merged["a.odd"].dtype == torch.bfloat16


def test_report_says_what_happened_to_every_tensor(tmp_path: Path) -> None:
    paths = write_three(tmp_path)
    seen: list[tuple[int, int]] = []
    report = merge_models(
        MergeConfig(),
        pivot=paths[0],
        models=paths[1:],
        output=tmp_path / "out",
        progress=lambda written, total: seen.append((written, total)),
    )
    weights = [random_weights(seed)["model.norm.weight"] for seed in range(3)]
    deltas = torch.stack(weights[1:]) - weights[0]
    unit = next(unit for unit in report.units if unit.tensor == "model.norm.weight")
    assert unit.coefficients == pytest.approx(merge_sce(weights[0], weights[1:])[1])
    assert unit.sign_conflict_fraction == float((deltas[0] * deltas[1] < 0).float().mean())
    assert unit.kept_fraction == 1.0
    assert sum(report.coefficients) == pytest.approx(1.0)
    written = json.loads((tmp_path / "out" / "merge_report.json").read_text())
    assert (written["schema"], written["version"]) == ("longloom.merge_report", 2)
    assert len(written["units"]) == len(report.units) == len(weights[0])
    assert seen[-1][0] == seen[-1][1]


def test_fused_experts_merge_like_separate_ones(tmp_path: Path) -> None:
    def fused(weights: Weights) -> Weights:
        generator = torch.Generator().manual_seed(int(1000 * weights["model.scalar"].abs()))
        return {"l.experts.gate_up_proj": torch.randn(3, 6, 4, generator=generator)}

    paths = write_three(tmp_path, fused)
    for path in paths:
        (path / "config.json").write_text(json.dumps({**SETTINGS, "moe_intermediate_size": 3}))
    merged = merge(paths, tmp_path / "out")["l.experts.gate_up_proj"]
    pivot, *targets = (fused(random_weights(seed))["l.experts.gate_up_proj"] for seed in range(3))
    for expert in range(3):
        for half in (slice(0, 3), slice(3, 6)):
            expected, _ = merge_sce(pivot[expert, half], [t[expert, half] for t in targets])
            assert torch.equal(merged[expert, half], expected)


def test_tied_output_layer_is_written_once(tmp_path: Path) -> None:
    weights = random_weights(0)
    stored_twice = {**weights, "lm_head.weight": weights["model.embed_tokens.weight"].clone()}
    pivot = write_model(tmp_path / "pivot", weights, tie_word_embeddings=True)
    model = write_model(tmp_path / "model", stored_twice, tie_word_embeddings=True)
    assert set(merge([pivot, model], tmp_path / "out")) == set(weights)
    untied = {**stored_twice, "lm_head.weight": stored_twice["lm_head.weight"] + 1}
    other = write_model(tmp_path / "other", untied, tie_word_embeddings=True)
    with pytest.raises(ModelError, match=r"ties 'lm_head\.weight' to the embedding, but"):
        merge([pivot, other], tmp_path / "refused")


def test_weights_follow_the_order_of_the_models(tmp_path: Path) -> None:
    paths = write_three(tmp_path)
    config = MergeConfig(method="linear", weights=(3.0, 1.0))
    merged = merge(paths, tmp_path / "out", config)
    name = "model.norm.weight"
    pivot, *targets = (random_weights(seed)[name] for seed in range(3))
    assert torch.equal(merged[name], merge_linear(pivot, targets, (3.0, 1.0)))
    with pytest.raises(ConfigError, match="weights has 2 numbers for 1 models"):
        merge(paths[:2], tmp_path / "refused", config)


@pytest.mark.parametrize("method", ["dare", "task_arithmetic", "ties"])
def test_every_method_gives_the_pivot_back_from_copies_of_it(tmp_path: Path, method: str) -> None:
    pivot = write_model(tmp_path / "pivot", random_weights(0))
    config = MergeConfig(method=method, density=0.5)
    merged = merge([pivot, pivot, pivot], tmp_path / "out", config)
    for name, tensor in random_weights(0).items():
        assert torch.equal(merged[name], tensor)


def damage_missing(folder: Path, weights: Weights) -> None:
    del weights["model.norm.weight"]
    save_file(weights, folder / "model.safetensors")


def damage_extra(folder: Path, weights: Weights) -> None:
    save_file({**weights, "model.extra": torch.ones(1)}, folder / "model.safetensors")


def damage_shape(folder: Path, weights: Weights) -> None:
    save_file({**weights, "model.norm.weight": torch.ones(5)}, folder / "model.safetensors")


def damage_type(folder: Path, weights: Weights) -> None:
    integers = torch.ones(4, dtype=torch.int8)
    save_file({**weights, "model.norm.weight": integers}, folder / "model.safetensors")


def damage_value(folder: Path, weights: Weights) -> None:
    weights["model.norm.weight"][2] = float("nan")
    save_file(weights, folder / "model.safetensors")


def damage_end(folder: Path, weights: Weights) -> None:
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[:-4])


def damage_header(folder: Path, weights: Weights) -> None:
    (folder / "model.safetensors").write_bytes(b"\xff" * 64)


def damage_absent(folder: Path, weights: Weights) -> None:
    (folder / "model.safetensors").unlink()


def damage_config(folder: Path, weights: Weights) -> None:
    (folder / "config.json").write_text(json.dumps({**SETTINGS, "hidden_size": 8}))


def damage_no_config(folder: Path, weights: Weights) -> None:
    (folder / "config.json").unlink()


def damage_tokenizer(folder: Path, weights: Weights) -> None:
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": {"b": 0}}}))


def damage_index(folder: Path, weights: Weights) -> None:
    (folder / "model.safetensors.index.json").write_text("{}")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (damage_missing, r"tensor 'model\.norm\.weight' of .*pivot is missing in .*model"),
        (damage_extra, r"tensor 'model\.extra' of .*model is missing in .*pivot"),
        (damage_shape, r"has shape \[5\] in .*model\.safetensors, but \[4\]"),
        (damage_type, "has type I8"),
        (damage_value, "is not finite after merging"),
        (damage_end, "is not a whole safetensors file"),
        (damage_header, "header does not fit"),
        (damage_absent, r"no model in .*; expected model\.safetensors"),
        (damage_config, "hidden_size 4 against 8"),
        (damage_no_config, r"cannot read .*config\.json"),
        (damage_tokenizer, "another vocabulary than the pivot's"),
        (damage_index, r"index\.json is damaged"),
    ],
)
def test_unusable_model_is_named_and_nothing_is_left(
    tmp_path: Path, damage: Callable[[Path, Weights], None], reason: str
) -> None:
    pivot = write_model(tmp_path / "pivot", random_weights(0))
    model = write_model(tmp_path / "model", random_weights(1))
    damage(model, random_weights(1))
    with pytest.raises(ModelError, match=reason) as caught:
        merge([pivot, model], tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "pivot"]


def test_harmless_differences_are_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    weights = random_weights(0)
    pivot = write_model(tmp_path / "pivot", weights, max_position_embeddings=100)
    model = write_model(tmp_path / "model", weights, max_position_embeddings=400)
    (model / "tokenizer.json").write_text(json.dumps({**TOKENIZER, "truncation": None}))
    report = merge_models(MergeConfig(), pivot=pivot, models=[model], output=tmp_path / "out")
    assert len(report.warnings) == len(caplog.records) == 2
    assert "max_position_embeddings 100 against 400" in report.warnings[0]
    assert "differs from the pivot's outside the vocabulary" in report.warnings[1]


def test_existing_output_is_not_touched(tmp_path: Path) -> None:
    pivot = write_model(tmp_path / "pivot", random_weights(0))
    with pytest.raises(ModelError, match="is or lies in"):
        merge([pivot, pivot], pivot)
    (tmp_path / "out").mkdir()
    with pytest.raises(ModelError, match="exists already"):
        merge([pivot, pivot], tmp_path / "out")


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "qwen3", "qwen3_moe"])
def test_transformers_loads_the_merge(tmp_path: Path, architecture: str) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folders = [tmp_path / name for name in ("pivot", "first", "second")]
    for seed, folder in enumerate(folders):
        model = write_architecture(folder, architecture)
        torch.manual_seed(seed)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
        model.save_pretrained(folder, max_shard_size="20KB" if seed == 1 else "5GB")
    merged = merge(folders, tmp_path / "out", MergeConfig(max_shard_bytes=30_000))
    assert set(merged) == set(read_all(folders[0])) == set(read_all(folders[1]))
    loaded, loading = AutoModelForCausalLM.from_pretrained(
        tmp_path / "out", output_loading_info=True
    )
    assert not any(loading[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert len(AutoTokenizer.from_pretrained(tmp_path / "out")) > 0
    again = tmp_path / "again"
    loaded.save_pretrained(again)
    for name, tensor in read_all(again).items():
        assert torch.equal(tensor, merged[name])
    assert torch.isfinite(loaded(torch.tensor([[1, 2, 3]])).logits).all()


def test_copies_of_a_model_merge_into_what_answers_alike(tmp_path: Path) -> None:
    model = write_architecture(tmp_path / "pivot", "qwen3")
    merge([tmp_path / "pivot"] * 3, tmp_path / "out")
    merged = type(model).from_pretrained(tmp_path / "out")
    ids = torch.tensor([[5, 6, 7, 8]])
    assert torch.equal(merged(ids).logits, model(ids).logits)


def test_fused_and_separate_experts_of_a_model_merge_alike(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("pivot", "first", "second")]
    fused_folders = [tmp_path / f"fused-{folder.name}" for folder in folders]
    for seed, (folder, fused_folder) in enumerate(zip(folders, fused_folders, strict=True)):
        model = write_architecture(folder, "qwen3_moe")
        torch.manual_seed(seed)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
        model.save_pretrained(folder)
        shutil.copytree(folder, fused_folder)
        save_file(fused(read_all(folder)), fused_folder / "model.safetensors")
    config = MergeConfig(select_topk=0.5)
    separate = merge(folders, tmp_path / "separate", config)
    together = merge(fused_folders, tmp_path / "together", config)
    assert set(together) != set(separate)
    for name, tensor in fused(separate).items():
        assert torch.equal(tensor, together[name])


def fused(weights: Weights) -> Weights:
    """Return the weights as transformers holds them: the experts of a layer in two tensors."""
    stacked = {name: tensor for name, tensor in weights.items() if ".experts." not in name}
    for layer in range(2):
        prefix = f"model.layers.{layer}.mlp.experts"
        parts = {
            kind: torch.stack(
                [weights[f"{prefix}.{expert}.{kind}_proj.weight"] for expert in range(4)]
            )
            for kind in ("down", "gate", "up")
        }
        stacked[f"{prefix}.gate_up_proj"] = torch.cat([parts["gate"], parts["up"]], dim=1)
        stacked[f"{prefix}.down_proj"] = parts["down"]
    return stacked
