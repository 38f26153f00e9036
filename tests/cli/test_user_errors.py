"""What a user can get wrong is one line and exit code 2, and leaves nothing behind."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scripted_endpoint import Fault, ScriptedEndpoint
from tiny_folder import Toy

Arguments = list[object]


def _train(questions: object, model: object, *overrides: str) -> Arguments:
    fitting = "training.sampling.batch_size=5"  # of the 10 questions; what is tested comes after
    words = [word for override in (fitting, *overrides) for word in ("--set", override)]
    return ["train", questions, "-o", "out", "--model", model, *words]


def _cut(folder: Path, name: str, copy: Path) -> Path:
    shutil.copytree(folder, copy)
    (copy / name).write_bytes((folder / name).read_bytes()[:500])
    return copy


def _changed(model: Path, copy: Path, **settings: object) -> Path:
    shutil.copytree(model, copy)
    known = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(known | settings))
    return copy


def _empty(folder: Path) -> Path:
    folder.mkdir()
    return folder


CASES: dict[str, tuple[Callable[[Toy, Path], Arguments], str]] = {
    "missing documents": (
        lambda parts, here: ["miniature", "gone", "-o", "out", "--model", parts.model],
        "'gone' does not exist",
    ),
    "documents of too long a name": (
        lambda parts, here: ["miniature", "d" * 300, "-o", "out", "--model", parts.model],
        "does not exist; expected a folder or a file",
    ),
    "empty documents": (
        lambda parts, here: [
            "miniature", _empty(here / "none"), "-o", "out", "--model", parts.model
        ],
        "holds no readable document",
    ),
    "lengths below the template": (
        lambda parts, here: [
            "miniature", parts.documents, "-o", "out", "--model", parts.model,
            "--set", "synthesis.length_bands=[5]",
        ],
        "begins with 5 tokens, but template 'plain' alone takes",
    ),
    "documents too short for a question": (
        lambda parts, here: [
            "miniature", parts.documents, "-o", "out", "--model", parts.model,
            "--train", 3, "--held-out", 3, "--document-tokens", 5,
        ],
        "no train and no held_out example with contexts of 5 tokens could be made",
    ),
    "too few documents to hold one out": (
        lambda parts, here: [
            "miniature", parts.documents / "heapq.py", "-o", "out", "--model", parts.model,
            "--train", 5, "--held-out", 5,
        ],
        "give more documents, raise synthesis.max_name_tokens (6 now)",
    ),
    "missing model": (
        lambda parts, here: ["miniature", parts.documents, "-o", "out", "--model", "gone"],
        "model 'gone' is not a model folder",
    ),
    "unknown setting": (
        lambda parts, here: _train(parts.questions, parts.model, "training.grop_size=4"),
        "unknown setting 'training.grop_size'; did you mean 'group_size'?",
    ),
    "group of one": (
        lambda parts, here: _train(parts.questions, parts.model, "training.group_size=1"),
        "group_size is 1; GRPO needs at least 2",
    ),
    "group of one in a recipe": (
        lambda parts, here: [
            "run", "tiny-cpu", "-o", "out", "--set", "stages.0.training.group_size=1"
        ],
        "group_size is 1; GRPO needs at least 2",
    ),
    "prompts beyond the window": (
        lambda parts, here: _train(parts.questions, parts.model, "training.max_prompt_tokens=1020"),
        "the model's window is 1024 tokens",
    ),
    "no example of that length": (
        lambda parts, here: _train(parts.questions, parts.model, "training.max_prompt_tokens=5"),
        "has a prompt of 1 to 5 tokens",
    ),
    "batch larger than the examples": (
        lambda parts, here: _train(parts.questions, parts.model, "training.sampling.batch_size=50"),
        "10 examples for a batch of 50 prompts",
    ),
    "missing examples": (
        lambda parts, here: _train("gone", parts.model),
        "does not exist; expected a folder",
    ),
    "damaged examples": (
        lambda parts, here: _train(
            _cut(parts.questions, "examples.parquet", here / "cut"), parts.model
        ),
        "examples.parquet is not readable Parquet",
    ),
    "damaged weights": (
        lambda parts, here: _train(
            parts.questions, _cut(parts.model, "model.safetensors", here / "cut")
        ),
        "are damaged",
    ),
    "damaged configuration": (
        lambda parts, here: _train(parts.questions, _cut(parts.model, "config.json", here / "cut")),
        "no usable config.json",
    ),
    "configuration of another type": (
        lambda parts, here: _train(
            parts.questions, _changed(parts.model, here / "copy", hidden_size="a")
        ),
        "hidden_size is 'a'; expected a positive whole number",
    ),
    "configuration of another size": (
        lambda parts, here: _train(
            parts.questions, _changed(parts.model, here / "copy", hidden_size=32)
        ),
        "config.json says",
    ),
    "damaged tokenizer": (
        lambda parts, here: [
            "evaluate", parts.questions,
            "--model", _cut(parts.model, "tokenizer.json", here / "cut"),
        ],
        "no usable tokenizer",
    ),
    "stage that trains nothing": (
        lambda parts, here: [*_train(parts.questions, parts.model), "--stage", "merged"],
        "trains no stage 'merged'; expected one of stage-1",
    ),
    "one model to merge": (
        lambda parts, here: ["merge", parts.model, "--pivot", parts.model, "-o", "out"],
        "expected at least 2 beside the pivot",
    ),
    "merge without a pivot": (
        lambda parts, here: ["merge", parts.model, parts.model, "-o", "out"],
        "give the models' common origin with --pivot",
    ),
    "unknown method": (
        lambda parts, here: [
            "merge", parts.model, parts.model, "--pivot", parts.model, "--method", "sse",
            "-o", "out",
        ],
        "method is 'sse'",
    ),
    "unknown agent": (
        lambda parts, here: [
            "evaluate", parts.questions, "--model", parts.model, "--agent", "oracle"
        ],
        "agent 'oracle' is unknown; expected one of single_pass",
    ),
    "prompts of no tokens": (
        lambda parts, here: [
            "evaluate", parts.questions, "--model", parts.model,
            "--set", "asking.max_prompt_tokens=0",
        ],
        "max_prompt_tokens is 0",
    ),
    "sections beyond the window": (
        lambda parts, here: [
            "evaluate", parts.long_questions, "--model", parts.model, "--agent", "memory",
            "--set", "memory.chunk_tokens=5000",
        ],
        "but the window is 1024; lower memory.chunk_tokens",
    ),
    "window below the template": (
        lambda parts, here: [
            "read", parts.documents / "heapq.py", "-q", "Why?", "--model", parts.model,
            "--window", 5,
        ],
        "do not fit the window of 5 tokens",
    ),
    "single pass beyond the window": (
        lambda parts, here: [
            "read", parts.documents, "-q", "Why?", "--model", parts.model, "--mode", "single"
        ],
        "read with mode memory or auto",
    ),
    "missing run": (lambda parts, here: ["report", "gone"], "run folder gone does not exist"),
    "no run": (
        lambda parts, here: ["report", _empty(here / "none")],
        "is no run folder; expected run.yaml in it",
    ),
    "unknown export": (
        lambda parts, here: ["export", parts.questions, "-o", "out", "--for", "csv"],
        "export kind 'csv' is unknown",
    ),
    "model of too long a name": (
        lambda parts, here: _train(parts.questions, "m" * 300),
        "File name too long",
    ),
    "run folder of too long a name": (
        lambda parts, here: [
            "run", "tiny-cpu", "-o", "out" * 100, "--set", f"model={parts.model}"
        ],
        "File name too long",
    ),
    "unknown recipe": (
        lambda parts, here: ["run", "tiny-cp"],
        "'tiny-cp' is neither a recipe nor a file; did you mean 'tiny-cpu'?",
    ),
    "run on missing documents": (
        lambda parts, here: [
            "run", "tiny-cpu", "-o", "out", "--set", f"model={parts.model}",
            "--set", "synthesis.documents=gone",
        ],
        "'gone' does not exist",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_error_is_one_line_and_leaves_nothing(longloom, parts, tmp_path, case) -> None:
    make_arguments, message = CASES[case]
    shown = longloom(*make_arguments(parts, tmp_path))
    assert shown.code == 2
    # On a busy machine a line of progress may come before it.
    (line,) = [one for one in shown.err.splitlines() if not re.search(r"\d after \d+ s$", one)]
    assert line.startswith("error: ")
    assert message in line
    assert not list(tmp_path.glob("*out*"))


def test_bad_rows_are_listed_one_on_a_line(longloom, parts, tmp_path) -> None:
    rows = [{"prompt": "1 + 1?", "answer": "many", "data_source": "numerical"}] * 9
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    shown = longloom(*_train("rows.jsonl", parts.model))
    first, *listed = shown.err.splitlines()
    assert shown.code == 2
    assert first.startswith("error: 9 rows of ")
    assert [line.split(",")[0] for line in listed] == [
        *(f"  row {number}" for number in range(5)),
        "  ... and 4 more rows",
    ]
    assert not (tmp_path / "out").exists()


def test_nothing_is_overwritten(longloom, parts, tmp_path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/notes.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    model = ("--model", parts.model)
    heapq = parts.documents / "heapq.py"
    calls: list[Arguments] = [
        ["miniature", parts.documents, "-o", "out", *model],
        ["train", parts.questions, "-o", "out", *model],
        ["train", parts.questions, "-o", "out", *model, "--fresh"],
        ["merge", parts.model, parts.model, "--pivot", parts.model, "-o", "out"],
        ["run", "tiny-cpu", "-o", "out", "--fresh"],
        ["tiny-base", "-o", "out"],
        ["export", parts.questions, "-o", "file"],
        ["read", heapq, "-q", "Why?", *model, "-o", "file"],
    ]
    for call in calls:
        shown = longloom(*call)
        assert (shown.code, "exists" in shown.err, shown.out) == (2, True, ""), call
    assert (tmp_path / "out/notes.txt").read_text() == "mine"
    assert (tmp_path / "file").read_text() == "mine"


def test_an_evaluation_goes_on_with_the_same_settings_alone(longloom, parts) -> None:
    call = ("evaluate", parts.questions, "--model", parts.model, "-o", "scores")
    assert longloom(*call, "--questions", 1).code == 0
    more = longloom(*call, "--questions", 2)
    assert (more.code, "questions: 2/2" in more.out) == (0, True)
    again = longloom(*call, "--questions", 2, "--seed", 5)
    assert again.code == 2
    assert "other settings (asking.seed: 0 before, 5 here)" in again.err
    assert longloom(*call, "--questions", 2, "--seed", 5, "--fresh").code == 0


def test_training_with_other_settings_is_refused(longloom, parts) -> None:
    tiny = ("training.num_steps=1", "training.group_size=2", "training.sampling.batch_size=5")
    assert longloom(*_train(parts.questions, parts.model, *tiny)).code == 0
    shown = longloom(*_train(parts.questions, parts.model, *tiny, "training.learning_rate=1"))
    assert shown.code == 2
    assert "holds a training with other settings" in shown.err


def test_command_in_a_process_of_its_own_exits_with_two(tmp_path) -> None:
    call = [sys.executable, "-m", "longloom.cli.main", "report", "gone"]
    ended = subprocess.run(call, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.count("\n") == 1


@pytest.mark.enable_socket
def test_an_evaluation_without_any_reply_fails_but_keeps_its_report(
    longloom, parts, tmp_path
) -> None:
    def refuses(body: dict, num_earlier: int) -> Fault:
        return Fault.CONTEXT_LENGTH

    with ScriptedEndpoint(lambda body: "", faults=refuses) as endpoint:
        shown = longloom(
            "evaluate", parts.questions, "--endpoint", endpoint.url, "--model-name", "m",
            "--window", 1000, "-o", "scores", "--questions", 2, "--recipe", "tiny-cpu",
        )  # fmt: skip
    assert shown.code == 2
    assert "no question got a reply" in shown.err
    assert (tmp_path / "scores/report.html").is_file()


def test_a_misspelt_setting_of_asking_is_named_as_it_was_given(longloom, parts) -> None:
    shown = longloom("evaluate", parts.questions, "--set", "asking.max_new_token=3", "--dry-run")
    assert shown.code == 2
    assert "'asking.max_new_token'; did you mean 'max_new_tokens'" in shown.err
