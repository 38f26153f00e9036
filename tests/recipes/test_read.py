import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from longloom.errors import ConfigError, ModelError
from longloom.recipes import api
from longloom.recipes.verbs.read import ReadModel, default_journal, read_all
from longloom.recipes.verbs.read_model import answer_tokens, reading_memory
from longloom.rollout import Event
from repository import ROOT
from scripted_endpoint import Fault, ScriptedEndpoint, always_fails, prompt_of
from tiny_folder import toy

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]

LINES = [
    f"Entry {number}: the colour of box {number} is shade-{number * 7}." for number in range(400)
]
TEXT = "\n".join(LINES)
QUESTION = "What is the colour of box 123?"


def reader(body: dict[str, Any]) -> str:
    """Keep the lines about the box that is asked for; answer with the last of them."""
    prompt = prompt_of(body)
    asked = re.search(r"colour of box (\d+)\?", prompt)
    assert asked is not None
    box = asked[1]
    kept = dict.fromkeys(line for line in prompt.splitlines() if f"of box {box} is" in line)
    if "<section>" in prompt:
        notes = "\n".join(kept) or "nothing yet"
        return f"<memory>{notes}</memory>\n<plan>look for box {box}</plan>"
    found = next(iter(kept), "is unknown.").rpartition(" ")[2].rstrip(".")
    return f"Therefore, the answer is {found}."


@pytest.fixture
def document(tmp_path) -> Path:
    (tmp_path / "boxes.txt").write_text(TEXT)
    return tmp_path / "boxes.txt"


def ask(endpoint: ScriptedEndpoint, document: Path, **settings: Any) -> api.Reading:
    stated = {"window_tokens": 4_000, "question": QUESTION, **settings}
    return api.read(document, endpoint=endpoint.url, model_name="scripted", **stated)


def test_long_document_is_read_in_sections_and_cited(document) -> None:
    events: list[Event] = []
    with ScriptedEndpoint(reader) as endpoint:
        reading = ask(endpoint, document, on_event=events.append)
    assert (reading.mode, reading.answer) == ("memory", "shade-861")
    assert (reading.model, reading.documents) == ("scripted", ("boxes.txt",))
    assert len(reading.sections) > 2
    assert reading.sections[-1].memory == LINES[123]
    assert reading.sections[-1].plan == "look for box 123"
    assert events[0].kind == "started"
    assert reading.usage.num_calls == len(endpoint.bodies) == len(reading.sections) + 1
    (first, *_), (place, *_) = reading.citations, reading.places
    assert first.is_verified
    assert TEXT[first.start : first.end] == first.quote
    assert "shade-861" in first.quote
    assert place == "boxes.txt, line 124"


def test_document_that_fits_is_read_in_one_pass(document) -> None:
    with ScriptedEndpoint(reader, card={"id": "scripted", "max_model_len": 100_000}) as endpoint:
        reading = ask(endpoint, document, window_tokens=None)
    assert (reading.mode, reading.answer, reading.sections) == ("single", "shade-861", ())
    assert len(endpoint.bodies) == 1
    assert TEXT in prompt_of(endpoint.bodies[0])
    assert reading.num_document_tokens > 400 * 10
    assert reading.places[:1] == ("boxes.txt, line 124",)


def test_single_pass_that_the_server_refuses_is_read_in_sections(document) -> None:
    def is_too_long(body: dict[str, Any], num_earlier: int) -> Fault | None:
        return Fault.CONTEXT_LENGTH if len(prompt_of(body)) > 12_000 else None

    with ScriptedEndpoint(reader, faults=is_too_long, too_long={"message": "prompt too long"}) as (
        endpoint
    ):
        reading = ask(endpoint, document, window_tokens=50_000)
        assert (reading.mode, reading.answer) == ("memory", "shade-861")
        with pytest.raises(ModelError, match="prompt too long"):
            ask(endpoint, document, window_tokens=50_000, mode="single")


def test_several_questions_are_answered_at_once(document, tmp_path) -> None:
    numbers = (5, 399, 123)
    questions = [f"What is the colour of box {number}?" for number in numbers]
    seen: set[int] = set()
    with ScriptedEndpoint(reader) as endpoint:
        readings = read_all(
            document,
            questions,
            model=ReadModel(endpoint=endpoint.url, model_name="scripted", window_tokens=4_000),
            output=tmp_path / "out.json",
            on_event=lambda number, event: seen.add(number),
        )
    assert [reading.answer for reading in readings] == [f"shade-{7 * n}" for n in numbers]
    assert seen == {0, 1, 2}
    saved = json.loads((tmp_path / "out.json").read_text())
    assert (saved["schema"], saved["version"]) == ("longloom.reading", 2)
    assert [one["question"] for one in saved["readings"]] == questions


def test_journal_makes_the_second_reading_free(document, tmp_path) -> None:
    with ScriptedEndpoint(reader) as endpoint:
        first = ask(endpoint, document, journal=tmp_path / "journal.sqlite")
        num_calls = len(endpoint.bodies)
        again = ask(endpoint, document, journal=tmp_path / "journal.sqlite")
    assert len(endpoint.bodies) == num_calls + 1  # the answer alone is asked for again
    assert all(note.is_resumed for note in again.sections)
    assert (again.answer, again.citations) == (first.answer, first.citations)


def test_failure_of_one_question_leaves_the_others(document) -> None:
    def refuses_box_5(body: dict[str, Any], num_earlier: int) -> Fault | None:
        return Fault.REFUSED if "of box 5?" in prompt_of(body) else None

    with ScriptedEndpoint(reader, faults=refuses_box_5) as endpoint:
        failed, answered = read_all(
            document,
            ["What is the colour of box 5?", QUESTION],
            model=ReadModel(endpoint=endpoint.url, model_name="scripted", window_tokens=4_000),
        )
    assert answered.answer == "shade-861"
    assert "refused" in failed.error


def test_failure_of_the_only_question_is_raised(document) -> None:
    with (
        ScriptedEndpoint(reader, faults=always_fails(Fault.UNAUTHORIZED)) as endpoint,
        pytest.raises(ModelError, match="401"),
    ):
        ask(endpoint, document)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model_name": None}, "expected both or neither"),
        ({"mode": "fast"}, "mode 'fast' is unknown"),
        ({"window_tokens": 0}, "window is 0 tokens"),
        ({"yarn_factor": 2.0}, "is an endpoint"),
        ({"question": " "}, "the question is empty"),
        ({"endpoint": "ftp://x"}, "expected an address such as"),
        ({"endpoint": None, "model_name": None, "tokenizer": "t"}, "has its own"),
    ],
)
def test_settings_that_make_no_sense_are_refused(document, settings, message) -> None:
    stated = {
        "question": "Why?",
        "endpoint": "http://127.0.0.1:1/v1",
        "model_name": "m",
        **settings,
    }
    with pytest.raises(ConfigError, match=message):
        api.read(document, **stated)


def test_models_too_small_for_instructions_are_read_with_as_they_were_trained() -> None:
    assert ReadModel().config(None, (), None).memory.wording == "compact"
    assert ReadModel(model=str(toy().model)).config(None, (), None).memory.wording == "compact"
    at_endpoint = ReadModel(endpoint="http://a/v1", model_name="m").config(None, (), None)
    assert at_endpoint.memory.wording == "full"


def test_memory_and_answer_suit_the_window() -> None:
    config = ReadModel(endpoint="http://a/v1", model_name="m").config(None, (), None)
    paper = reading_memory(config, (), 262_144)
    assert (paper.chunk_tokens, paper.memory_tokens, paper.thinking_tokens) == (
        32_000,
        15_000,
        15_000,
    )
    small = reading_memory(config, (), 32_768)
    assert (small.chunk_tokens, small.memory_tokens, small.thinking_tokens) == (
        16_384,
        4_096,
        4_096,
    )
    assert small.citations
    stated = ("memory.memory_tokens=9000", "memory.thinking_tokens=0", "memory.citations=false")
    config = ReadModel(endpoint="http://a/v1", model_name="m").config(None, stated, None)
    own = reading_memory(config, stated, 32_768)
    assert (own.memory_tokens, own.thinking_tokens, own.citations) == (9_000, 0, False)
    assert (answer_tokens(config, 32_768), answer_tokens(config, 10**6)) == (8_192, 50_000)


def test_journal_lies_in_the_cache_folder(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_journal() == tmp_path / "longloom/journal.sqlite"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_journal() == tmp_path / ".cache/longloom/journal.sqlite"


def test_a_server_is_asked_without_loading_torch(document) -> None:
    program = (
        "import sys\n"
        "from longloom.cli.main import app\n"
        "try:\n"
        "    app(sys.argv[1:])\n"
        "finally:\n"
        "    print('loaded:', *{name.partition('.')[0] for name in sys.modules})\n"
    )
    with ScriptedEndpoint(reader) as endpoint:
        words = ["read", str(document), "-q", QUESTION, "--endpoint", endpoint.url]
        words += ["--model-name", "scripted", "--window", "4000", "--no-journal"]
        ended = subprocess.run(
            [sys.executable, "-c", program, *words], capture_output=True, text=True, check=False
        )
    assert "shade-861" in ended.stdout, ended.stderr
    loaded = ended.stdout.rpartition("loaded: ")[2].split()
    assert "longloom" in loaded
    assert not {"torch", "transformers", "safetensors"} & set(loaded)


def test_a_server_is_asked_as_it_wants_to_be(document) -> None:
    stated = ["endpoint.limit_field=max_completion_tokens", "endpoint.sends_sampling=false"]
    with ScriptedEndpoint(reader) as endpoint:
        ask(endpoint, document, overrides=[*stated, "endpoint.extra_body={top_k: 5}"])
        ask(endpoint, document, overrides=["memory.citations=false"])
    asked, usual = endpoint.bodies[0], endpoint.bodies[-1]
    assert {"max_completion_tokens", "top_k"} <= set(asked)
    assert not {"max_tokens", "temperature", "top_p"} & set(asked)
    assert {"max_tokens", "temperature", "top_p"} <= set(usual)
    with pytest.raises(ConfigError, match="no endpoint is given"):
        api.read(document, QUESTION, overrides=stated)
    with pytest.raises(ConfigError, match="limit_field"):
        ask(endpoint, document, overrides=["endpoint.limit_feild=max_tokens"])


def test_the_example_of_the_page_runs(tmp_path, monkeypatch, capsys) -> None:
    page = (ROOT / "docs" / "memory.md").read_text("utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    line = "The lease was signed by Ada Marsh and ends in 2031."
    (tmp_path / "report.txt").write_text(f"Minutes.\n{line}\n")
    monkeypatch.chdir(tmp_path)

    def answer(body: dict[str, Any]) -> str:
        return f"Therefore, the answer is {'2031' if 'When' in prompt_of(body) else 'Ada Marsh'}."

    card = {"id": "qwenlong", "max_model_len": 32_000}
    with ScriptedEndpoint(answer, card=card) as endpoint:
        exec(example.replace("http://127.0.0.1:8001/v1", endpoint.url), {})
    printed = capsys.readouterr().out.splitlines()
    assert printed == [
        "Ada Marsh",
        f"report.txt, line 2 {line}",
        "Who signed the lease? Ada Marsh",
        "When does it end? 2031",
    ]
    assert len(json.loads((tmp_path / "answers.json").read_text())["readings"]) == 2


def test_a_question_of_any_bytes_is_asked(document) -> None:
    question = os.fsdecode(b"Wof\xfcr?")  # as the command line gives it
    with ScriptedEndpoint(lambda body: "Therefore, the answer is 5.") as endpoint:
        reading = ask(endpoint, document, question=question, window_tokens=20_000)
    assert reading.question == "Wof\ufffdr?"
    assert "Wof\ufffdr?" in prompt_of(endpoint.bodies[0])
