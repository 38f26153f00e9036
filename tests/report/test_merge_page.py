import html
import re
from pathlib import Path

import pytest

from indexed_nodes import stage_node
from longloom.merging import MergeReport, UnitReport
from longloom.merging.merge_report import read_merge_report, write_merge_report
from longloom.report import merge_table, write_merge_page, write_report
from longloom.report.merge_contents import kind_of, layer_of, merge_contents, short_names
from longloom.runlog import RunIndex
from longloom.runlog.stage_index import write_index

HOSTILE = "<img src=x onerror=alert(1)>"


def unit(tensor: str, weight: float, norms: tuple[float, float], **changes: object) -> UnitReport:
    fields: dict[str, object] = {
        "tensor": tensor,
        "start_element": 0,
        "num_elements": 10,
        "coefficients": (weight, 1 - weight),
        "kept_fraction": 1.0,
        "sign_conflict_fraction": 0.25,
        "is_equalised": False,
        "pivot_norm": 5.0,
        "change_norms": norms,
        "merged_change_norm": 1.0,
        "retained_fractions": (0.5, 1.0),
    }
    return UnitReport(**{**fields, **changes})


def small_report() -> MergeReport:
    return MergeReport(
        method="sce",
        pivot="base",
        models=("runs/stage-3/final", f"runs/{HOSTILE}/final"),
        warnings=("something differs",),
        units=(
            unit("model.embed_tokens.weight", 0.5, (0.0, 0.0)),
            unit("model.layers.0.self_attn.q_proj.weight", 0.75, (3.0, 1.0)),
            unit("model.layers.0.mlp.experts.3.up_proj.weight", 0.25, (4.0, 1.0), num_elements=30),
            unit("model.layers.1.self_attn.q_proj.weight", 0.5, (1.0, 1.0)),
            unit("model.layers.1.empty", 0.5, (0.0, 0.0), num_elements=0),
        ),
    )


@pytest.mark.parametrize(
    ("tensor", "kind", "layer"),
    [
        ("model.embed_tokens.weight", "embeddings", None),
        ("lm_head.weight", "output", None),
        ("model.norm.weight", "norms", None),
        ("model.layers.12.self_attn.q_proj.weight", "q", 12),
        ("model.layers.0.self_attn.k_proj.bias", "k", 0),
        ("model.layers.0.self_attn.q_norm.weight", "norms", 0),
        ("model.layers.0.input_layernorm.weight", "norms", 0),
        ("model.layers.3.mlp.gate_proj.weight", "gate", 3),
        ("model.layers.3.mlp.gate.weight", "router", 3),
        ("model.layers.3.mlp.experts.7.gate_proj.weight", "experts", 3),
        ("model.layers.3.mlp.experts.gate_up_proj", "experts", 3),
        ("transformer.h.5.mlp.c_proj.weight", "down", 5),
        ("transformer.h.5.attn.c_proj.weight", "o", 5),
        ("something.else", "other", None),
    ],
)
def test_tensors_are_told_apart_by_name(tensor: str, kind: str, layer: int | None) -> None:
    assert (kind_of(tensor), layer_of(tensor)) == (kind, layer)


def test_units_are_added_up_by_layer_and_kind() -> None:
    contents = merge_contents(small_report())
    first = contents.by_layer[0]
    # Weights by elements: (0.75 * 10 + 0.25 * 30) / 40. Norms: (9 + 16, 1 + 1) over (25 + 25).
    assert first.weights == pytest.approx((0.375, 0.625))
    assert first.relative_changes == pytest.approx((5 / 50**0.5, 2**0.5 / 50**0.5))
    assert first.retained_fractions == pytest.approx((0.5, 1.0))
    assert contents.layers == (0, 1)
    assert contents.kinds == ("q", "experts")
    assert set(contents.by_cell) == {(0, "q"), (0, "experts"), (1, "q")}
    assert contents.outside["embeddings"].relative_changes == (0.0, 0.0)
    assert contents.whole.num_elements == 60


def test_short_names_are_as_long_as_they_must_be() -> None:
    assert short_names(("runs/a/final", "runs/b/final")) == ("a", "b")
    assert short_names(("runs/a/final",)) == ("final",)
    assert short_names(("x/one", "y/two")) == ("one", "two")
    assert short_names(("one", "one")) == ("1. one", "2. one")


def test_page_shows_the_merge_and_refers_to_nothing_outside(tmp_path: Path) -> None:
    write_merge_page(tmp_path, small_report())
    page = (tmp_path / "merge_report.html").read_text("utf-8")
    assert HOSTILE not in page
    assert html.escape(HOSTILE) in page
    assert "http" not in page.replace("http-equiv", "")
    titles = re.findall(r"<h3>(.*?)</h3>", page)
    assert titles[:4] == [
        "Weight",
        "How far the models moved",
        "What the merge holds of each model",
        "Sign conflicts",
    ]
    assert len(titles) == 4 + 2 + 2 + 1
    assert "experts, layer 0: 0.250" in page
    assert "something differs" in page


def test_terminal_table_says_what_each_model_contributed() -> None:
    heading, first, second = merge_table(small_report())
    assert heading == ("model", "weight", "moved", "held", "most weight in")
    assert first[0] == "stage-3"
    assert first[4] == "layer 1 (0.500)"
    assert second[4] == "layer 0 (0.625)"


def test_a_merge_without_layers_has_a_page(tmp_path: Path) -> None:
    report = MergeReport(method="sce", pivot="p", models=("a", "b"), warnings=(), units=())
    write_merge_page(tmp_path, report)
    assert "By layer" not in (tmp_path / "merge_report.html").read_text("utf-8")
    assert merge_table(report)[1][4] == "-"


def test_report_of_a_run_draws_its_merge(small_run: Path) -> None:
    assert 'id="merging"' not in write_report(small_run).read_text("utf-8")
    stage = stage_node("merged")
    write_index(small_run, RunIndex(recipe="tiny-cpu", part="", nodes=(stage,)))
    folder = small_run / stage.place / "final"
    folder.mkdir(parents=True)
    write_merge_report(folder, small_report())
    assert read_merge_report(folder) == small_report()
    page = write_report(small_run).read_text("utf-8")
    assert 'id="merging"' in page
    assert "checkpoints/merged-ab12cd34/final/merge_report.html" in page
    assert "What the merge holds of each model" in page
