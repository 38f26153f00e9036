"""The verb, end to end: the accuracy that is planted in a scripted model is the one reported."""

import json
from pathlib import Path

import pytest

from longloom.evaluation.benchmarks.catalogue import BENCHMARKS
from longloom.evaluation.results import EvaluationResults
from longloom.recipes import api
from longloom.recipes.verbs.read_model import ReadModel
from official_files import WRITERS
from planted_model import WINDOW_TOKENS, PlantedModel, read
from scripted_endpoint import ScriptedEndpoint

pytestmark = pytest.mark.enable_socket
SHARED = Path(__file__).parents[3] / "shared/data"
REAL = {
    "hotpotqa-distractor": ("bench-hotpot-sample", 100),
    "leval": ("bench-leval", 100),
    "tatqa": ("bench-tatqa", 300),
}


def evaluated(
    name: str, files: Path, output: Path, model: PlantedModel, *settings: str
) -> EvaluationResults:
    with ScriptedEndpoint(model) as endpoint:
        outcome = api.evaluate(
            name,
            model=ReadModel(
                endpoint=endpoint.url, model_name="planted", window_tokens=WINDOW_TOKENS
            ),
            files=files,
            output=output,
            overrides=["asking.max_prompt_tokens=900000", "asking.max_new_tokens=50000", *settings],
        )
    return outcome.results


def check(results: EvaluationResults, model: PlantedModel, folder: Path) -> None:
    """Check every question, and the figure that stands in results.json."""
    (found,) = results.benchmarks
    for question in found.questions:
        assert question.mean("strict") == model.value_by_id[question.question_id], question
    ids = [question.question_id for question in found.questions]
    by_value: dict[str, list[str]] = {}
    for question in found.questions:
        by_value.setdefault(question.facets.get(found.mean_over, ""), []).append(
            question.question_id
        )
    groups = list(by_value.values()) if found.mean_over else [ids]
    planted = sum(model.share(group) for group in groups) / len(groups)
    stated = json.loads((folder / "results.json").read_text("utf-8"))["summary"][found.name]
    assert stated["headline"]["strict"]["value"] == pytest.approx(planted)
    assert stated["failures"] == {}
    assert (folder / "report.html").stat().st_size > 10_000


@pytest.mark.parametrize("name", sorted(set(WRITERS) - {"longbench-v1"}))
def test_official_layouts(tmp_path: Path, name: str) -> None:
    (tmp_path / "files").mkdir()
    WRITERS[name](tmp_path / "files")
    model = PlantedModel(BENCHMARKS[name], read(BENCHMARKS[name], tmp_path / "files"))
    results = evaluated(name, tmp_path / "files", tmp_path / "run", model)
    check(results, model, tmp_path / "run")


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is not there")
@pytest.mark.parametrize("name", sorted(REAL))
def test_real_files(tmp_path: Path, name: str) -> None:
    folder, num_questions = SHARED / REAL[name][0], REAL[name][1]
    model = PlantedModel(BENCHMARKS[name], read(BENCHMARKS[name], folder))
    limit = f"asking.max_questions={num_questions}"
    results = evaluated(name, folder, tmp_path / "run", model, limit)
    assert len(results.benchmarks[0].questions) == num_questions
    check(results, model, tmp_path / "run")


def test_ruler_is_generated_asked_and_scored(tmp_path: Path) -> None:
    (tmp_path / "files/ruler-4k").mkdir(parents=True)
    benchmark = BENCHMARKS["ruler-4k"]
    model = PlantedModel(benchmark, read(benchmark, tmp_path / "files/ruler-4k", 22))
    results = evaluated(
        "ruler-4k", tmp_path / "files", tmp_path / "run", model, "asking.max_questions=22"
    )
    check(results, model, tmp_path / "run")


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is not there")
def test_memory_of_bfcl_is_played_and_asked(tmp_path: Path) -> None:
    benchmark = BENCHMARKS["bfcl-memory"]
    model = PlantedModel(benchmark, read(benchmark, SHARED / "bench-bfcl-memory"))
    results = evaluated("bfcl-memory", SHARED / "bench-bfcl-memory", tmp_path / "run", model)
    check(results, model, tmp_path / "run")
