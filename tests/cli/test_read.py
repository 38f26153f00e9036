"""`longloom read` over a server: what it shows, and how it fails."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from longloom.cli.read_console import ReadConsole, duration, questions_of, shortened
from longloom.errors import DataError
from longloom.rollout import Event, EventKind
from scripted_endpoint import ScriptedEndpoint, prompt_of

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]

TEXT = "\n".join(f"The height of tower {number} is {number * 3} metres." for number in range(900))


def reader(body: dict[str, Any]) -> str:
    prompt = prompt_of(body)
    found = [line for line in prompt.splitlines() if "tower 77 is" in line]
    if "<section>" in prompt:
        return f"<memory>{''.join(found[:1]) or 'nothing'}</memory>\n<plan>find the tower</plan>"
    return "Therefore, the answer is 231 metres." if found else "I do not know."


@pytest.fixture
def towers(tmp_path) -> Path:
    (tmp_path / "towers.txt").write_text(TEXT)
    return tmp_path / "towers.txt"


def _at(endpoint: ScriptedEndpoint, window: int = 4_000) -> list[object]:
    return ["--endpoint", endpoint.url, "--model-name", "scripted", "--window", window]


def test_progress_answer_and_places_are_shown(longloom, towers, tmp_path) -> None:
    with ScriptedEndpoint(reader) as endpoint:
        shown = longloom(
            "read", towers, "-q", "How high is tower 77?", *_at(endpoint), "-o", "out.json",
            "--no-journal",
        )  # fmt: skip
    assert shown.code == 0, shown.err
    (saved,) = json.loads((tmp_path / "out.json").read_text())["readings"]
    num_sections = len(saved["sections"])
    lines = shown.out.splitlines()
    assert lines[0].startswith("sections to read: ")
    assert lines[num_sections].startswith(f"section {num_sections} of {num_sections}  memory ")
    assert lines[1].endswith("plan: find the tower")
    assert "answer: 231 metres" in shown.out
    assert 'towers.txt, line 78: "The height of tower 77 is 231 metres."' in shown.out
    assert shown.out.endswith("history: out.json\n")
    assert all(len(line) < 100 for line in lines)


def test_same_command_reads_nothing_twice(longloom, towers) -> None:
    with ScriptedEndpoint(reader) as endpoint:
        call = ("read", towers, "-q", "How high is tower 77 metres?", *_at(endpoint))
        first = longloom(*call)
        num_calls = len(endpoint.bodies)
        again = longloom(*call)
    assert (first.code, again.code) == (0, 0)
    assert len(endpoint.bodies) == num_calls + 1
    assert "sections read before: " in again.out


def test_several_questions_and_a_file_of_them(longloom, towers, tmp_path) -> None:
    (tmp_path / "asked.txt").write_text("How high is tower 77?\n\nWho built it?\n")
    with ScriptedEndpoint(reader) as endpoint:
        shown = longloom(
            "read", towers, "-q", "Which tower?", "--questions", "asked.txt", *_at(endpoint),
            "--no-journal",
        )  # fmt: skip
    assert shown.code == 0, shown.err
    for question in ("Which tower?", "How high is tower 77?", "Who built it?"):
        assert f"question: {question}" in shown.out
    assert "question 3  section 1 of " in shown.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone.txt", "-q", "Why?"], "'gone.txt' do not exist"),
        (["", "-q", "Why?"], "a document has an empty name"),
        (["empty.txt", "-q", "Why?"], "the file is empty"),
        (["binary.bin", "-q", "Why?"], "cannot be read: not "),
        (["towers.txt"], "no question given"),
        (["towers.txt", "--questions", "gone.txt"], "questions 'gone.txt' cannot be read"),
        (["towers.txt", "--questions", "binary.bin"], "it is not UTF-8 text"),
        (["towers.txt", "--questions", "empty.txt"], "no question given"),
        (["towers.txt", "-q", "Why?", "-o", "towers.txt"], "exists already"),
        (["towers.txt", "-q", "Why?", "-o", "no/folder.json"], "its folder does not exist"),
        (["towers.txt", "-q", "Why?", "--mode", "single"], "the window is 4000"),
        (["towers.txt", "-q", "Why?", "--tokenizer", "gone"], "no usable tokenizer in gone"),
        (["towers.txt", "-q", "Why?", "--set", "memory.chunk=1"], "unknown setting 'memory.chunk'"),
    ],
)
def test_errors_are_one_line(longloom, towers, tmp_path, arguments, message) -> None:
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "binary.bin").write_bytes(bytes(range(256)) * 4)
    with ScriptedEndpoint(reader) as endpoint:
        shown = longloom("read", *arguments, *_at(endpoint))
    assert shown.code == 2
    assert shown.err.startswith("error: ")
    assert shown.err.count("\n") == 1
    assert message in shown.err


def test_server_that_does_not_say_its_window_is_one_line(longloom, towers) -> None:
    with ScriptedEndpoint(reader) as endpoint:
        shown = longloom(
            "read", towers, "-q", "Why?", "--endpoint", endpoint.url, "--model-name", "scripted"
        )
    assert shown.code == 2
    assert "state the window yourself (--window 32768)" in shown.err


def test_killed_command_goes_on(towers, tmp_path) -> None:
    children: list[subprocess.Popen[str]] = []
    sections: list[str] = []

    def kills_at_the_third(body: dict[str, Any]) -> str:
        if "<section>" in prompt_of(body):
            sections.append(prompt_of(body))
            if len(sections) == 3:
                os.kill(children[0].pid, signal.SIGKILL)
        return reader(body)

    def start(endpoint: ScriptedEndpoint) -> subprocess.Popen[str]:
        words = ["read", str(towers), "-q", "How high is tower 77?", *map(str, _at(endpoint))]
        environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
        children.append(
            subprocess.Popen(
                [sys.executable, "-m", "longloom.cli.main", *words],
                stdout=subprocess.PIPE,
                text=True,
                env={**environment, "PYTHONPATH": os.pathsep.join(sys.path)},
            )
        )
        return children[-1]

    with ScriptedEndpoint(kills_at_the_third) as endpoint:
        with start(endpoint) as killed:
            killed.communicate(timeout=120)
        assert killed.returncode == -signal.SIGKILL
        with start(endpoint) as resumed:
            out, _ = resumed.communicate(timeout=120)
    assert resumed.returncode == 0
    assert "sections read before: 2" in out
    assert "answer: 231 metres" in out
    assert sections[3] == sections[2]  # the step in flight alone is taken again
    assert len(set(sections)) == len(sections) - 1


_SMALL_DISK = """
import resource, signal, sys
from longloom.cli.main import main
import longloom.recipes.verbs.read

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)), resource.RLIM_INFINITY))
sys.exit(main())
"""


def _on_a_small_disk(
    max_bytes: int, here: Path, *arguments: object
) -> subprocess.CompletedProcess[str]:
    """Run `read` where no file may grow beyond some bytes."""
    return subprocess.run(
        [sys.executable, "-c", _SMALL_DISK, str(max_bytes), "read", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=here,
        env={
            **os.environ,
            "XDG_CACHE_HOME": str(here / "cache"),
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
        timeout=120,
        check=False,
    )


def test_full_disk_costs_the_journal_and_not_the_answer(towers, tmp_path) -> None:
    with ScriptedEndpoint(reader) as endpoint:
        question = ("-q", "How high is tower 77?")
        shown = _on_a_small_disk(60_000, tmp_path, towers, *question, *_at(endpoint, 2_000))
    assert shown.returncode == 0, shown.stderr
    assert "answer: 231 metres" in shown.stdout
    assert shown.stderr.startswith("warning: reading goes on without its journal")
    assert shown.stderr.count("\n") == 1


def test_answer_is_shown_although_it_cannot_be_saved(towers, tmp_path) -> None:
    with ScriptedEndpoint(reader) as endpoint:
        question = ("-q", "How high is tower 77?", "--no-journal", "-o", "out.json")
        shown = _on_a_small_disk(500, tmp_path, towers, *question, *_at(endpoint, 2_000))
    assert shown.returncode == 2
    assert "answer: 231 metres" in shown.stdout
    assert shown.stderr.startswith("error: cannot write out.json: ")
    assert shown.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["towers.txt"]


def test_bars_are_drawn_on_a_terminal(monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    events = [
        Event(kind=EventKind.STARTED, num_sections=2),
        Event(kind=EventKind.SECTION_STARTED, section_index=1, num_sections=2),
        Event(
            kind=EventKind.SECTION_READ,
            section_index=1,
            num_sections=2,
            plan="[bold]no markup",
            seconds_left=100.0,
        ),
        Event(kind=EventKind.SECTION_FAILED, section_index=2, num_sections=2),
        Event(kind=EventKind.ANSWER_STARTED, num_sections=2),
        Event(kind=EventKind.ANSWERED, message="done"),
    ]
    with ReadConsole(1) as console:
        for event in events:
            console.on_event(0, event)
        console.on_message("a line")
    assert "a line" in capsys.readouterr().out


def test_times_are_for_people() -> None:
    assert [duration(seconds) for seconds in (0.4, 89, 100, 3_600, 7_500)] == [
        "0 s", "89 s", "2 min", "60 min", "2 h 5 min"
    ]  # fmt: skip
    assert shortened("abcdefgh", 6) == "abc..."


def test_questions_are_those_of_command_line_and_file(tmp_path) -> None:
    (tmp_path / "asked.txt").write_text(" one? \n\ntwo?\n")
    assert questions_of(["zero?"], tmp_path / "asked.txt") == ["zero?", "one?", "two?"]
    with pytest.raises(DataError, match="no question given"):
        questions_of([], None)
