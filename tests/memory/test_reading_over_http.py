"""A long text is read over HTTP: through faults, and by a process that is killed and starts again.

The scripted model keeps a digest of everything it was shown, in order: a section that is lost,
repeated or out of order changes the answer.
"""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import reading_child
from longloom.text.estimated_tokens import EstimatedTokens
from scripted_endpoint import (
    PASSING_FAULTS,
    Fault,
    FaultPlan,
    ScriptedEndpoint,
    faults_in_turn,
    never_fails,
    prompt_of,
)

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]

CHILD = Path(reading_child.__file__)
QUESTION = "What does all of it come to?"
SMALL = {"window_tokens": 12_000, "memory": {"chunk_tokens": 3_000, "memory_tokens": 500}}
FULL = {"window_tokens": 128_000, "memory": {"chunk_tokens": 32_000, "memory_tokens": 15_000}}
QUICK_FAULTS = tuple(fault for fault in PASSING_FAULTS if fault is not Fault.SLOW)
_SECTION = re.compile(r"<section>\n(.*)\n\s*</section>", re.DOTALL)
_STATE = re.compile(r"<memory>\s*(\d+) sections, digest (\w+)\s*</memory>")
_TAG = re.compile(r"</(?:memory|plan|previous_memory|problem|section)>")


@dataclass
class DigestModel:
    """Rewrites the memory as a digest of the memory before and the section."""

    kills_at: tuple[int, ...] = ()
    """The child is killed before it is told the outcome of these updates, counted from 1."""
    child: "subprocess.Popen[bytes] | None" = None
    sections: list[str] = field(default_factory=list)
    """The sections of all updates, in order of arrival."""

    def __call__(self, body: dict[str, Any]) -> str:
        prompt = prompt_of(body)
        state = _STATE.search(prompt)
        count, digest = (int(state[1]), state[2]) if state else (0, "none")
        section = _SECTION.search(prompt)
        if section is None:
            return f"Therefore, the answer is ({count} sections, digest {digest})."
        self.sections.append(section[1])
        if len(self.sections) in self.kills_at and self.child is not None:
            os.kill(self.child.pid, signal.SIGKILL)
        digest = hashlib.sha256(f"{digest}\0{section[1]}".encode()).hexdigest()[:16]
        return (
            f"Updated memory:\n<memory>{count + 1} sections, digest {digest}</memory>\n"
            "<plan>go on</plan>"
        )


def library_text(num_tokens: int) -> str:
    """Return sources of the standard library of about so many tokens."""
    tokens = EstimatedTokens()
    pieces: list[str] = []
    num_left = num_tokens
    for path in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py")):
        if "site-packages" in path.parts:
            continue
        text = path.read_text("utf-8", "ignore").replace("\r", "")
        if _TAG.search(text) or not text.strip():
            continue
        pieces.append(f"# {path.name}\n\n{text}")
        num_left -= tokens.count(pieces[-1])
        if num_left <= 0:
            return "\n".join(pieces)
    raise AssertionError(f"the standard library is {num_left} tokens too small")


def settings_of(folder: Path, text: str, endpoint: ScriptedEndpoint, sizes: dict[str, Any]) -> Any:
    folder.mkdir(exist_ok=True)
    (folder / "text.txt").write_text(text, "utf-8")
    return {
        "url": endpoint.url,
        "text": str(folder / "text.txt"),
        "journal": str(folder / "journal.sqlite"),
        "result": str(folder / "result.json"),
        "question": QUESTION,
        "request_timeout_seconds": 60.0,
        **sizes,
    }


def run_child(settings: dict[str, Any], folder: Path, model: DigestModel) -> dict[str, Any] | None:
    """Read in a process of its own; return what came of it, or None if it was killed."""
    (folder / "settings.json").write_text(json.dumps(settings))
    model.child = subprocess.Popen(
        [sys.executable, str(CHILD), str(folder / "settings.json")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with model.child as child:
        child.wait(600)
    if child.returncode == -signal.SIGKILL:
        return None
    assert child.returncode == 0
    result: dict[str, Any] = json.loads(Path(settings["result"]).read_text())
    return result


def check_all_was_shown_once(text: str, sections: list[str]) -> None:
    """Check that the sections are the text, but for line breaks between them."""
    position = 0
    for section in sections:
        found = text.find(section, position)
        assert found >= 0
        assert not text[position:found].strip("\n")
        position = found + len(section)
    assert not text[position:].strip("\n")


@pytest.fixture(scope="module")
def small_text() -> str:
    return library_text(60_000)


@pytest.fixture(scope="module")
def undisturbed(small_text, tmp_path_factory) -> dict[str, Any]:
    """Read the small text with no faults; check that every section was shown exactly once."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with ScriptedEndpoint(DigestModel()) as endpoint:
        result = reading_child.read_text(settings_of(folder, small_text, endpoint, SMALL))
        model = endpoint.answer
    assert isinstance(model, DigestModel)
    check_all_was_shown_once(small_text, model.sections)
    assert result["sections"] == list(range(1, len(model.sections) + 1))
    assert len(model.sections) >= 20
    return result


@pytest.mark.parametrize("fault", [*QUICK_FAULTS, None])
def test_answer_is_the_same_whatever_fails(small_text, undisturbed, tmp_path, fault) -> None:
    faults: FaultPlan = faults_in_turn((fault,) if fault else QUICK_FAULTS)
    model = DigestModel()
    with ScriptedEndpoint(model, faults=faults) as endpoint:
        settings = settings_of(tmp_path / "faults", small_text, endpoint, SMALL)
        result = reading_child.read_text(settings)
        attempts = Counter(json.dumps(body) for body in endpoint.bodies)
    assert result["answer"] == undisturbed["answer"]
    assert result["sections"] == undisturbed["sections"]
    assert set(attempts.values()) == {2}  # each step failed once and was taken once
    assert len(attempts) == len(undisturbed["sections"]) + 1


def test_answer_is_the_same_where_a_server_is_silent(small_text, undisturbed, tmp_path) -> None:
    def third_is_slow(body: dict[str, Any], num_earlier: int) -> Fault | None:
        return Fault.SLOW if len(endpoint.bodies) == 3 else None

    with ScriptedEndpoint(DigestModel(), faults=third_is_slow) as endpoint:
        settings = settings_of(tmp_path / "slow", small_text, endpoint, SMALL)
        result = reading_child.read_text({**settings, "request_timeout_seconds": 0.5})
    assert result["answer"] == undisturbed["answer"]


def test_killed_reading_goes_on_where_it_stopped(small_text, undisturbed, tmp_path) -> None:
    num_sections = len(undisturbed["sections"])
    model = DigestModel(kills_at=(8,))
    with ScriptedEndpoint(model) as endpoint:
        settings = settings_of(tmp_path / "killed", small_text, endpoint, SMALL)
        assert run_child(settings, tmp_path / "killed", model) is None
        result = run_child(settings, tmp_path / "killed", model)
        assert result is not None
        asked_again = reading_child.read_text(settings)
    assert result["answer"] == undisturbed["answer"]
    assert (result["num_resumed"], result["sections"]) == (7, undisturbed["sections"])
    assert not result["has_torch"]
    # Only the step in flight was taken twice; the same question asked again reads nothing.
    assert len(model.sections) == num_sections + 1
    assert model.sections[7] == model.sections[8]
    check_all_was_shown_once(small_text, [*model.sections[:7], *model.sections[8:]])
    assert (asked_again["num_resumed"], asked_again["answer"]) == (num_sections, result["answer"])


def test_text_that_has_grown_is_read_from_where_it_has_grown(
    small_text, undisturbed, tmp_path
) -> None:
    model = DigestModel()
    with ScriptedEndpoint(model) as endpoint:
        reading_child.read_text(settings_of(tmp_path / "grown", small_text, endpoint, SMALL))
        num_before = len(model.sections)
        longer = f"{small_text}\nAnd one line more, which nobody has seen yet.\n"
        result = reading_child.read_text(settings_of(tmp_path / "grown", longer, endpoint, SMALL))
    assert result["num_resumed"] >= len(undisturbed["sections"]) - 1
    assert 1 <= len(model.sections) - num_before <= 2
    assert "which nobody has seen yet" in model.sections[-1]


@pytest.mark.slow
@pytest.mark.parametrize("has_faults", [False, True])
def test_four_million_tokens_through_faults_and_kills(tmp_path, has_faults) -> None:
    text = library_text(4_000_000)
    faults = faults_in_turn(QUICK_FAULTS) if has_faults else never_fails
    model = DigestModel()
    with ScriptedEndpoint(model) as endpoint:
        settings = settings_of(tmp_path / "plain", text, endpoint, FULL)
        undisturbed = run_child(settings, tmp_path / "plain", model)
    assert undisturbed is not None
    check_all_was_shown_once(text, model.sections)
    num_sections = len(model.sections)
    assert num_sections >= 125
    killed = DigestModel(kills_at=(3, 40, 41, 100) if has_faults else ())
    with ScriptedEndpoint(killed, faults=faults) as endpoint:
        settings = settings_of(tmp_path / "killed", text, endpoint, FULL)
        results = [
            run_child(settings, tmp_path / "killed", killed)
            for _ in range(len(killed.kills_at) + 1)
        ]
    assert results[:-1] == [None] * len(killed.kills_at)
    last = results[-1]
    assert last is not None
    assert last["answer"] == undisturbed["answer"]
    assert last["sections"] == list(range(1, num_sections + 1))
    assert undisturbed["num_tokens"] >= 4_000_000
    assert not undisturbed["has_torch"]
