"""Any model folder answers questions; YaRN lengthens its window."""

import json
import shutil

import pytest
import torch

from longloom.engines.local_config import LocalEngineConfig
from longloom.errors import ConfigError, EngineError, ModelError
from longloom.models.folder import TOKENIZER_FILES
from longloom.recipes import api
from longloom.recipes.sampler_source import open_sampler, prepare_torch
from longloom.text.tokenizer import FolderTokenizer
from tiny_architectures import write_architecture
from tiny_folder import WINDOW_TOKENS, toy


@pytest.fixture(scope="module")
def parts():
    return toy()


@pytest.fixture(scope="module", params=["llama", "qwen2", "qwen3_moe"])
def other_model(request, parts, tmp_path_factory):
    """A model that goes through transformers, with the tokenizer of the toy."""
    folder = tmp_path_factory.mktemp("other") / request.param
    size = FolderTokenizer(parts.model).vocabulary_size
    write_architecture(folder, request.param, vocab_size=size, pad_token_id=0, eos_token_id=1)
    for name in TOKENIZER_FILES:
        (folder / name).unlink(missing_ok=True)
        if (parts.model / name).exists():
            shutil.copy(parts.model / name, folder)
    return folder


def test_any_folder_is_evaluated_and_read(parts, other_model, tmp_path):
    outcome = api.evaluate(
        parts.questions, model=other_model, max_questions=3, output=tmp_path / "scores"
    )
    questions = outcome.results.benchmarks[0].questions
    assert len(questions) == 3
    assert {one.answers[0].finish_reason for one in questions} <= {"length", "stop"}
    reading = api.read(parts.documents / "sched.py", "Why?", model=other_model)
    assert reading.response_text


def test_yarn_lengthens_the_window_for_evaluation_and_reading(parts, tmp_path):
    documents = [parts.documents / f"{name}.py" for name in ("argparse", "ast", "bdb", "calendar")]
    with pytest.raises(ConfigError, match="expected 1 to 1024"):
        api.read(documents, "Why?", model=parts.model, window_tokens=2 * WINDOW_TOKENS)
    reading = api.read(
        documents, "Why?", model=parts.model, yarn_factor=8.0, window_tokens=2 * WINDOW_TOKENS
    )
    assert reading.num_document_tokens > 0
    long = api.ReadModel(model=str(parts.model), yarn_factor=2.5)
    outcome = api.evaluate(parts.questions, model=long, max_questions=2, output=tmp_path / "s")
    assert outcome.results.model.endswith("-yarn2.5")


@pytest.mark.parametrize("factor", [1.0, 0.5, float("nan"), float("inf")])
def test_factors_that_do_not_lengthen_are_refused(parts, factor):
    with pytest.raises(ConfigError, match=r"yarn_factor is .*; expected more than 1"):
        api.read(parts.documents / "sched.py", "Why?", model=parts.model, yarn_factor=factor)


def test_yarn_is_refused_for_endpoints(parts):
    with pytest.raises(ConfigError, match="is an endpoint; expected a model folder"):
        api.evaluate(
            parts.questions, model=api.ReadModel(model="https://localhost/v1", yarn_factor=4.0)
        )


def test_yarn_is_refused_for_folders_that_have_scaling(parts, tmp_path):
    shutil.copytree(parts.model, tmp_path / "scaled")
    path = tmp_path / "scaled" / "config.json"
    settings = json.loads(path.read_text("utf-8"))
    settings["rope_scaling"] = {"rope_type": "linear", "factor": 2.0}
    path.write_text(json.dumps(settings), "utf-8")
    with pytest.raises(ConfigError, match="'linear' by factor 2 already; leave yarn_factor out"):
        open_sampler(tmp_path / "scaled", yarn_factor=4.0)
    assert open_sampler(tmp_path / "scaled").window_tokens == WINDOW_TOKENS


def test_a_name_of_the_hub_is_no_folder(parts):
    with pytest.raises(ModelError, match="is not a model folder"):
        api.evaluate(parts.questions, model=api.ReadModel(model="Qwen/Qwen3-4B", yarn_factor=4.0))


@pytest.fixture
def settings_of_torch():
    """Puts back what `prepare_torch` sets for the whole process."""
    threads, is_deterministic = (
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
    )
    fills = torch.utils.deterministic.fill_uninitialized_memory
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(is_deterministic)
    torch.utils.deterministic.fill_uninitialized_memory = fills


@pytest.mark.usefixtures("settings_of_torch")
@pytest.mark.parametrize(
    ("has_cuda", "device", "is_deterministic"),
    [
        (False, "auto", True),
        (False, "cpu", True),
        (True, "auto", False),
        (True, "cuda", False),
        (True, "cpu", True),
    ],
)
def test_sums_on_cpu_are_repeatable_whatever_else_the_machine_has(
    monkeypatch, has_cuda, device, is_deterministic
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_cuda)
    torch.utils.deterministic.fill_uninitialized_memory = True
    prepare_torch(1, LocalEngineConfig(device=device))
    assert torch.are_deterministic_algorithms_enabled() == is_deterministic
    assert torch.get_num_threads() == 1
    assert not torch.utils.deterministic.fill_uninitialized_memory


@pytest.mark.usefixtures("settings_of_torch")
def test_a_device_that_is_not_there_is_refused_before_anything_is_loaded(parts, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(EngineError, match="finds no CUDA device"):
        api.read(
            parts.documents / "sched.py", "Why?", model="none", overrides=["engine.device=cuda"]
        )
