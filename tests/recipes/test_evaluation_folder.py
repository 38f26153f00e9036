"""The folder of an evaluation: what --fresh deletes, and what a second run may not change."""

import json
from pathlib import Path

import pytest

from longloom.errors import ConfigError, DataError
from longloom.evaluation.answers import ANSWERS_FILE
from longloom.recipes import api
from longloom.recipes.evaluating.request import resolve_request
from longloom.recipes.evaluating.run_folder import check_clearable, clear
from longloom.recipes.verbs.read_model import ReadModel
from longloom.runlog import RunFolder
from scripted_endpoint import Fault, ScriptedEndpoint, prompt_of

SERVER = ReadModel(endpoint="http://127.0.0.1:1/v1", model_name="m", window_tokens=20_000)


def write_problems(folder: Path, *problems: str) -> Path:
    folder.mkdir(exist_ok=True)
    rows = [{"id": n, "problem": text, "answer": str(n)} for n, text in enumerate(problems)]
    (folder / "test.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return folder


def evaluate(endpoint: ScriptedEndpoint, files: Path, output: Path, **settings: object) -> None:
    window = settings.pop("window_tokens", 20_000)
    model = ReadModel(endpoint=endpoint.url, model_name="m", window_tokens=window)
    api.evaluate("aime25", model=model, files=files, output=output, num_samples=1, **settings)


@pytest.mark.enable_socket
def test_fresh_deletes_what_was_written_and_nothing_else(tmp_path: Path) -> None:
    files = write_problems(tmp_path / "run", "What is 0?", "What is 1?")
    (files / "notes").mkdir()
    (files / "notes/mine.txt").write_text("mine")
    with ScriptedEndpoint(lambda body: r"\boxed{1}") as endpoint:
        evaluate(endpoint, files, files)
        assert len(endpoint.bodies) == 2
        evaluate(endpoint, files, files, fresh=True)
        assert len(endpoint.bodies) == 4
    assert (files / "notes/mine.txt").read_text() == "mine"
    clear(RunFolder(files))
    left = {path.name for path in files.iterdir()}
    assert left == {"test.jsonl", "notes", ".lock"}


def test_fresh_takes_an_empty_folder_and_refuses_that_of_something_else(tmp_path: Path) -> None:
    check_clearable(tmp_path)
    check_clearable(tmp_path / "none")
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(ConfigError, match="nothing was deleted"):
        check_clearable(tmp_path)
    with pytest.raises(ConfigError, match="nothing was deleted"):
        check_clearable(tmp_path / "thesis.tex")


@pytest.mark.enable_socket
def test_fresh_leaves_a_running_evaluation_alone(tmp_path: Path) -> None:
    files = write_problems(tmp_path / "files", "What is 0?")
    with ScriptedEndpoint(lambda body: "0") as endpoint:
        evaluate(endpoint, files, tmp_path / "run")
        before = (tmp_path / "run" / ANSWERS_FILE).read_bytes()
        with RunFolder(tmp_path / "run").lock(), pytest.raises(ConfigError, match="in use"):
            evaluate(endpoint, files, tmp_path / "run", fresh=True)
    assert (tmp_path / "run" / ANSWERS_FILE).read_bytes() == before


@pytest.mark.enable_socket
def test_changed_files_and_windows_are_refused_where_answers_are(tmp_path: Path) -> None:
    files, run = write_problems(tmp_path / "files", "What is 0?"), tmp_path / "run"
    with ScriptedEndpoint(lambda body: "0") as endpoint:
        evaluate(endpoint, files, run)
        with pytest.raises(ConfigError, match="window_tokens: 20000 before, 10000 here"):
            evaluate(endpoint, files, run, window_tokens=10_000)
        write_problems(files, "What was 0?")
        with pytest.raises(ConfigError, match=r"aime25/test\.jsonl changed since"):
            evaluate(endpoint, files, run)
        evaluate(endpoint, files, run, fresh=True)
        assert len(endpoint.bodies) == 2
        (run / "run.yaml").unlink()
        with pytest.raises(ConfigError, match=r"without the run\.yaml"):
            evaluate(endpoint, files, run)


@pytest.mark.enable_socket
def test_a_refused_answer_is_told_with_its_reason(tmp_path: Path) -> None:
    files = write_problems(tmp_path / "files", "What is 0?", "What is 1?")
    told: list[str] = []

    def refuses(body: dict, num_earlier: int) -> Fault | None:
        return Fault.REFUSED if "What is 0?" in prompt_of(body) else None

    with ScriptedEndpoint(lambda body: "1", faults=refuses) as endpoint:
        evaluate(endpoint, files, tmp_path / "run", notify=told.append)
    (line,) = [line for line in told if "failed" in line]
    assert line.startswith("AIME25: 1 of 2 answers failed, the first with: ")
    assert "context too long" in line


def test_all_missing_files_are_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(DataError) as told:
        api.plan_evaluation("qwenlong-l15", model=SERVER, files=tmp_path)
    for title in ("DocMath", "LongBench v2", "Frames", "MRCR", "CorpusQA", "LongBench v1"):
        assert title.lower() in str(told.value).lower()
    with pytest.raises(DataError, match=r"AIME24 needs.*GPQA.*LongMemEval.*--download"):
        api.plan_evaluation("qwenlong-l15-general", model=SERVER)


def test_a_file_or_nothing_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    files = write_problems(tmp_path / "files", "What is 0?")
    with pytest.raises(DataError, match=r"test\.jsonl is a file; expected the folder"):
        api.plan_evaluation("aime25", model=SERVER, files=files / "test.jsonl")
    with pytest.raises(DataError, match=r"none does not exist; expected the folder"):
        api.plan_evaluation("aime25", model=SERVER, files=tmp_path / "none")


def test_the_judge_that_is_named_takes_settings(tmp_path: Path) -> None:
    settings = {"model": SERVER, "files": tmp_path, "judge": "http://127.0.0.1:2/v1"}
    changed = ["judge.endpoint.max_retries=2", "judge.max_reply_tokens=99"]
    _, plan, _ = resolve_request("frames", {**settings, "judge_model": "j", "overrides": changed})
    assert plan.judge is not None
    assert (plan.judge.endpoint.model, plan.judge.endpoint.max_retries) == ("j", 2)
    assert plan.judge.max_reply_tokens == 99


@pytest.mark.parametrize("name", ["", "xyzzy"])
def test_nothing_is_guessed_where_no_name_is_near(name: str) -> None:
    with pytest.raises(
        ConfigError, match=f"'{name}' is no suite.*examples; `longloom evaluate --list`"
    ):
        api.plan_evaluation(name, model=SERVER)


@pytest.mark.enable_socket
def test_files_without_a_question_are_refused_before_any_call(tmp_path: Path) -> None:
    table = {"uid": "t", "table": [["1"]]}
    row = {"table": table, "paragraphs": [], "questions": []}
    (tmp_path / "dev.json").write_text(json.dumps([row]))
    with ScriptedEndpoint(lambda body: "0") as endpoint:
        model = ReadModel(endpoint=endpoint.url, model_name="m", window_tokens=9_000)
        with pytest.raises(DataError, match="hold no question of TAT-QA"):
            api.evaluate("tatqa", model=model, files=tmp_path, output=tmp_path / "run")
    assert endpoint.bodies == []


def test_an_id_that_is_half_a_surrogate_pair_is_refused(tmp_path: Path) -> None:
    row = {"id": "\ud800", "problem": "What is 0?", "answer": "0"}
    (tmp_path / "test.jsonl").write_text(json.dumps(row))
    with pytest.raises(DataError, match="half a surrogate pair"):
        api.plan_evaluation("aime25", model=SERVER, files=tmp_path)
