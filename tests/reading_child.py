"""A process that reads a long text over HTTP, to be killed: python reading_child.py SETTINGS.json

What came of it is written as JSON where the settings say. Torch is not loaded.
"""

import asyncio
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from longloom.memory import MemoryAgent, MemoryConfig
from longloom.memory.journal_file import JournalFile
from longloom.models.endpoint.chat import open_endpoint_chat
from longloom.models.endpoint.config import EndpointConfig
from longloom.records import (
    Context,
    Rollout,
    SamplingParams,
)
from longloom.rollout.agent import Attempt, Event, EventKind
from longloom.rollout.asking import asked_example


def attempt_on(text: str, question: str) -> Attempt:
    """Return an attempt to answer a question about a text."""
    return Attempt(
        example=asked_example(question, context_id="long"),
        context=Context(context_id="long", text=text, parts=()),
        rollout_index=0,
        policy_version=0,
        params=SamplingParams(temperature=0.7, top_p=0.95, max_new_tokens=500),
        key="0/long",
    )


def read_text(settings: dict[str, Any]) -> dict[str, Any]:
    """Read a text as `settings` say; waits between attempts are short."""
    events: list[Event] = []
    config = EndpointConfig(
        url=settings["url"],
        model="scripted",
        request_timeout_seconds=settings["request_timeout_seconds"],
        first_backoff_seconds=0.001,
        last_backoff_seconds=0.01,
    )

    async def run(journal: JournalFile) -> Rollout:
        opened = open_endpoint_chat(config, window_tokens=settings["window_tokens"], api_key="k")
        async with opened as chat:
            agent = MemoryAgent(MemoryConfig(**settings["memory"]), journal=journal)
            attempt = attempt_on(Path(settings["text"]).read_text("utf-8"), settings["question"])
            return await agent(attempt, sampler=chat, emit=events.append)

    begin = time.monotonic()
    with JournalFile(Path(settings["journal"])) as journal:
        rollout = asyncio.run(run(journal))
    read = [event for event in events if event.kind is EventKind.SECTION_READ]
    return {
        "answer": rollout.final_text,
        "error": rollout.error,
        "sections": [event.section_index for event in read],
        "num_tokens": sum(event.num_tokens for event in read),
        "num_resumed": sum(event.is_resumed for event in read),
        "num_failed": sum(event.kind is EventKind.SECTION_FAILED for event in events),
        "seconds": time.monotonic() - begin,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "has_torch": "torch" in sys.modules,
    }


if __name__ == "__main__":
    stated = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    Path(stated["result"]).write_text(json.dumps(read_text(stated)), "utf-8")
