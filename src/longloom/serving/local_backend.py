"""A model in this process as a backend.

    chat -> template -> tokens -> engine -> text -> thinking | answer -> stop texts -> parts

What it leaves out: tools are not shown to the model, and no form of an answer is enforced; requests
that insist on either are refused.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from longloom.errors import ContextLengthError, ModelError
from longloom.models.protocols import ChatSampler, Sampler
from longloom.records import Reply, ReplyRequest, SamplingParams
from longloom.rollout import TokenChat
from longloom.rollout.recent_prompts import TokenisedPrompt, recent_prompts
from longloom.serving.answer_parts import AnswerWriter, Part, usage_of
from longloom.serving.backends import ChatCall, PromptSize, Relayed
from longloom.serving.config import ServingConfig
from longloom.serving.local_choices import DrawnChoice, StreamingSampler, merged
from longloom.serving.pauses import with_pauses
from longloom.serving.refusals import refused
from longloom.serving.wire import ChatCompletionRequest, Message, text_of
from longloom.text.tokenizer_tokens import TokenizerTokens

_INLINE_CHARS = 20_000
"""Longer chats are tokenised in a thread of their own, so that other streams go on."""
_CHARS_PER_TOKEN = 16
"""A chat with more characters than so many windows hold is first measured block by block."""


class LocalBackend:
    """Answers with a streaming sampler; see `backends.Backend`."""

    def __init__(
        self,
        sampler: StreamingSampler,
        *,
        name: str,
        config: ServingConfig,
        window_tokens: int | None = None,
        identity: str = "",
    ) -> None:
        """Take who computes.

        Args:
            sampler: is closed with the backend.
            name: the model's name.
            config: limits and defaults.
            window_tokens: a smaller window than the sampler's.
            identity: tells the weights apart from others of the name, for journals.
        """
        self._sampler = sampler
        self._name = name
        self._config = config
        self._identity = identity or name
        self._window_tokens = window_tokens or sampler.window_tokens
        self._chat = self.chat_for("")
        self._tokens = TokenizerTokens(sampler.tokenizer)

    @property
    def name(self) -> str:
        """The model's name."""
        return self._name

    @property
    def chat(self) -> ChatSampler:
        """What agents read with."""
        return self._chat

    def chat_for(self, holder: str) -> "_WindowedChat":
        """Return what agents read with for the holder of a key; see `backends.Backend`."""
        return _WindowedChat(
            self._sampler,
            name=self._identity,
            window_tokens=self._window_tokens,
            cache_salt=holder,
        )

    async def open(self) -> None:
        """Do nothing: the model is loaded."""

    async def close(self) -> None:
        """End the engine."""
        await asyncio.to_thread(self._sampler.close)

    def figures(self) -> Mapping[str, float]:
        """Return what the engine does."""
        return self._sampler.figures()

    def check(self, call: ChatCall) -> None:
        """Refuse what a model in this process cannot do; see `backends.Backend`."""
        request = call.request
        wanted = (request.response_format or {}).get("type", "text")
        if wanted != "text":
            raise _unsupported("response_format", f"type {str(wanted)[:50]!r}", "type 'text'")
        if isinstance(request.tool_choice, dict) or request.tool_choice == "required":
            raise _unsupported("tool_choice", "a call that must be made", "'auto' or 'none'")
        if request.top_logprobs:
            raise _unsupported("top_logprobs", str(request.top_logprobs), "0")
        for name in ("frequency_penalty", "presence_penalty", "logit_bias"):
            if call.fields.get(name):
                raise _unsupported(name, "set", "no such setting")

    async def measure(self, call: ChatCall) -> PromptSize:
        """Return how long a request is; see `backends.Backend`."""
        messages = [_plain(message) for message in call.request.messages]
        if _is_long(messages):
            return await asyncio.to_thread(self._measure, messages, call.request)
        return self._measure(messages, call.request)

    async def relay(self, call: ChatCall) -> Relayed:
        """Answer a request that fits; see `backends.Backend`."""
        request = call.request
        parts = self.answer(call, [_plain(message) for message in request.messages])
        writer = AnswerWriter(
            self._name, num_choices=request.num_choices, wants_usage=request.wants_usage
        )
        if request.is_stream:
            paused = with_pauses(parts, self._config.keep_alive_seconds)
            headers = {"content-type": "text/event-stream; charset=utf-8"}
            return Relayed(status=200, headers=headers, body=writer.lines(paused))
        headers = {"content-type": "application/json"}
        return Relayed(status=200, headers=headers, body=_once(writer, parts))

    async def answer(
        self, call: ChatCall, messages: Sequence[Mapping[str, Any]]
    ) -> AsyncGenerator[Part, None]:
        """Answer other messages with the settings of a request; see `backends.Backend`."""
        request = call.request
        chat = [_plain(Message.model_validate(message)) for message in messages]
        prompt = (
            await asyncio.to_thread(self._prompt, chat) if _is_long(chat) else self._prompt(chat)
        )
        room = self._chat.window_tokens - len(prompt.ids)
        num_new = min(request.answer_limit or room, room)
        if num_new < 1 or (request.answer_limit or 0) > room:
            raise ContextLengthError(
                f"prompt of {len(prompt.ids)} tokens and answer of up to "
                f"{request.answer_limit or 1} do not fit the window of "
                f"{self._chat.window_tokens}; shorten the prompt or the answer limit"
            )
        params = SamplingParams(
            temperature=_given(request.temperature, self._config.temperature),
            top_p=_given(request.top_p, self._config.top_p),
            max_new_tokens=num_new,
        )
        stream = f"seed-{request.seed}" if request.seed is not None else secrets.token_hex(16)
        choices = [
            DrawnChoice(self._sampler, prompt, params, call, index=index, stream=stream)
            for index in range(request.num_choices)
        ]
        async with aclosing(merged([choice.parts() for choice in choices])) as parts:
            async for part in parts:
                yield part
        num_reasoning = sum(choice.num_reasoning for choice in choices)
        yield Part(
            usage=usage_of(
                len(prompt.ids),
                sum(choice.num_drawn for choice in choices),
                prompt_tokens_details={
                    "cached_tokens": max(choice.num_cached for choice in choices)
                },
                completion_tokens_details={"reasoning_tokens": num_reasoning},
            )
        )

    async def tokenize(
        self, text: str | None, messages: Sequence[Mapping[str, Any]]
    ) -> tuple[int, list[int] | None]:
        """Return how many tokens a text or a chat has, and which."""
        if text is None:
            chat = [_plain(Message.model_validate(message)) for message in messages]
            text = await asyncio.to_thread(self._rendered, chat)
        token_ids = await asyncio.to_thread(self._sampler.tokenizer.encode, text)
        return len(token_ids), token_ids

    def _measure(
        self, messages: Sequence[dict[str, str]], request: ChatCompletionRequest
    ) -> PromptSize:
        window_tokens = self._chat.window_tokens
        default = min(self._config.answer_tokens, window_tokens // 4)
        num_answer = request.answer_limit or default
        num_chars = sum(len(message["content"]) for message in messages)
        if num_chars > _CHARS_PER_TOKEN * window_tokens:
            num_tokens = self._count_up_to(window_tokens, messages)
            if num_tokens > window_tokens:
                return PromptSize(num_tokens=num_tokens, num_answer_tokens=num_answer, fits=False)
        num_tokens = len(self._prompt(messages).ids)
        fits = num_tokens + num_answer <= window_tokens
        return PromptSize(num_tokens=num_tokens, num_answer_tokens=num_answer, fits=fits)

    def _count_up_to(self, most: int, messages: Sequence[dict[str, str]]) -> int:
        """Return the tokens of the texts, or a number over `most` as soon as they are more."""
        num_tokens = 0
        for message in messages:
            for starts in self._tokens.starts(message["content"]):
                num_tokens += len(starts)
                if num_tokens > most:
                    return num_tokens
        return num_tokens

    def _prompt(self, messages: Sequence[dict[str, str]]) -> TokenisedPrompt:
        tokenizer = self._sampler.tokenizer
        text = self._rendered(messages)

        def tokenise() -> TokenisedPrompt:
            return TokenisedPrompt(text=text, ids=tuple(tokenizer.encode(text)))

        # Measured first and answered then: tokenised once. Apart from the messages of agents.
        return recent_prompts(tokenizer).get(f"rendered:{text}", tokenise)

    def _rendered(self, messages: Sequence[dict[str, str]]) -> str:
        try:
            return self._sampler.tokenizer.render_chat(messages)
        except ModelError as error:
            raise refused(400, str(error), code="refused_by_template", param="messages") from None


class _WindowedChat(TokenChat):
    """A chat sampler with a smaller window than its model's."""

    def __init__(self, sampler: Sampler, *, name: str, window_tokens: int, cache_salt: str) -> None:
        super().__init__(sampler, name=name, cache_salt=cache_salt)
        self._window_tokens = window_tokens

    @property
    def window_tokens(self) -> int:
        return self._window_tokens

    async def reply(self, request: ReplyRequest) -> Reply:
        if len(request.message) > _INLINE_CHARS and request.prompt_ids is None:
            await asyncio.to_thread(self.num_prompt_tokens, request.message)  # is kept for the call
        return await super().reply(request)


async def _once(
    writer: AnswerWriter, parts: AsyncGenerator[Part, None]
) -> AsyncGenerator[bytes, None]:
    yield await writer.whole(parts)


def _is_long(messages: Sequence[Mapping[str, str]]) -> bool:
    return sum(len(message["content"]) for message in messages) > _INLINE_CHARS


def _plain(message: Message) -> dict[str, str]:
    """Return a message as chat templates take it."""
    role = "system" if message.role == "developer" else message.role
    return {"role": role, "content": text_of(message)}


def _given(value: float | None, default: float) -> float:
    return default if value is None else value


def _unsupported(field: str, found: str, expected: str) -> Exception:
    return refused(
        400,
        f"{field} is {found}; a model in this process takes {expected}; serve the model with vLLM "
        "and put this server before it (--endpoint)",
        code="unsupported_parameter",
        param=field,
    )
