"""A server under test: a scripted model, the real service, a real socket.

with Served(make_service(script)) as server:
    httpx.post(f"{server.url}/chat/completions", ...)
"""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from longloom.memory import MemoryAgent, MemoryConfig
from longloom.memory.journal import Journal
from longloom.memory.work import in_thread
from longloom.models.live.sampler import StreamedToken
from longloom.records import Completion, FinishReason, SampleRequest
from longloom.serving.backends import Backend
from longloom.serving.config import ServingConfig
from longloom.serving.keys import ApiKeys
from longloom.serving.local_backend import LocalBackend
from longloom.serving.server import bind, make_server
from longloom.serving.service import Service
from longloom.text.tokenizer import FolderTokenizer
from tiny_models import write_tokenizer

MODEL = "scripted"
WINDOW_TOKENS = 8_000
"""One token is one byte."""
MEMORY = MemoryConfig(
    chunk_tokens=2_000, memory_tokens=300, decomposition="off", citations=True, answer_form="free"
)
FACT = "The lighthouse of Ravenport was built in 1874."
FILLER = "The rain went on for the whole day and nobody came to the harbour.\n"
QUESTION = "When was the lighthouse of Ravenport built?"


@cache
def byte_tokenizer() -> FolderTokenizer:
    with TemporaryDirectory() as folder:
        write_tokenizer(Path(folder))
        return FolderTokenizer(Path(folder))


def reads_and_answers(prompt: str) -> str:
    """Keep the fact once it was read; answer with it."""
    has_fact = FACT in prompt
    if "</section>" in prompt:
        note = FACT if has_fact else "nothing yet"
        return f"<memory>{note}</memory><plan>look for the lighthouse</plan>"
    return FACT if has_fact else "I do not know."


@dataclass
class ScriptedTokens:
    """A streaming sampler that says what its script says; see `local_choices.StreamingSampler`."""

    script: Callable[[str], str] = reads_and_answers
    window_tokens: int = WINDOW_TOKENS
    holds: Callable[[str], bool] = lambda prompt: False
    """Prompts whose replies stop before their last token until they are cancelled."""
    requests: list[SampleRequest] = field(default_factory=list)
    num_open: int = 0
    is_held: threading.Event = field(default_factory=threading.Event)
    was_left: threading.Event = field(default_factory=threading.Event)
    left_at: float = 0.0
    may_go_on: asyncio.Event | None = None
    """Lets held replies go on."""

    @property
    def tokenizer(self) -> FolderTokenizer:
        return byte_tokenizer()

    @property
    def prompts(self) -> list[str]:
        return [self.tokenizer.decode(request.prompt_ids) for request in self.requests]

    async def stream(self, request: SampleRequest) -> AsyncIterator[StreamedToken]:
        self.requests.append(request)
        prompt = self.tokenizer.decode(request.prompt_ids)
        reply = [*self.tokenizer.encode(self.script(prompt)), self.tokenizer.end_id]
        limit = request.params.max_new_tokens
        self.num_open += 1
        try:
            for place, token_id in enumerate(reply[:limit], start=1):
                if place == min(len(reply), limit) and self.holds(prompt):
                    await self._hold()
                finish = FinishReason.STOP if place == len(reply) else None
                if finish is None and place == limit:
                    finish = FinishReason.LENGTH
                await asyncio.sleep(0)
                yield StreamedToken(
                    token_id=token_id, logprob=-0.5, finish_reason=finish, num_cached_tokens=0
                )
        finally:
            self.num_open -= 1

    async def sample(self, request: SampleRequest) -> Completion:
        tokens = [token async for token in self.stream(request)]
        assert tokens[-1].finish_reason is not None
        return Completion(
            token_ids=tuple(token.token_id for token in tokens),
            logprobs=tuple(token.logprob for token in tokens),
            entropies=(0.5,) * len(tokens),
            finish_reason=tokens[-1].finish_reason,
        )

    def figures(self) -> dict[str, float]:
        return {"num_running": self.num_open}

    def close(self) -> None:
        pass

    async def _hold(self) -> None:
        self.may_go_on = asyncio.Event()
        self.is_held.set()
        try:
            await self.may_go_on.wait()
        except (asyncio.CancelledError, GeneratorExit):
            self.left_at = time.monotonic()
            self.was_left.set()
            raise


def make_service(
    model: ScriptedTokens | Backend | None = None,
    *,
    keys: tuple[str, ...] = (),
    journal: Journal | None = None,
    memory: MemoryConfig = MEMORY,
    **settings: Any,
) -> Service:
    config = ServingConfig(**settings)
    if model is None or isinstance(model, ScriptedTokens):
        model = LocalBackend(model or ScriptedTokens(), name=MODEL, config=config)

    def make_agent(holder: str) -> MemoryAgent:
        return MemoryAgent(memory, journal=journal, salt=holder, work=in_thread)

    return Service(model, make_agent, config, keys=ApiKeys(keys))


class Served:
    """A server in a thread of its own."""

    def __init__(self, service: Service, *, is_local: bool = True) -> None:
        self.service = service
        self._is_local = is_local
        self._is_ready = threading.Event()

    def __enter__(self) -> Self:
        self._socket = bind("127.0.0.1", 0)
        self.port = self._socket.getsockname()[1]
        self.root = f"http://127.0.0.1:{self.port}"
        self.url = f"{self.root}/v1"
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        assert self._is_ready.wait(10)
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()
        self.stop()  # at once
        self.join()

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.server = make_server(self.service, is_local=self._is_local)
        await self.service.backend.open()
        self.loop.call_later(0.02, self._is_ready.set)
        await self.server.serve([self._socket])
        await self.service.backend.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        self.num_tasks_left = len(others)

    def stop(self) -> None:
        """Do what a signal does."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.server.stop)

    def join(self) -> None:
        self._thread.join(15)
        assert not self._thread.is_alive()

    def on_loop(self, call: Callable[[], Any]) -> Any:
        """Return what `call` returns in the server's thread."""

        async def run() -> Any:
            return call()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(10)


def long_request(**changes: Any) -> dict[str, Any]:
    """A request of about 14,000 tokens with the fact in its middle."""
    document = FILLER * 100 + FACT + "\n" + FILLER * 100
    content = f"<text>\n{document}</text>\n\n{QUESTION}"
    request = {"model": MODEL, "messages": [{"role": "user", "content": content}], "max_tokens": 60}
    return {**request, **changes}


def short_request(text: str = "Hello", **changes: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], **changes}
