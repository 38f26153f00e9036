"""A chat sampler over a model in this process: text to tokens, tokens to text."""

import json
from dataclasses import asdict

from longloom.models.protocols import Sampler
from longloom.records import (
    ChatMessage,
    Delta,
    Reply,
    ReplyRequest,
    SampleRequest,
    TokenUsage,
    Turn,
)
from longloom.rollout.recent_prompts import TokenisedPrompt, recent_prompts
from longloom.text.token_starts import TextTokens
from longloom.text.tokenizer_tokens import TokenizerTokens


class TokenChat:
    """Speaks to a `Sampler`; see `models.protocols.ChatSampler`."""

    def __init__(self, sampler: Sampler, *, name: str = "", cache_salt: str = "") -> None:
        """Take the sampler and what is the same in all requests.

        Args:
            sampler: draws.
            name: the name of its model; a journal is kept for named ones alone.
            cache_salt: see `SampleRequest`.
        """
        self._sampler = sampler
        self._name = name
        self._cache_salt = cache_salt

    @property
    def name(self) -> str:
        """Names the model and its version."""
        return self._name

    @property
    def tokens(self) -> TextTokens:
        """How texts are measured and cut: by the model's tokenizer."""
        return TokenizerTokens(self._sampler.tokenizer)

    @property
    def window_tokens(self) -> int:
        """Prompt and reply together must fit in this many tokens."""
        return self._sampler.window_tokens

    def num_prompt_tokens(self, message: str) -> int:
        """Return the tokens of the prompt of one message, chat template included."""
        return len(self._prompt(message).ids)

    async def reply(self, request: ReplyRequest) -> Reply:
        """Return the reply to one request.

        Turns that begin with the same message share the tuple of its tokens.

        Raises:
            ContextLengthError: prompt and reply do not fit the window.
            ModelError: the model failed.
        """
        if request.prompt_ids is None:
            prompt = self._prompt(request.message, request.history)
        else:
            prompt = TokenisedPrompt(text=request.message, ids=request.prompt_ids)
        completion = await self._sampler.sample(
            SampleRequest(
                prompt_ids=prompt.ids,
                params=request.params,
                key=request.key,
                cache_salt=self._cache_salt,
            )
        )
        turn = Turn(
            prompt_ids=prompt.ids,
            response_ids=completion.token_ids,
            rollout_logprobs=completion.logprobs,
            entropies=completion.entropies,
            finish_reason=completion.finish_reason,
            prompt_text=prompt.text,
            response_text=self._response_text(completion.token_ids),
        )
        if request.on_delta is not None:
            request.on_delta(Delta(text=turn.response_text))
        return Reply(
            text=turn.response_text,
            finish_reason=turn.finish_reason,
            usage=TokenUsage(
                num_prompt_tokens=len(turn.prompt_ids),
                num_response_tokens=len(turn.response_ids),
                num_calls=1,
            ),
            turn=turn,
        )

    def _prompt(self, message: str, history: tuple[ChatMessage, ...] = ()) -> TokenisedPrompt:
        tokenizer = self._sampler.tokenizer
        chat = [asdict(turn) for turn in history] + [{"role": "user", "content": message}]

        def tokenise() -> TokenisedPrompt:
            text = tokenizer.render_chat(chat)
            return TokenisedPrompt(text=text, ids=tuple(tokenizer.encode(text)))

        return recent_prompts(tokenizer).get(json.dumps(chat) if history else message, tokenise)

    def _response_text(self, token_ids: tuple[int, ...]) -> str:
        """Return the text of a response without its end token."""
        tokenizer = self._sampler.tokenizer
        if token_ids and token_ids[-1] in tokenizer.end_ids:
            token_ids = token_ids[:-1]
        return tokenizer.decode(token_ids)
