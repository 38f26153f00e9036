"""A chat sampler over a model of inspect_ai, which keeps long prompts out of its log.

Any provider of inspect_ai serves, with its retries, its limit of connections and its count of
tokens. A call is in the log with its reply; in the place of its prompt stands how long it was
(a log of a prompt of 4M characters would hold it several times over).
"""

from typing import Any

from inspect_ai.event import ModelEvent
from inspect_ai.log import transcript
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    ContentReasoning,
    GenerateConfig,
    Model,
    ModelOutput,
)
from inspect_ai.model._model import use_model_event_sink  # public for its agent bridges alone

from longloom.errors import ContextLengthError
from longloom.models.endpoint.chat import count_prompt, seed_of
from longloom.models.endpoint.errors import EndpointRefusedError
from longloom.records import FinishReason, Reply, ReplyRequest, SamplingParams, TokenUsage
from longloom.text.estimated_tokens import EstimatedTokens
from longloom.text.lone_surrogates import without_lone_surrogates
from longloom.text.token_starts import TextTokens
from longloom.text.tokenizer import Tokenizer
from longloom.text.tokenizer_tokens import TokenizerTokens

_MESSAGES = {
    "assistant": ChatMessageAssistant,
    "system": ChatMessageSystem,
    "user": ChatMessageUser,
}


class PromptMeasures:
    """Counts tokens for all samples of a task; what it learns of words serves the next sample."""

    def __init__(self, tokenizer: Tokenizer | None = None) -> None:
        """Take the model's tokenizer, where it is at hand; tokens are estimated without it."""
        self._tokenizer = tokenizer
        self.tokens: TextTokens = TokenizerTokens(tokenizer) if tokenizer else EstimatedTokens()

    def prompt(self, message: str) -> int:
        """Return the tokens of the prompt of one message."""
        return count_prompt(message, self.tokens, self._tokenizer)


class InspectChat:
    """Speaks through inspect_ai; see `models.protocols.ChatSampler`.

    What its provider raises is not caught: inspect_ai records it as the error of the sample, counts
    the sample as 0, and asks again on `inspect eval-retry`.
    """

    def __init__(
        self,
        model: Model,
        *,
        window_tokens: int,
        defaults: SamplingParams,
        measures: PromptMeasures,
        is_logged: bool = True,
    ) -> None:
        """Speak to a model.

        Args:
            model: a model of inspect_ai.
            window_tokens: the model's window.
            defaults: the task's own sampling; what differs from it is sent with a call, so that
                `--temperature` and its like hold for the rest.
            measures: counts tokens.
            is_logged: whether calls are in the log.
        """
        self._model = model
        self._window_tokens = window_tokens
        self._defaults = defaults
        self._measures = measures
        self._is_logged = is_logged

    @property
    def name(self) -> str:
        """Names the model."""
        return str(self._model)

    @property
    def tokens(self) -> TextTokens:
        """How texts are measured and cut."""
        return self._measures.tokens

    @property
    def window_tokens(self) -> int:
        """Prompt and reply together must fit in this many tokens."""
        return self._window_tokens

    def num_prompt_tokens(self, message: str) -> int:
        """Return the tokens of the prompt of one message; by estimate with room for its error."""
        return self._measures.prompt(message)

    async def reply(self, request: ReplyRequest) -> Reply:
        """Return the reply to one request.

        Raises:
            ContextLengthError: prompt and reply do not fit the window.
            EndpointRefusedError: the reply was filtered.
        """
        messages: list[ChatMessage] = [
            _MESSAGES[message.role](content=message.content) for message in request.messages
        ]
        events = _EventsWithoutPrompts(is_logged=self._is_logged)
        with use_model_event_sink(events):
            output: ModelOutput = await self._model.generate(messages, config=self._config(request))
        stop_reason = output.stop_reason
        if stop_reason == "model_length":
            raise ContextLengthError(
                f"prompt and reply do not fit the window of {self.name}: "
                f"{output.completion[:300]!r}; expected a shorter prompt (-T max_prompt_tokens=...)"
            )
        if stop_reason == "content_filter":
            raise EndpointRefusedError(f"the reply of {self.name} was filtered")
        return Reply(
            text=without_lone_surrogates(output.completion),
            finish_reason=(
                FinishReason.LENGTH if stop_reason == "max_tokens" else FinishReason.STOP
            ),
            usage=self._usage(request.text, output),
            reasoning=without_lone_surrogates(reasoning_of(output)),
        )

    def _config(self, request: ReplyRequest) -> GenerateConfig:
        params, defaults = request.params, self._defaults
        stated = {
            "max_tokens": (params.max_new_tokens, defaults.max_new_tokens),
            "temperature": (params.temperature, defaults.temperature),
            "top_p": (params.top_p, defaults.top_p),
        }
        differing: dict[str, Any] = {
            name: value for name, (value, default) in stated.items() if value != default
        }
        return GenerateConfig(seed=seed_of(request.key), **differing)

    def _usage(self, prompt: str, output: ModelOutput) -> TokenUsage:
        usage = output.usage
        if usage is None:
            return TokenUsage(
                num_prompt_tokens=self.tokens.count(prompt),
                num_response_tokens=self.tokens.count(output.completion),
                num_calls=1,
            )
        cached = usage.input_tokens_cache_read or 0
        return TokenUsage(
            num_prompt_tokens=usage.input_tokens + cached + (usage.input_tokens_cache_write or 0),
            num_cached_tokens=cached,
            num_response_tokens=usage.output_tokens,
            num_calls=1,
        )


def reasoning_of(output: ModelOutput) -> str:
    """Return the thinking that is kept apart from a reply."""
    if not output.choices or isinstance(output.message.content, str):
        return ""
    return "\n".join(
        part.reasoning for part in output.message.content if isinstance(part, ContentReasoning)
    )


class _EventsWithoutPrompts:
    """Puts a call into the log when it is over, and how long its prompt was for the prompt."""

    def __init__(self, *, is_logged: bool) -> None:
        self._is_logged = is_logged

    def on_pending(self, event: ModelEvent) -> None:
        """Keep it out of the log: it holds the prompt."""

    def on_complete(self, event: ModelEvent) -> None:
        """Take the prompt out, then log it."""
        num_characters = sum(len(message.text) for message in event.input)
        event.input = [ChatMessageUser(content=f"({num_characters} characters by reference)")]
        event.call = None
        if self._is_logged:
            transcript()._event(event)
        else:
            event.output = ModelOutput.from_content(event.output.model, "")
