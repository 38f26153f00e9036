"""`longloom serve` as a command: what it prints, how it stops, what it refuses."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from longloom.recipes.verbs import serve as serve_verb
from scripted_endpoint import ScriptedEndpoint, prompt_of


@contextmanager
def command(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """Run the command until it says that it serves; gives what it printed."""
    running = subprocess.Popen(
        [sys.executable, "-m", "longloom.cli.main", "serve", "--port", "0", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert running.stdout is not None
        printed = []
        for line in running.stdout:
            printed.append(line.rstrip("\n"))
            if line.startswith("stop with"):
                break
        assert printed, running.stderr.read() if running.stderr else ""
        yield running, printed
    finally:
        running.kill()
        running.communicate()


def _url_in(printed: list[str]) -> str:
    [url] = re.findall(r"^serving \S+ at (http://127\.0\.0\.1:\d+/v1)$", "\n".join(printed), re.M)
    return url


@pytest.mark.enable_socket
@pytest.mark.allow_hosts(["127.0.0.1"])
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_alone_serves_the_tiny_model_and_stops_by_a_signal(tmp_path, number) -> None:
    with command(tmp_path) as (running, printed):
        url = _url_in(printed)
        assert f"serving tiny-base at {url}" in printed
        assert any(line.startswith(f"curl {url}/chat/completions") for line in printed)
        assert any(f'openai.OpenAI(base_url="{url}"' in line for line in printed)
        with openai.OpenAI(base_url=url, api_key="none") as client:
            asked = [{"role": "user", "content": "Hello"}]
            reply = client.chat.completions.create(model="tiny-base", messages=asked, max_tokens=8)
            assert reply.usage.completion_tokens <= 8
            text = "f of heapq is 12. g of bisect is 13.\n" * 700
            content = f"<text>\n{text}</text>\n\nWhat is f of heapq?"
            read = client.chat.completions.create(
                model="tiny-base", messages=[{"role": "user", "content": content}], max_tokens=32
            )
            assert read.usage.model_extra["longloom"]["steps"] > 1
        running.send_signal(number)
        assert running.wait(20) == 0
        assert running.stderr.read() == ""
    assert (tmp_path / "runs/serve/readings.sqlite").is_file()


@pytest.mark.enable_socket
@pytest.mark.allow_hosts(["127.0.0.1"])
@pytest.mark.slow
@pytest.mark.parametrize("stream", [False, True])
def test_a_new_server_goes_on_where_a_killed_one_stopped(tmp_path, stream) -> None:
    servers: list[subprocess.Popen[str]] = []
    sections: list[str] = []

    def kills_at_the_third(body: dict[str, Any]) -> str:
        prompt = prompt_of(body)
        if "<section>" not in prompt:
            return "It is 231 metres high."
        sections.append(prompt)
        if len(sections) == 3:
            servers[0].kill()
        return f"<memory>sections read: {len(set(sections))}</memory><plan>go on</plan>"

    lines = "".join(f"The height of tower {n} is {n * 3} metres.\n" for n in range(900))
    content = f"<text>\n{lines}</text>\n\nHow high is tower 77?"
    asked = {
        "model": "scripted",
        "messages": [{"role": "user", "content": content}],
        "max_tokens": 50,
        "stream": stream,
    }
    with ScriptedEndpoint(kills_at_the_third) as endpoint:
        model = ("--endpoint", endpoint.url, "--model-name", "scripted", "--window", "4000")
        with command(tmp_path, *model) as (running, printed):
            servers.append(running)
            with pytest.raises(httpx.TransportError):
                httpx.post(f"{_url_in(printed)}/chat/completions", json=asked, timeout=60)
            assert running.wait(20) == -signal.SIGKILL
        with command(tmp_path, *model) as (running, printed):
            reply = httpx.post(
                f"{_url_in(printed)}/chat/completions", json=asked | {"stream": False}, timeout=60
            ).json()
    own = reply["usage"]["longloom"]
    assert own["resumed_steps"] == 2
    assert sections[3] == sections[2]  # the step in flight alone is taken again
    assert len(set(sections)) == len(sections) - 1 == own["steps"]
    assert reply["choices"][0]["message"]["content"] == "It is 231 metres high."


def test_without_the_extra_the_pip_line_is_named(longloom, monkeypatch) -> None:
    monkeypatch.setattr(serve_verb, "_PACKAGES", ("fastapi", "no_such_package"))
    shown = longloom("serve")
    assert shown.code == 2
    assert 'pip install "longloom[serve]"' in shown.err
    assert "no_such_package" in shown.err


@pytest.mark.enable_socket
@pytest.mark.allow_hosts(["127.0.0.1"])
@pytest.mark.parametrize(("arguments", "words"), [
    (("--endpoint", "http://127.0.0.1:1/v1"), "--model-name"),
    (("--keys", "missing"), "missing"),
    (("--set", "serving.max_runing=1"), "did you mean 'max_running'"),
    (("--set", "serving.top_p=2"), "top_p"),
    (("--set", "memory.chunk=2"), "memory.chunk"),
    (("--endpoint", "http://127.0.0.1:1/v1", "--model-name", "m", "--set", "memory.chunk=2"),
     "memory.chunk"),
    (("--endpoint", "http://127.0.0.1:1/v1", "--model-name", "m", "--set", "engine.devic=x"),
     "did you mean 'device'"),
    (("--model", "nowhere", "--port", "0"), "nowhere"),
    (("--yarn-factor", "0.5"), "yarn_factor"),
    (("--port", "99999"), "port is 99999; expected 0 (a free one) to 65535"),
    (("--port", "-1"), "port is -1"),
    (("--endpoint", "http://127.0.0.1:b/v1", "--model-name", "m"), "expected an address such as"),
    (("--journal", "/dev/null", "--port", "0"), "the journal /dev/null/readings.sqlite cannot be"),
])  # fmt: skip
def test_what_cannot_be_served_is_refused_in_one_line(longloom, arguments, words) -> None:
    shown = longloom("serve", *arguments)
    assert shown.code == 2
    assert words in shown.err
    assert shown.err.count("\n") == 1


def test_importing_the_command_line_loads_no_web_framework() -> None:
    program = "import sys, longloom.cli.main; print(*sys.modules)"
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert not {"fastapi", "uvicorn", "starlette"} & set(finished.stdout.split())


@pytest.mark.enable_socket
@pytest.mark.allow_hosts(["127.0.0.1"])
def test_a_port_that_is_taken_is_refused(longloom) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        shown = longloom("serve", "--port", taken.getsockname()[1])
    assert shown.code == 2
    assert "cannot be listened at" in shown.err


@pytest.mark.parametrize(("host", "is_local"), [
    ("127.0.0.1", True), ("localhost", True), ("::1", True), ("127.9.9.9", True),
    ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("example.org", False),
])  # fmt: skip
def test_addresses_of_this_machine_are_known(host, is_local) -> None:
    assert serve_verb._is_loopback(host) is is_local
