"""A chat sampler over a server: what agents need of a model that somebody else serves.

    async with open_endpoint_chat(EndpointConfig(url=..., model=...)) as chat:
        reply = await chat.reply(request)

The seed of a call comes from its key, so that the same step asks for the same reply. Thinking is
kept apart, whether the server does so or leaves the tags in the text. A task that is cancelled
closes its connection, and the server stops.
"""

import hashlib
import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from longloom.errors import ConfigError, ModelError
from longloom.models.endpoint.client import EndpointClient
from longloom.models.endpoint.config import EndpointConfig
from longloom.models.endpoint.errors import EndpointContextLengthError, EndpointRefusedError
from longloom.models.endpoint.messages import ChatReply, ChatRequest
from longloom.models.endpoint.shown import ShownAttempts
from longloom.models.endpoint.thinking import split_thinking
from longloom.models.endpoint.window import ask_card, ask_window, traits_in_card
from longloom.records import FinishReason, Reply, ReplyRequest, TokenUsage
from longloom.text.estimated_tokens import EstimatedTokens
from longloom.text.token_starts import TextTokens
from longloom.text.tokenizer import Tokenizer
from longloom.text.tokenizer_tokens import TokenizerTokens

logger = logging.getLogger(__name__)

_FINISHES = {
    "": FinishReason.STOP,
    "end_turn": FinishReason.STOP,
    "eos": FinishReason.STOP,
    "eos_token": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "max_tokens": FinishReason.LENGTH,
    "stop": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
}
_ESTIMATE_ROOM_PERCENT = 15
"""Added to estimates: they are of Qwen3's tokens, and other vocabularies make more of a text."""
_TEMPLATE_TOKENS = 64
"""Room for a chat template that is not at hand."""
_CHARACTERS_PER_TOKEN = 4.5
"""Prompts with fewer tokens than so by the server's count are looked at for a silent cut."""
_LEAST_COUNTED_FRACTION = 0.7
_LEAST_CUT_CHARACTERS = 4_000
"""Shorter prompts are cut by nobody."""
_SEEDS = 2**31


class EndpointChat:
    """Speaks to a server; see `models.protocols.ChatSampler`."""

    def __init__(
        self,
        client: EndpointClient,
        *,
        window_tokens: int,
        tokenizer: Tokenizer | None = None,
        traits: Mapping[str, object] | None = None,
    ) -> None:
        """Speak to a model.

        Args:
            client: an open client.
            window_tokens: the model's window.
            tokenizer: the model's, where it is at hand.
            traits: what the server tells of the model beside its name.
        """
        self._client = client
        self._model = client.config.model
        self._name = _name(client.config, traits or {})
        self._window_tokens = window_tokens
        self._tokenizer = tokenizer
        self._tokens: TextTokens = TokenizerTokens(tokenizer) if tokenizer else EstimatedTokens()
        self._opens_thinking = False
        self._has_warned = False

    @property
    def name(self) -> str:
        """Names the model, the same at whatever address.

        What follows an `@` tells it apart from others of its name, as far as the server does.
        """
        return self._name

    @property
    def tokens(self) -> TextTokens:
        """How texts are measured and cut: by the model's tokenizer, or by estimate."""
        return self._tokens

    @property
    def window_tokens(self) -> int:
        """Prompt and reply together must fit in this many tokens; less once a server says so."""
        return self._window_tokens

    def num_prompt_tokens(self, message: str) -> int:
        """Return the tokens of the prompt of one message; by estimate with room for its error."""
        return count_prompt(message, self._tokens, self._tokenizer)

    async def reply(self, request: ReplyRequest) -> Reply:
        """Return the reply to one request; it may be asked for several times.

        Pieces are shown once (see `shown`).

        Raises:
            EndpointContextLengthError: prompt and reply do not fit the window.
            EndpointRefusedError: the reply was filtered or is no text.
            ModelError: the server failed.
        """
        if request.prompt_ids is not None:
            raise ModelError(
                f"{self._model} is behind an endpoint, which takes no prompt of tokens; expected a "
                "message; sample a model folder instead"
            )
        reply = await self._draw(request)
        finish_reason = _FINISHES.get(reply.finish_reason)
        if finish_reason is None:
            raise EndpointRefusedError(
                f"the reply of {self._model} ended by {reply.finish_reason!r}; expected 'stop' or "
                "'length'; the server filtered it or replied with something else than text"
            )
        thinking, answer = split_thinking(reply.text)
        if thinking and not reply.text.lstrip().startswith("<think>"):
            self._opens_thinking = True  # later replies are shown rightly from their start
        self._warn_if_cut(request.text, reply)
        return Reply(
            text=answer,
            finish_reason=finish_reason,
            usage=self._usage(request.text, reply),
            reasoning="\n".join(part for part in (reply.reasoning, thinking) if part),
        )

    async def _draw(self, request: ReplyRequest) -> ChatReply:
        params = request.params
        asked = ChatRequest(
            messages=request.messages,
            temperature=params.temperature,
            top_p=params.top_p,
            max_new_tokens=params.max_new_tokens,
            seed=seed_of(request.key),
        )
        try:
            if request.on_delta is None:
                return await self._client.draw(asked)
            shown = ShownAttempts(request.on_delta, is_thinking=self._opens_thinking)
            reply = await self._client.draw(asked, shown.begin)
            shown.end()
            return reply
        except EndpointContextLengthError as error:
            if error.window_tokens is not None and error.window_tokens < self._window_tokens:
                logger.warning(
                    "%s has a window of %d tokens, not %d",
                    *(self._model, error.window_tokens, self._window_tokens),
                )
                self._window_tokens = error.window_tokens
            raise

    def _usage(self, message: str, reply: ChatReply) -> TokenUsage:
        """Return what the server counted; where it does not count, what is counted here."""
        written = reply.num_completion_tokens or self._tokens.count(reply.reasoning + reply.text)
        return TokenUsage(
            num_prompt_tokens=reply.num_prompt_tokens or self._tokens.count(message),
            num_cached_tokens=min(reply.num_cached_tokens, reply.num_prompt_tokens),
            num_response_tokens=written,
            num_calls=1,
        )

    def _warn_if_cut(self, message: str, reply: ChatReply) -> None:
        """Say once if the server counted far fewer tokens than were sent: some cut silently."""
        counted = reply.num_prompt_tokens
        is_plausible = counted * _CHARACTERS_PER_TOKEN > len(message)
        if self._has_warned or not counted or is_plausible or len(message) < _LEAST_CUT_CHARACTERS:
            return
        sent = self._tokens.count(message)
        if counted >= _LEAST_COUNTED_FRACTION * sent:
            return
        self._has_warned = True
        logger.warning(
            "%s counted %d tokens of a prompt of about %d; it may have cut the prompt: compare the "
            "window it was started with to the %d tokens assumed here",
            *(self._model, counted, sent, self._window_tokens),
        )


def _name(config: EndpointConfig, traits: Mapping[str, object]) -> str:
    name = config.identity or config.model
    shaping = {**traits, **({"extra_body": config.extra_body} if config.extra_body else {})}
    if not shaping:
        return name
    digest = hashlib.sha256(json.dumps(shaping, sort_keys=True).encode("utf-8"))
    return f"{name}@{digest.hexdigest()[:16]}"


def count_prompt(message: str, tokens: TextTokens, tokenizer: Tokenizer | None) -> int:
    """Return the tokens of the prompt of one message; by estimate with room for its error."""
    if tokenizer is not None:
        return tokens.count(tokenizer.render_chat([{"role": "user", "content": message}]))
    return tokens.count(message) * (100 + _ESTIMATE_ROOM_PERCENT) // 100 + _TEMPLATE_TOKENS


def seed_of(key: str) -> int:
    """Return the seed of a random stream: 31 bits, which every server takes."""
    digest = hashlib.sha256(key.encode("utf-8")).digest()
    return int.from_bytes(digest[:4], "big") % _SEEDS


@asynccontextmanager
async def open_endpoint_chat(
    config: EndpointConfig,
    *,
    window_tokens: int | None = None,
    tokenizer: Tokenizer | None = None,
    **client_settings: Any,
) -> AsyncIterator[EndpointChat]:
    """Open a chat sampler over a server, and close its connections at the end.

    Args:
        config: the server and the model.
        window_tokens: the model's window; the server is asked if it is not given.
        tokenizer: the model's; tokens are estimated without it.
        client_settings: further arguments of `EndpointClient`.

    Raises:
        ConfigError: the window is not given and the server does not say it.
        EndpointUnavailableError: the server cannot be reached.
    """
    async with EndpointClient(config, **client_settings) as client:
        if window_tokens is None:
            card = await ask_card(client)
            window_tokens = await ask_window(client, card)
        else:
            card = await _card_if_any(client)
        if window_tokens is None:
            raise ConfigError(
                f"{config.models_url} does not say how many tokens fit the window of "
                f"{config.model!r}; expected max_model_len, context_length or meta.n_ctx; state "
                "the window yourself (--window 32768)"
            )
        yield EndpointChat(
            client,
            window_tokens=window_tokens,
            tokenizer=tokenizer,
            traits=traits_in_card(card),
        )


async def _card_if_any(client: EndpointClient) -> dict[str, Any]:
    try:
        return await ask_card(client, max_retries=0)
    except ModelError:  # nothing in it is needed; calls will tell what is wrong
        return {}
