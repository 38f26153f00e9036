"""A server as a backend: vLLM, SGLang, llama.cpp, or any other OpenAI-compatible address.

Requests that fit are passed on byte for byte, and the answer comes back the same way, unparsed.
Only the last call of a reading is parsed, because its counts are part of the reading's.
"""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx

from longloom.errors import ModelError
from longloom.models.endpoint.chat import EndpointChat
from longloom.models.endpoint.config import EndpointConfig
from longloom.models.endpoint.context import is_too_long
from longloom.models.endpoint.errors import EndpointContextLengthError
from longloom.models.endpoint.lanes import LaneTransport
from longloom.models.endpoint.stream import EventLines
from longloom.models.endpoint.wire import UnusableBodyError, error_of, retry_after_seconds
from longloom.models.protocols import ChatSampler
from longloom.serving.answer_parts import Part, error_line
from longloom.serving.backends import ChatCall, PromptSize, Relayed, TooLongError
from longloom.serving.config import ServingConfig
from longloom.serving.refusals import Refusal
from longloom.serving.wire import ContentPart

logger = logging.getLogger(__name__)

_HANDED_ON = ("content-type", "content-encoding", "retry-after")
_MESSAGE_TOKENS = 8
"""What a chat template adds to a message, about."""
_CERTAIN_FRACTION = 0.2
"""Estimates this near to the window are checked by the server's own count, where it counts."""
_MOST_ERROR_BYTES = 1 << 20
_PASSING_STATUSES = frozenset({408, 409, 425, 429, 500, 502, 503, 504})


class HttpBackend:
    """Passes requests on to a server; see `backends.Backend`."""

    def __init__(
        self, config: EndpointConfig, chat: EndpointChat, *, api_key: str, serving: ServingConfig
    ) -> None:
        """Take the address, what agents read with there, and the key for it."""
        self._config = config
        self._chat = chat
        self._api_key = api_key
        self._serving = serving
        self._counts_itself = not chat.tokens.is_exact
        """Whether the server may be asked for exact counts."""
        self._http: httpx.AsyncClient | None = None

    @property
    def name(self) -> str:
        """The model's name, as the server knows it."""
        return self._config.model

    @property
    def chat(self) -> ChatSampler:
        """What agents read with."""
        return self._chat

    def chat_for(self, holder: str) -> ChatSampler:
        """Return what agents read with: what is kept at the server is the server's business."""
        return self._chat

    async def open(self) -> None:
        """Prepare connections; they are made when they are used."""
        headers = {"Accept-Encoding": "identity", "Content-Type": "application/json"}
        if self._api_key:
            headers["Authorization"] = f"Bearer {self._api_key}"
        self._http = httpx.AsyncClient(
            headers=headers,
            timeout=httpx.Timeout(
                self._config.request_timeout_seconds,
                connect=self._config.connect_timeout_seconds,
            ),
            transport=LaneTransport(self._serving.max_running),
            trust_env=not self._config.is_local,
            follow_redirects=False,
        )

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    def figures(self) -> Mapping[str, float]:
        """Return nothing: the server has metrics of its own."""
        return {}

    def check(self, call: ChatCall) -> None:
        """Refuse nothing: the server knows best what it can do."""

    async def measure(self, call: ChatCall) -> PromptSize:
        """Return how long a request is, by estimate where the tokenizer is not at hand."""
        window_tokens = self._chat.window_tokens
        default = min(self._serving.answer_tokens, window_tokens // 4)
        num_answer = call.request.answer_limit or default
        texts = _texts(call)
        num_chars = sum(map(len, texts))
        most = round(window_tokens * (1 + _CERTAIN_FRACTION))
        if num_chars > 20_000:
            num_tokens = await asyncio.to_thread(self._count_up_to, most, texts)
        else:
            num_tokens = self._count_up_to(most, texts)
        needed = num_tokens + num_answer
        if self._counts_itself and abs(needed - window_tokens) < _CERTAIN_FRACTION * window_tokens:
            num_tokens = await self._counted_there(call) or num_tokens
            needed = num_tokens + num_answer
        return PromptSize(
            num_tokens=num_tokens, num_answer_tokens=num_answer, fits=needed <= window_tokens
        )

    async def relay(self, call: ChatCall) -> Relayed:
        """Pass a request on; see `backends.Backend`."""
        response = await self._send(call.body)
        try:
            if response.status_code != 200:
                return await self._refused(response)
        except BaseException:
            await response.aclose()
            raise
        return Relayed(
            status=response.status_code, headers=_handed_on(response), body=_relayed(response)
        )

    async def answer(
        self, call: ChatCall, messages: Sequence[Mapping[str, Any]]
    ) -> AsyncGenerator[Part, None]:
        """Ask with other messages and the settings of a request; see `backends.Backend`."""
        fields = {name: value for name, value in call.fields.items() if name != "longloom"}
        fields |= {"messages": list(messages), "stream": True}
        fields |= {"stream_options": {"include_usage": True}}
        fields.setdefault("model", self.name)
        if call.request.answer_limit is not None:  # by the name that the server knows
            for name in ("max_tokens", "max_completion_tokens"):
                fields.pop(name, None)
            fields[self._config.limit_field] = call.request.answer_limit
        async with self._answering(json.dumps(fields).encode()) as response:
            events = EventLines(self._config.max_reply_bytes)
            has_ended = False
            try:
                async for piece in response.aiter_bytes():
                    for chunk in events.add(piece):
                        for part in _parts_of(chunk):
                            has_ended = has_ended or part.finish_reason is not None
                            yield part
            except (httpx.TransportError, UnusableBodyError) as error:
                raise ModelError(f"the backend broke its answer off: {error}") from None
            if not has_ended:
                raise ModelError("the backend broke its answer off before it had ended")

    async def tokenize(
        self, text: str | None, messages: Sequence[Mapping[str, Any]]
    ) -> tuple[int, list[int] | None]:
        """Return how many tokens a text or a chat has, by estimate."""
        texts = [text] if text is not None else [_message_text(message) for message in messages]
        counts = [await asyncio.to_thread(self._chat.tokens.count, each) for each in texts]
        return sum(counts) + _MESSAGE_TOKENS * len(messages), None

    def _count_up_to(self, most: int, texts: Sequence[str]) -> int:
        """Return the tokens of the texts, or a number over `most` as soon as they are more."""
        num_tokens = 0
        for text in texts:
            num_tokens += _MESSAGE_TOKENS
            for starts in self._chat.tokens.starts(text):
                num_tokens += len(starts)
                if num_tokens > most:
                    return num_tokens
        return num_tokens

    async def _counted_there(self, call: ChatCall) -> int | None:
        """Return the tokens of a chat by vLLM's own count; None where the server has none."""
        url = self._config.models_url.removesuffix("/models").removesuffix("/v1") + "/tokenize"
        asked = {"model": self.name, "messages": call.fields["messages"]}
        if call.fields.get("tools"):
            asked["tools"] = call.fields["tools"]
        try:
            response = await self._client().post(url, json=asked)
            stated = response.json().get("count") if response.status_code == 200 else None
        except (httpx.HTTPError, ValueError, AttributeError):
            stated = None
        if isinstance(stated, int) and stated > 0:
            return stated
        self._counts_itself = False
        logger.warning(
            "%s does not count tokens of chats; requests near the window are judged by estimate",
            self._config.url,
        )
        return None

    async def _send(self, body: bytes) -> httpx.Response:
        request = self._client().build_request("POST", self._config.completions_url, content=body)
        try:
            return await self._client().send(request, stream=True)
        except httpx.TransportError as error:
            raise ModelError(
                f"the backend cannot be reached ({type(error).__name__}); check that it runs"
            ) from None

    async def _refused(self, response: httpx.Response) -> Relayed:
        """Return the backend's refusal, unless it says that the request is too long."""
        content = await _read_error(response)
        code, message = error_of(content)
        if is_too_long(response.status_code, code, message):
            raise TooLongError
        if response.status_code in (401, 403):
            raise ModelError("the backend refused this server's key; check LONGLOOM_API_KEY")

        async def body() -> AsyncGenerator[bytes, None]:
            yield content

        return Relayed(status=response.status_code, headers=_handed_on(response), body=body())

    @asynccontextmanager
    async def _answering(self, body: bytes) -> AsyncIterator[httpx.Response]:
        """Open a stream; failures that may pass are tried again, as nothing was shown yet."""
        for attempt in range(self._config.max_retries + 1):
            wait = min(
                self._config.last_backoff_seconds,
                self._config.first_backoff_seconds * 2.0**attempt,
            )
            try:
                response = await self._send(body)
            except ModelError as error:
                failure = str(error)
            else:
                try:
                    if response.status_code == 200:
                        yield response
                        return
                    content = await _read_error(response)
                finally:
                    await response.aclose()
                failure = self._failure(response, content)
                asked = retry_after_seconds(response.headers.get("retry-after"))
                wait = min(asked, self._config.max_retry_after_seconds) if asked else wait
            if attempt < self._config.max_retries:
                await asyncio.sleep(wait)
        raise ModelError(f"the backend gave no answer in {attempt + 1} attempts: {failure}")

    def _failure(self, response: httpx.Response, content: bytes) -> str:
        """Return what failed, if it may pass; raise it otherwise."""
        code, message = error_of(content)
        said = f"status {response.status_code} {code}: {message}"
        said = said.replace(self._api_key, "***") if self._api_key else said
        if is_too_long(response.status_code, code, message):
            raise EndpointContextLengthError(f"the backend's window is too small: {said}")
        if response.status_code in _PASSING_STATUSES:
            return said
        raise ModelError(f"the backend refused to answer: {said}")

    def _client(self) -> httpx.AsyncClient:
        assert self._http is not None, "a backend is opened before it is used"
        return self._http


def _texts(call: ChatCall) -> list[str]:
    """Return all text of a request that reaches the prompt."""
    texts: list[str] = []
    for message in call.request.messages:
        if isinstance(message.content, str):
            texts.append(message.content)
        elif message.content is not None:
            texts += [part.text or "" for part in message.content]
    tools = call.fields.get("tools")
    return [*texts, json.dumps(tools)] if tools else texts


def _message_text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if not isinstance(content, list):
        return content or ""
    return "\n".join(ContentPart.model_validate(part).text or "" for part in content)


def _handed_on(response: httpx.Response) -> dict[str, str]:
    return {name: response.headers[name] for name in _HANDED_ON if name in response.headers}


async def _relayed(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    """Yield the body as it comes; a stream that breaks off ends in an error of its own."""
    try:
        async for piece in response.aiter_raw():
            yield piece
    except httpx.TransportError as error:
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            raise ModelError(f"the backend broke its answer off: {error}") from None
        message = f"the backend broke its answer off ({type(error).__name__}); ask again"
        broken = Refusal(status=502, message=message, code="backend_failed")
        yield b"\n\n" + error_line(broken.body)
    finally:
        await response.aclose()


async def _read_error(response: httpx.Response) -> bytes:
    content = b""
    try:
        async for piece in response.aiter_bytes():
            content += piece
            if len(content) > _MOST_ERROR_BYTES:
                break
    except httpx.TransportError as error:
        raise ModelError(f"the backend broke its refusal off: {error}") from None
    finally:
        await response.aclose()
    return content


def _parts_of(chunk: Any) -> list[Part]:
    """Return what a chunk of the backend's stream adds.

    Raises:
        ModelError: the backend says that it failed.
    """
    if not isinstance(chunk, dict):
        return []
    if chunk.get("error"):
        code, message = error_of(json.dumps({"error": chunk["error"]}).encode())
        raise ModelError(f"the backend failed: {code} {message}")
    choices = chunk.get("choices")
    found = [
        part
        for choice in (choices if isinstance(choices, list) else [])
        if isinstance(choice, dict) and (part := _part_of(choice)) is not None
    ]
    usage = chunk.get("usage")
    return [*found, Part(usage=usage)] if isinstance(usage, dict) else found


def _part_of(choice: dict[str, Any]) -> Part | None:
    delta = choice.get("delta") or choice.get("message")
    kept = {}
    if isinstance(delta, dict):
        kept = {name: value for name, value in delta.items() if name != "role" and value}
    if "reasoning" in kept:
        kept["reasoning_content"] = kept.pop("reasoning")
    finish = choice.get("finish_reason")
    index, logprobs = choice.get("index"), choice.get("logprobs")
    part = Part(
        index=index if isinstance(index, int) else 0,
        delta=kept,
        finish_reason=finish if isinstance(finish, str) else None,
        logprobs=logprobs if isinstance(logprobs, dict) else None,
    )
    return part if part.delta or part.finish_reason or part.logprobs else None
