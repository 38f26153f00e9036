"""A page made anew finds the questions' texts where they were, or says that they are gone."""

from pathlib import Path

import pytest

from longloom.evaluation.benchmarks.catalogue import BENCHMARKS
from longloom.recipes import api
from longloom.recipes.evaluating.texts import texts_of
from longloom.recipes.verbs.read_model import ReadModel
from official_files import WRITERS
from planted_model import WINDOW_TOKENS, PlantedModel, read
from scripted_endpoint import ScriptedEndpoint


@pytest.mark.enable_socket
def test_texts_are_found_until_their_file_changes(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    path = WRITERS["frames"](tmp_path / "files")
    benchmark = BENCHMARKS["frames"]
    with ScriptedEndpoint(PlantedModel(benchmark, read(benchmark, path.parent))) as endpoint:
        model = ReadModel(endpoint=endpoint.url, model_name="m", window_tokens=WINDOW_TOKENS)
        outcome = api.evaluate(
            "frames", model=model, files=path.parent, output=tmp_path / "run", max_questions=1
        )
    question = outcome.results.benchmarks[0].questions[0]
    asked_of = texts_of(outcome.results)
    assert asked_of is not None
    assert asked_of("frames", question.question_id).query
    wrong = tmp_path / "run/wrong_answers"
    first = sorted(page.read_bytes() for page in wrong.glob("*.html"))
    api.write_report(tmp_path / "run")
    assert sorted(page.read_bytes() for page in wrong.glob("*.html")) == first

    path.write_text(path.read_text("utf-8") + "\n", "utf-8")
    assert texts_of(outcome.results) is None
    path.unlink()
    assert texts_of(outcome.results) is None
    assert api.write_report(tmp_path / "run") == outcome.report
