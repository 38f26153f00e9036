"""Open WebUI before `longloom serve` before a scripted model: what a user sees and what is kept.

Run by `make test-openwebui`; it needs the environment that this makes. Nothing of Open WebUI is
changed: files are uploaded and questions asked as its page does.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from openwebui.held_model import HeldModel, Spoken
from openwebui.web_ui import VENV, WebUI, free_port, stop_server, wait_until_healthy
from repository import ROOT, SOURCE

pytestmark = [
    pytest.mark.openwebui,
    pytest.mark.enable_socket,
    pytest.mark.allow_hosts(["127.0.0.1"]),
]

FACT = "The great wheel of the mill at Orrin carries 32 oak buckets."
ASKED = "How many buckets does the wheel of the mill at Orrin carry?"
ANSWER = f"The wheel carries 32 buckets: {FACT}"
HELD = "The clerk stopped writing here."
"""A section with this sentence is not finished the first time."""
WINDOW_TOKENS = 16_384
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_MEMORY = re.compile(r"<memory>\n(.*?)\n</memory>", re.DOTALL)


def report(num_chars: int, *, ending: str = "") -> str:
    """A long text of different lines, with the fact in the middle."""
    lines = [f"Entry {number}: the ledger of day {number} lists flour and oats.\n"
             for number in range(num_chars // 56)]  # fmt: skip
    lines.insert(len(lines) // 2, FACT + "\n")
    return "".join(lines) + ending


def reads_and_answers(body: dict[str, Any]) -> Spoken:
    """Note the fact where a section holds it; answer from the memory; be idle otherwise."""
    prompt = str(body["messages"][-1]["content"])
    memories = _MEMORY.findall(prompt)
    if "<section>" in prompt:
        section = prompt.partition("<section>")[2].partition("</section>")[0]
        memory = FACT if FACT in section else memories[0]
        return Spoken(
            f"<memory>{memory}</memory><plan>Look for the mill at Orrin.</plan>",
            "Is the mill named here?",
            is_held=HELD in section,
        )
    if memories:
        is_known = FACT in memories[-1]
        return Spoken(ANSWER if is_known else "I do not know.", "The memory says it.")
    return Spoken("A short reply.", "A short thought.")


@contextmanager
def longloom_server(folder: Path, model: HeldModel) -> Iterator[str]:
    """Run `longloom serve` before `model`; yield its address."""
    folder.mkdir()
    port = free_port()
    log = folder / "longloom.log"
    url = f"http://127.0.0.1:{port}"
    sizes = ("memory.chunk_tokens=3000", "memory.memory_tokens=800")
    command = [sys.executable, "-c", "from longloom.cli.main import main; raise SystemExit(main())",
               "serve", "--endpoint", model.url, "--model-name", "scripted", "--port", str(port),
               "--journal", str(folder / "journal"),
               *(word for size in sizes for word in ("--set", size))]  # fmt: skip
    with log.open("wb") as output:
        server = subprocess.Popen(
            command,
            cwd=folder,
            env={
                **os.environ,
                "PYTHONPATH": os.environ.get("PYTHONPATH", str(SOURCE.parent)),
                "HOME": str(folder),
            },
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            wait_until_healthy(f"{url}/health", server, log)
            yield f"{url}/v1"
        finally:
            stop_server(server)


@pytest.fixture(scope="module")
def model() -> Iterator[HeldModel]:
    with HeldModel(reads_and_answers, window_tokens=WINDOW_TOKENS) as model:
        yield model


@pytest.fixture(scope="module")
def ui(model: HeldModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebUI]:
    if not VENV.is_dir():
        pytest.fail(f"{VENV} is missing; run `make test-openwebui`, which makes it")
    folder = tmp_path_factory.mktemp("openwebui")
    with (
        longloom_server(folder / "longloom", model) as url,
        WebUI(folder / "ui", url) as ui,
    ):
        yield ui


def statuses(message: dict[str, Any]) -> list[str]:
    return [status.get("description", "") for status in message.get("statusHistory", [])]


def output_text(message: dict[str, Any], kind: str) -> str:
    """The text of a saved message's thinking (`reasoning`) or answer (`message`)."""
    return "".join(
        part.get("text", "")
        for entry in message.get("output", [])
        if entry["type"] == kind
        for part in entry.get("content") or []
    )


def test_long_file_is_read_answered_and_kept(ui: WebUI) -> None:
    turn = ui.ask(ASKED, ui.upload("ledger.txt", report(200_000)))
    message = turn.finish()
    assert message["content"].strip().endswith(ANSWER)
    assert message["done"] is True
    lines = [line for line in statuses(message) if line]
    assert re.fullmatch(r"Reading \S+ tokens in \d+ sections", lines[0])
    assert "All sections are read; answering" in lines
    thinking = output_text(message, "reasoning")
    num_sections = max(int(number) for number in re.findall(r"Section \d+ of (\d+)", thinking))
    assert num_sections > 5
    for number in range(1, num_sections + 1):
        assert f"Section {number} of " in thinking
    assert "plan: Look for the mill at Orrin." in thinking
    usage = message["usage"]
    assert usage["prompt_tokens"] > 200_000 / 8
    assert usage["longloom"]["steps"] == num_sections
    assert usage["longloom"]["split"]["recogniser"] == "open_webui"
    assert [each["name"] for each in usage["longloom"]["split"]["documents"]] == ["ledger.txt"]
    names = [source["source"].get("name", "") for source in message["sources"]]
    assert "ledger.txt" in names
    assert any(name.startswith("ledger.txt, characters ") for name in names)


def test_progress_reaches_the_page_while_it_reads(ui: WebUI) -> None:
    turn = ui.ask(ASKED, ui.upload("ledger2.txt", report(100_000)))
    kinds = []
    for event in turn.events():
        detail = event.get("data")
        if not isinstance(detail, dict):
            continue
        if event["type"] == "status" and detail.get("description"):
            kinds.append("status")
        elif str(detail.get("type")).startswith("response.reasoning_text"):
            kinds.append("thinking")
        elif str(detail.get("type")).startswith("response.output_text"):
            kinds.append("answer")
    first_answer = kinds.index("answer")
    assert kinds[:first_answer].count("status") > 1
    assert kinds[:first_answer].count("thinking") > 1


def test_large_file_is_not_slowed_by_its_statuses(ui: WebUI) -> None:
    """Open WebUI saves the chat, the file in it included, at every status."""
    begin = time.monotonic()
    message = ui.ask(ASKED, ui.upload("large ledger.txt", report(8_000_000))).finish()
    seconds = time.monotonic() - begin
    assert message["content"].strip().endswith(ANSWER)
    assert message["usage"]["longloom"]["steps"] > 1_000
    assert 1 < len(statuses(message)) < seconds + 4


def test_short_chat_reaches_the_model_as_it_is(ui: WebUI, model: HeldModel) -> None:
    num_before = len(model.bodies)
    message = ui.ask("Good morning.").finish()
    assert message["content"].strip().endswith("A short reply.")
    assert output_text(message, "reasoning") == "A short thought."
    asked = [body["messages"] for body in model.bodies[num_before:]]
    assert [{"role": "user", "content": "Good morning."}] in asked
    assert "longloom" not in message["usage"]


def test_stop_ends_the_model_within_a_second_and_asking_again_goes_on(
    ui: WebUI, model: HeldModel
) -> None:
    attached = ui.upload("ledger3.txt", report(100_000, ending=HELD))
    turn = ui.ask(ASKED, attached)
    stopped_at, is_shown = None, False
    for event in turn.events():
        is_shown = is_shown or (event["type"] == "status" and "Section " in str(event["data"]))
        if stopped_at is None and is_shown and model.is_held.is_set() and turn.task_ids:
            stopped_at = turn.stop()
    assert stopped_at is not None
    assert model.was_left.wait(10)
    assert model.left_at[-1] - stopped_at < 1.0
    message = turn.saved()
    assert any(line.startswith("Section ") for line in statuses(message))
    assert message["content"].strip() == ""
    again = ui.ask(ASKED, attached).finish()
    assert again["content"].strip().endswith(ANSWER)
    counts = again["usage"]["longloom"]
    assert 0 < counts["resumed_steps"] < counts["steps"]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_page_shows_progress_answer_and_sources(ui: WebUI, tmp_path: Path) -> None:
    file = tmp_path / "ledger of Orrin.txt"
    file.write_text(report(60_000))
    picture = Path(os.environ.get("LONGLOOM_PICTURE") or tmp_path / "openwebui.png")
    asked = {
        "url": ui.url,
        "chromium": CHROMIUM,
        "file": str(file),
        "question": ASKED,
        "expected": ANSWER,
        "picture": str(picture),
    }
    finished = subprocess.run(
        [VENV / "bin" / "python", ROOT / "tests" / "openwebui" / "browser_program.py"],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    seen = json.loads(finished.stdout)
    assert ANSWER in seen["text"]
    assert "All sections are read; answering" in seen["text"]
    assert re.search(r"Section 3 of \d+", seen["text"])
    assert re.search(r"\d+ Sources", seen["text"])
    assert seen["complaints"] == []
    assert picture.stat().st_size < 300_000
