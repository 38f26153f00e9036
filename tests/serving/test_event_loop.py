"""A long request leaves the event loop to others: no step of it takes the processor for long."""

import asyncio
import time
from asyncio.events import Handle

import httpx
import pytest

from longloom.memory import MemoryConfig
from longloom.serving.server import long_lived_objects_are_left_alone as unhindered
from scripted_server import FACT, QUESTION, ScriptedTokens, Served, make_service, short_request

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]

MEMORY = MemoryConfig(
    chunk_tokens=32_000, memory_tokens=26_000, decomposition="off", citations=True,
    answer_form="free",
)  # fmt: skip
LINE = "The ship number {} of the fleet left harbour {} with {} barrels of salt on board.\n"
TEXT = "".join(LINE.format(number, number * 7, number * 13) for number in range(8_000))
"""About 640 KB, which is as many tokens here."""
MOST_SECONDS = 0.1


@pytest.fixture
def steps(monkeypatch) -> dict[asyncio.AbstractEventLoop, list[float]]:
    """Processor time of every step of every event loop."""
    seconds: dict[asyncio.AbstractEventLoop, list[float]] = {}
    run = Handle._run

    def timed(handle: Handle) -> None:
        begin = time.thread_time()
        run(handle)
        seconds.setdefault(handle._loop, []).append(time.thread_time() - begin)

    monkeypatch.setattr(Handle, "_run", timed)
    return seconds


def busy_reader(prompt: str) -> str:
    """Word all notes anew at every step, so that following them is the most work there can be."""
    if "</section>" not in prompt:
        return FACT
    begin = prompt.index("ship number", prompt.index("<section>"))
    number = int(prompt[begin:].split()[2])
    notes = [LINE.format(number + at, at * 7, number * 13 + at) for at in range(280)]
    fact = FACT if FACT in prompt else "nothing yet"
    return f"<memory>{fact}\n{''.join(notes)}</memory><plan>go on</plan>"


@pytest.mark.slow
def test_no_step_of_a_long_reading_takes_long(steps) -> None:
    document = f"{TEXT}{FACT}\n{TEXT}"
    model = ScriptedTokens(busy_reader, window_tokens=120_000)
    content = f"<text>\n{document}</text>\n\n{QUESTION}"
    with unhindered(), Served(make_service(model, memory=MEMORY)) as server:
        url = f"{server.url}/chat/completions"
        read = httpx.post(url, json=short_request(content, max_tokens=60), timeout=300).json()
        counted = httpx.post(f"{server.root}/tokenize", json={"prompt": document}, timeout=60)
    assert read["choices"][0]["message"]["annotations"][0]["url_citation"]["quote"] == FACT
    assert read["usage"]["longloom"]["steps"] > 30
    assert len(counted.json()["tokens"]) == len(document)
    assert len(steps[server.loop]) > 1_000
    assert max(steps[server.loop]) < MOST_SECONDS


@pytest.mark.slow
def test_a_large_body_is_not_taken_in_at_one_go(steps) -> None:
    with unhindered(), Served(make_service(max_document_tokens=100_000)) as server:
        content = "\u3042" * 5_000_000  # escaped, as many clients do: 30 MB
        response = httpx.post(
            f"{server.url}/chat/completions", json=short_request(content), timeout=60
        )
    assert response.json()["error"]["code"] == "context_length_exceeded"
    assert max(steps[server.loop]) < MOST_SECONDS
