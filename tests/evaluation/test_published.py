"""The papers' figures: what is known of their digits holds for the table."""

from collections.abc import Mapping
from statistics import fmean

import pytest

from longloom.evaluation.published import BASE, RECIPE, PublishedFigure, published_figures
from longloom.evaluation.suites import SUITES

_SIX = SUITES["qwenlong-l15"].benchmarks


def row(model: str, benchmarks: tuple[str, ...], source: str) -> Mapping[str, float]:
    return {
        name: figure.percent
        for name in benchmarks
        for figure in published_figures(name)
        if (figure.model, figure.source, figure.part) == (model, source, "")
    }


@pytest.mark.parametrize(
    ("model", "printed"),
    [
        (RECIPE, 71.82),
        (BASE, 61.92),
        ("Gemini-2.5-Pro", 72.40),
        ("DeepSeek-R1-0528", 68.67),
        ("Qwen3-235B-A22B-Thinking-2507", 68.45),
        ("Qwen3-Max-Thinking-Preview", 69.43),
        ("Gemini-2.5-Flash-Thinking", 68.73),
        ("GPT-OSS-120B", 58.55),
        ("QwenLong-L1", 56.11),
    ],
)
def test_rows_of_table_7_have_their_printed_average(model: str, printed: float) -> None:
    figures = row(model, _SIX, "QwenLong-L1.5, Table 7")
    assert len(figures) == 6
    assert fmean(figures.values()) == pytest.approx(printed, abs=0.01)


@pytest.mark.parametrize(("model", "columns"), [("GPT-5", 74.60), ("GPT-5-Nano", 57.08)])
def test_rows_with_a_wrong_average_say_so(model: str, columns: float) -> None:
    figures = [one for name in _SIX for one in published_figures(name) if one.model == model]
    seventh = [one for one in figures if one.source.endswith("Table 7")]
    assert fmean(one.percent for one in seventh) == pytest.approx(columns, abs=0.006)
    assert all(f"its columns give {columns:.2f}" in "".join(one.notes) for one in seventh)


@pytest.mark.parametrize(
    ("model", "printed"),
    [
        ("QwenLong-L1-32B (DAPO)", 70.7),
        ("R1-Distill-Qwen-32B", 65.6),
        ("QwenLong-L1-14B (GRPO)", 68.2),
        ("OpenAI-o1-preview", 72.9),
        ("DeepSeek-R1", 72.1),
        ("Qwen3-32B", 67.8),
    ],
)
def test_rows_of_the_first_paper_have_their_printed_average(model: str, printed: float) -> None:
    figures = row(model, SUITES["qwenlong-l1"].benchmarks, "QwenLong-L1, Table 4")
    assert len(figures) == 7
    assert fmean(figures.values()) == pytest.approx(printed, abs=0.06)


def test_all_benchmarks_of_the_suites_have_the_recipes_model_and_its_base() -> None:
    for suite in SUITES.values():
        for name in suite.benchmarks:
            roles = {figure.role for figure in published_figures(name) if not figure.part}
            assert {"recipe", "base"} <= roles, name


def test_the_row_that_repeats_another_model_is_left_out_and_said() -> None:
    for name in ("2wikimqa", "hotpotqa", "musique", "narrativeqa", "qasper"):
        models = [one.model for one in published_figures(name) if one.source.endswith("Table 12")]
        assert BASE in models
        assert RECIPE not in models
    (found,) = [
        one for one in published_figures("longbench-v1-qa") if one.model == RECIPE and not one.part
    ]
    assert found.percent == 70.40
    assert "issue 140" in found.notes[0]


def test_figures_are_percentages_and_unknown_benchmarks_have_none() -> None:
    assert published_figures("no-such-benchmark") == ()
    parts = [figure for figure in published_figures("ruler-hqa") if figure.model.endswith("7B")]
    assert all(isinstance(figure, PublishedFigure) and figure.part for figure in parts)
    # All published figures of this set are multiples of 1/128 (its notes say so).
    for figure in published_figures("ruler-hqa"):
        assert abs(figure.percent * 1.28 - round(figure.percent * 1.28)) < 0.01


def test_memory_of_bfcl_is_the_mean_of_its_three_stores() -> None:
    figures = {
        one.part: one.percent for one in published_figures("bfcl-memory") if one.role == "recipe"
    }
    assert fmean(figures[part] for part in ("kv", "vector", "rec_sum")) == pytest.approx(
        figures[""], abs=0.011
    )
