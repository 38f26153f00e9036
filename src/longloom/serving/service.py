"""What happens to a request: passed on if it fits, else read; with limits, counts and quotas.

Knows no web framework: `app.py` gives it requests and sends what it returns.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from longloom.errors import DataError
from longloom.records import SamplingParams
from longloom.rollout import Agent
from longloom.rollout.call_limits import LimitedChat, OldestFirst
from longloom.serving.answer_parts import AnswerWriter, Part
from longloom.serving.backends import Backend, ChatCall, PromptSize, Relayed, TooLongError
from longloom.serving.config import ServingConfig
from longloom.serving.gate import Gate, HeldBytes, KeyQuotas
from longloom.serving.keys import ApiKeys
from longloom.serving.metrics import Metrics
from longloom.serving.pauses import with_pauses
from longloom.serving.reading import Reading, ReadingSettings
from longloom.serving.reading_request import ReadingRequest
from longloom.serving.refusals import refused, too_long
from longloom.serving.spending import ReadingCosts, paid
from longloom.serving.split import MAX_KEPT_CHARS, split_request
from longloom.serving.wire import ReadingOptions
from longloom.text.token_starts import TextTokens

MakeAgent = Callable[[str], Agent]
"""From the holder of a key, empty where none is needed, to an agent that reads for it alone."""

_SAMPLE_CHARS = 4_096
_NUM_SAMPLES = 64
_SAMPLE_ERROR_FRACTION = 0.25
_ESTIMATE_ERROR_FRACTION = 0.25
"""An estimate so much over the limit may be within it by the model's own tokenizer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions:
    """What a request says beside its body."""

    holder: str
    """Whose key it was sent with."""
    read_header: str | None
    """The header `X-Longloom-Read`; None if there is none."""


class Service:
    """Answers requests with a backend, and with an agent where they are too long for it."""

    def __init__(
        self,
        backend: Backend,
        make_agent: MakeAgent,
        config: ServingConfig,
        *,
        keys: ApiKeys | None = None,
    ) -> None:
        """Take who computes, who reads, the limits, and the keys that are accepted."""
        self.backend = backend
        self.config = config
        self.keys = keys or ApiKeys(())
        self.metrics = Metrics()
        self.gate = Gate(
            max_running=config.max_running,
            max_waiting=config.max_waiting,
            max_wait_seconds=config.max_wait_seconds,
        )
        self.held_bytes = HeldBytes(config.max_held_bytes)
        self.quotas = KeyQuotas(
            requests_per_minute=config.requests_per_minute,
            tokens_per_minute=config.tokens_per_minute,
        )
        self._make_agent = make_agent
        self._calls = OldestFirst(config.max_reading_calls)
        self._num_readings = 0

    async def reply(self, call: ChatCall, options: CallOptions) -> Relayed:
        """Return the answer to a request.

        Raises:
            RefusedError: the request is malformed, too long, or not for this server.
            LongloomError: the backend failed.
        """
        self._check_model(call)
        wanted = _reading_options(call, options)
        self.backend.check(call)
        size = await self.backend.measure(call)
        self.quotas.spend(options.holder, size.num_tokens)
        if size.fits and not wanted.has_documents:
            try:
                return self._counted_answer(await self.backend.relay(call), size, options)
            except TooLongError:
                pass  # the estimate was too low: the backend knows better
        if wanted.read == "never" or (call.request.answer_limit or 0) >= self.window_tokens:
            raise too_long(size.num_tokens, size.num_answer_tokens, self.window_tokens)
        request = await self._split(call, size)
        return self._read(call, request, wanted, size, options)

    def gauges(self) -> dict[str, float]:
        """Return values of this moment for /metrics."""
        figures = {f"backend_{name}": value for name, value in self.backend.figures().items()}
        return {
            **figures,
            "requests_running": self.gate.num_running,
            "requests_waiting": self.gate.num_waiting,
            "readings_running": self._num_readings,
            "reading_calls_running": self._calls.num_running_calls,
            "reading_calls_waiting": self._calls.num_waiting_calls,
            "held_bytes": self.held_bytes.num_bytes,
        }

    @property
    def window_tokens(self) -> int:
        """Tokens of the model's own window."""
        return self.backend.chat.window_tokens

    def _counted_answer(self, relayed: Relayed, size: PromptSize, options: CallOptions) -> Relayed:
        if not self.config.tokens_per_minute:
            return relayed

        def spend(num_tokens: int) -> None:
            self.quotas.spend(options.holder, num_tokens)

        return paid(relayed, self.backend.chat.tokens, num_paid=size.num_tokens, spend=spend)

    def _check_model(self, call: ChatCall) -> None:
        check_model(call.request.model, self.backend.name)

    async def _split(self, call: ChatCall, size: PromptSize) -> ReadingRequest:
        """Return documents and question.

        Raises:
            RefusedError: they cannot be told apart, or are too long even to be read.
        """
        kept_chars = min(MAX_KEPT_CHARS, self.window_tokens // 4)
        try:
            request = await asyncio.to_thread(
                split_request,
                call.fields["messages"],
                extra=call.fields.get("longloom"),
                max_kept_chars=kept_chars,
            )
        except DataError as error:
            raise refused(400, str(error), code="unsupported_content", param="messages") from None
        if request is None:
            raise too_long(size.num_tokens, size.num_answer_tokens, self.window_tokens)
        tokens, most = self.backend.chat.tokens, self.config.max_document_tokens
        accepted = most if tokens.is_exact else round(most * (1 + _ESTIMATE_ERROR_FRACTION))
        texts = [text for _, text in request.documents]
        num_tokens = await asyncio.to_thread(count_roughly, texts, tokens, accepted)
        if num_tokens > accepted:
            raise too_long(num_tokens, size.num_answer_tokens, most)
        return request

    def _read(
        self,
        call: ChatCall,
        wanted: ReadingRequest,
        reading_options: ReadingOptions,
        size: PromptSize,
        options: CallOptions,
    ) -> Relayed:
        request, config = call.request, self.config
        temperature, top_p = request.temperature, request.top_p
        params = SamplingParams(
            temperature=config.temperature if temperature is None else temperature,
            top_p=config.top_p if top_p is None else top_p,
            max_new_tokens=size.num_answer_tokens,
        )
        settings = ReadingSettings(
            params=params,
            progress=reading_options.progress or config.progress,
            progress_seconds=config.progress_seconds,
            key=f"serve/{secrets.token_hex(8)}",
        )
        reading = Reading(
            call,
            wanted,
            settings,
            backend=self.backend,
            agent=self._make_agent(call.holder),
            reader=LimitedChat(
                self.backend.chat_for(call.holder), self._calls, self._calls.next_age()
            ),
            on_event=ReadingCosts(self.metrics, self.quotas, options.holder).add,
        )
        writer = AnswerWriter(
            self.backend.name,
            num_choices=request.num_choices,
            wants_usage=request.wants_usage,
        )
        parts = self._counted(reading)
        if request.is_stream:
            body = writer.lines(with_pauses(parts, config.keep_alive_seconds))
            headers = {"content-type": "text/event-stream; charset=utf-8"}
            return Relayed(status=200, headers=headers, body=body)

        async def whole() -> AsyncGenerator[bytes, None]:
            yield await writer.whole(parts)

        headers = {"content-type": "application/json"}
        return Relayed(status=200, headers=headers, body=whole())

    async def _counted(self, reading: Reading) -> AsyncGenerator[Part, None]:
        """Yield the parts of a reading, and count how it ends."""
        self._num_readings += 1
        outcome = "failed"
        parts = reading.parts()
        try:
            async for part in parts:
                yield part
            outcome = "answered"
        except (GeneratorExit, asyncio.CancelledError):
            outcome = "cancelled"
            raise
        finally:
            self._num_readings -= 1
            self.metrics.count("longloom_readings_total", outcome=outcome)
            await parts.aclose()


def check_model(asked: str | None, served: str) -> None:
    """Refuse requests for another model.

    Raises:
        RefusedError: the model is not the one served.
    """
    if asked and asked != served:
        raise refused(
            404,
            f"model {asked[:200]!r} is not served here; expected {served!r}",
            code="model_not_found",
            param="model",
        )


def count_roughly(texts: list[str], tokens: TextTokens, most: int) -> int:
    """Return about how many tokens the texts have; exactly where they may be more than `most`.

    A tokenizer makes at most one token of a byte. Longer texts are counted by samples, and wholly
    only where the samples leave it open whether they are too long.
    """
    num_bytes = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    if num_bytes <= most:
        return num_bytes
    sampled = round(sum(_by_samples(text, tokens) for text in texts))
    if abs(sampled - most) > _SAMPLE_ERROR_FRACTION * most:
        return sampled
    return sum(tokens.count(text) for text in texts)


def _by_samples(text: str, tokens: TextTokens) -> float:
    if len(text) <= _SAMPLE_CHARS * _NUM_SAMPLES:
        return tokens.count(text)
    step = len(text) / _NUM_SAMPLES
    starts = [round(step * number) for number in range(_NUM_SAMPLES)]
    found = sum(tokens.count(text[start : start + _SAMPLE_CHARS]) for start in starts)
    return found * len(text) / (_SAMPLE_CHARS * _NUM_SAMPLES)


def _reading_options(call: ChatCall, options: CallOptions) -> ReadingOptions:
    """Return how a request wants to be read; its header goes before its field.

    Raises:
        RefusedError: the header has another value.
    """
    stated = call.request.longloom or ReadingOptions()
    if options.read_header is None:
        return stated
    if options.read_header not in ("auto", "never"):
        raise refused(
            400,
            f"the header X-Longloom-Read is {options.read_header[:50]!r}; expected auto or never",
        )
    return stated.model_copy(update={"read": options.read_header})
