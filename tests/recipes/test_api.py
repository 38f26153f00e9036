"""The verbs as Python functions."""

import subprocess
import sys

import pytest

import longloom
from longloom.errors import ConfigError, DataError
from longloom.evaluation.answers import AnswerLog
from longloom.recipes import api
from longloom.synthesis.storage import read_examples
from tiny_folder import TINY_TRAINING, Toy, toy


@pytest.fixture(scope="module")
def parts() -> Toy:
    return toy()


def test_importing_the_package_loads_nothing_heavy() -> None:
    program = "import longloom, sys; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    loaded = {name.split(".")[0] for name in ended.stdout.split()}
    assert not {"torch", "pydantic", "pyarrow", "numpy", "yaml", "typer"} & loaded


def test_verbs_are_found_on_first_use() -> None:
    for name in set(longloom.__all__) - {"__version__"}:
        assert getattr(longloom, name) is getattr(api, name)
    assert set(longloom.__all__) <= set(dir(longloom))
    with pytest.raises(AttributeError, match="no attribute 'dance'"):
        _ = longloom.dance


def test_rooms_stay_importable_as_modules() -> None:
    from longloom import report

    assert report.__name__ == "longloom.report"


def test_training_gives_the_same_weights_again(parts, tmp_path) -> None:
    trained = [
        api.train(
            parts.questions, output=tmp_path / name, model=parts.model, overrides=TINY_TRAINING
        )
        for name in ("one", "two")
    ]
    weights = [(outcome.model / "model.safetensors").read_bytes() for outcome in trained]
    assert weights[0] == weights[1]
    assert trained[0].num_steps == 2
    assert "reward/mean" in trained[0].last_metrics


def test_training_stopped_after_a_step_resumes(parts, tmp_path) -> None:
    class Stopper(api.SilentListener):
        def on_step(self, stage: str, num_steps: int, result: object) -> None:
            if result.step == 2:
                raise KeyboardInterrupt

    settings = {"model": parts.model, "overrides": TINY_TRAINING}
    whole = api.train(parts.questions, output=tmp_path / "whole", **settings)
    with pytest.raises(KeyboardInterrupt):
        api.train(parts.questions, output=tmp_path / "two", listener=Stopper(), **settings)
    resumed = api.train(parts.questions, output=tmp_path / "two", **settings)
    files = [outcome.model / "model.safetensors" for outcome in (whole, resumed)]
    assert files[0].read_bytes() == files[1].read_bytes()
    lines = (tmp_path / "two/metrics.jsonl").read_text().splitlines()
    assert sum('"reward/mean"' in line for line in lines) == 2


def test_long_documents_have_the_asked_length(parts) -> None:
    examples, _ = read_examples(parts.long_questions)
    assert examples
    assert all(475 <= example.num_context_tokens <= 500 for example in examples)


def test_evaluation_is_repeatable_and_seeded(parts, tmp_path) -> None:
    answers = []
    for number, seed in enumerate((0, 0, 1)):
        output = tmp_path / str(number)
        outcome = api.evaluate(parts.questions, model=parts.model, seed=seed, output=output)
        assert len(outcome.results.benchmarks[0].questions) == 10
        with AnswerLog(output) as log:
            name = outcome.results.benchmarks[0].name
            ids = [one.question_id for one in outcome.results.benchmarks[0].questions]
            answers.append([log[name, one, 0].text for one in ids])
    assert answers[0] == answers[1] != answers[2]


def test_training_split_can_be_asked(parts, tmp_path) -> None:
    settings = {"model": parts.model, "split": "train", "max_questions": 3}
    outcome = api.evaluate(parts.questions, output=tmp_path / "scores", **settings)
    (found,) = outcome.results.benchmarks
    examples, _ = read_examples(parts.questions)
    train = {example.example_id for example in examples if example.split == "train"}
    assert len(found.questions) == 3
    assert {one.question_id for one in found.questions} <= train


def test_several_documents_are_read_in_order(parts) -> None:
    names = [parts.documents / "sched.py", parts.documents / "heapq.py"]
    reading = api.read(names, "Why?", model=parts.model)
    assert reading.documents == ("sched", "heapq")
    assert reading.mode == "single"


def test_reading_needs_a_document_and_a_question(parts) -> None:
    with pytest.raises(DataError, match="no documents given"):
        api.read([], "Why?", model=parts.model)
    with pytest.raises(ConfigError, match="the question is empty"):
        api.read(parts.documents, " ", model=parts.model)


def test_merge_settings_are_taken_from_overrides(parts, tmp_path) -> None:
    merged = api.merge(
        parts.model,
        [parts.model, parts.model],
        output=tmp_path / "merged",
        overrides=["merge.method=linear", "merge.weights=[3, 1]"],
    )
    assert merged.method == "linear"
    assert merged.coefficients == pytest.approx((0.75, 0.25))
