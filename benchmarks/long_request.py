"""A request of 4M tokens to `longloom serve` before a model that answers at once.

    python benchmarks/long_request.py [--documents FOLDER...] [--write]

The body, 16 MB of real text as Open WebUI attaches a file, goes over a socket to a server in a
process of its own, with its default settings, journal included. What the model was shown is
compared with the text: every section once, in order. While it reads, `/health` is asked over and
over; its slowest reply says how long other clients may have to wait. Cases: tokens by estimate, as
where no tokenizer is named; the same request asked again, out of the journal; tokens of the shipped
tokenizer, whose vocabulary is small, so that the same text has three times as many.

Text: `--documents` names folders, the standard library's sources if none are given; see
`memory_reading.py`. Linux only. Targets: 30 s by estimate, 600 MB.
Result: results/long_request.json.
"""

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from machine_facts import machine_facts
from memory_reading import MEMORY_TOKENS, NUM_TOKENS, TINY_BASE, bare, write_text
from serving_runs.scripted_upstream import MODEL, ScriptedUpstream
from serving_runs.servers import Server, running
from text_options import add_text_options, parse_text_options

RESULT = Path(__file__).parent / "results" / "long_request.json"
WINDOW_TOKENS = 131_072
TARGETS = {"seconds": 30.0, "peak_mb": 600}
_QUESTION = "When did the committee approve the budget?"
_NOTE = "The committee of the third county approved the budget of 1843 in May. "
_PROBE_SECONDS = 0.05


@dataclass(frozen=True)
class Case:
    """One server, and what it is asked."""

    name: str
    """What is special about it."""
    tokenizer: bool = False
    """Whether tokens are those of the shipped tokenizer."""
    is_again: bool = False
    """Whether the request was answered before."""


CASES = (Case("by estimate"), Case("asked again", is_again=True), Case("tokenizer", tokenizer=True))


def command(case: Case, upstream: ScriptedUpstream) -> list[str]:
    """Return the command of a server before `upstream`."""
    more = ["--tokenizer", str(TINY_BASE), "--set", "serving.max_document_tokens=20000000"]
    return [
        *[sys.executable, "-m", "longloom.cli.main", "serve", "--endpoint", upstream.url],
        *["--model-name", MODEL, "--port", "{port}", *(more if case.tokenizer else [])],
    ]


def request_body(text: str) -> bytes:
    """Return a request as Open WebUI sends it where a file is attached."""
    source = f'<source id="1" name="everything.txt">\n{text}\n</source>'
    content = f"<context>\n{source}\n</context>\n\n{_QUESTION}"
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": content}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    return json.dumps(body, ensure_ascii=False).encode()


def ask(server: Server, body: bytes) -> dict[str, Any]:
    """Return what came back: seconds, statuses, counts and answer.

    Raises:
        SystemExit: the server refused, or the stream holds an error.
    """
    begin = time.perf_counter()
    first_seconds, num_statuses, answer, usage = 0.0, 0, "", {}
    with httpx.stream(
        "POST",
        f"{server.address}/v1/chat/completions",
        content=body,
        headers={"Content-Type": "application/json"},
        timeout=None,
    ) as response:
        if response.status_code != 200:
            raise SystemExit(f"{response.status_code}: {response.read()[:500]!r}")
        for line in response.iter_lines():
            if not line.startswith("data: {"):
                continue
            chunk = json.loads(line.removeprefix("data: "))
            if "error" in chunk:
                raise SystemExit(f"the stream broke off: {chunk['error']}")
            if "event" in chunk:
                num_statuses += 1
                first_seconds = first_seconds or time.perf_counter() - begin
            answer += "".join(each["delta"].get("content") or "" for each in chunk["choices"])
            usage = chunk.get("usage") or usage
    return {
        "seconds": round(time.perf_counter() - begin, 2),
        "first_status_seconds": round(first_seconds, 2),
        "num_statuses": num_statuses,
        "answer": answer,
        "usage": usage,
    }


@contextmanager
def probed(server: Server) -> Iterator[list[float]]:
    """Ask for `/health` during the block; the list gets the seconds of every reply."""
    seconds: list[float] = []
    is_over = threading.Event()

    def probe() -> None:
        with httpx.Client(base_url=server.address, timeout=60) as client:
            while not is_over.wait(_PROBE_SECONDS):
                begin = time.perf_counter()
                client.get("/health").raise_for_status()
                seconds.append(time.perf_counter() - begin)

    probing = threading.Thread(target=probe)
    probing.start()
    try:
        yield seconds
    finally:
        is_over.set()
        probing.join()


def is_shown_once(text: str, sections: Sequence[str]) -> bool:
    """Return whether the sections are the text in order, but for line breaks between them."""
    whole, position = bare(text), 0
    for section in map(bare, sections):
        found = whole.find(section, position)
        if found < 0 or whole[position:found].strip(b"\n"):
            return False
        position = found + len(section)
    return not whole[position:].strip(b"\n")


def has_torch(server: Server) -> bool:
    """Return whether the server's process has loaded torch's library."""
    return "libtorch" in Path(f"/proc/{server.process_id}/maps").read_text("utf-8")


def measure(case: Case, text: str) -> dict[str, Any]:
    """Return the figures of one case."""
    body = request_body(text)
    with (
        tempfile.TemporaryDirectory(prefix="long-request-") as scratch,
        ScriptedUpstream(WINDOW_TOKENS, _NOTE * (MEMORY_TOKENS // 16)) as upstream,
        running(command(case, upstream), MODEL, Path(scratch)) as server,
    ):
        if case.is_again:
            ask(server, body)
            upstream.sections.clear()
        start_mb, cpu_seconds = server.peak_mb(), server.cpu_seconds()
        with probed(server) as health_seconds:
            came = ask(server, body)
        counts = came["usage"]["longloom"]
        shown = is_shown_once(text, upstream.sections)
        if case.is_again:
            shown = not upstream.sections and counts["resumed_steps"] == counts["steps"]
        return {
            "body_bytes": len(body),
            "num_steps": counts["steps"],
            "num_resumed_steps": counts["resumed_steps"],
            "num_prompt_tokens": came["usage"]["prompt_tokens"],
            "seconds": came["seconds"],
            "first_status_seconds": came["first_status_seconds"],
            "num_statuses": came["num_statuses"],
            "cpu_seconds": round(server.cpu_seconds() - cpu_seconds, 2),
            "slowest_health_seconds": round(max(health_seconds, default=0.0), 3),
            "start_mb": round(start_mb),
            "peak_mb": round(server.peak_mb()),
            "is_shown_once": shown,
            "is_answered": came["answer"].endswith("sections were read."),
            "has_torch": has_torch(server),
        }


def show(case: Case, figures: dict[str, Any]) -> None:
    """Print the figures of one case on a line."""
    print(
        f"{case.name:<12} {figures['num_steps']:>5} steps {figures['seconds']:>7.2f} s "
        f"({figures['cpu_seconds']:.2f} CPU), first status after "
        f"{figures['first_status_seconds']:.2f} s, {figures['num_statuses']} statuses, health "
        f"{figures['slowest_health_seconds']:.3f} s, {figures['peak_mb']} MB, "
        f"{'as it should be' if figures['is_shown_once'] else 'NOT every section once'}",
        flush=True,
    )


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure all cases, or some of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_text_options(parser, num_tokens=NUM_TOKENS)
    given = parse_text_options(parser, arguments)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "text.txt"
        made_of = write_text(given.documents, given.tokens, path)
        text = path.read_text("utf-8")
    print(made_of, flush=True)
    cases = {}
    for case in CASES:
        if case.name.startswith(given.case):
            cases[case.name] = measure(case, text)
            show(case, cases[case.name])
    result = {
        "benchmark": "long_request",
        "command": "python benchmarks/long_request.py --write"
        + (" --documents FOLDER" if given.documents else ""),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine_facts(),
        "text": made_of,
        "window_tokens": WINDOW_TOKENS,
        "targets": TARGETS,
        "cases": cases,
    }
    if given.write:
        RESULT.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    return result


if __name__ == "__main__":
    main()
