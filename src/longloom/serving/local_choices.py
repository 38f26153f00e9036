"""Answers of a model in this process while they are drawn.

tokens -> text -> thinking | answer -> stop texts -> parts
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Protocol

from longloom.errors import ModelError
from longloom.models.endpoint.thinking import ThinkingDeltas
from longloom.models.live.text_stream import TextStream
from longloom.models.protocols import Sampler
from longloom.records import Delta, FinishReason, SampleRequest, SamplingParams
from longloom.rollout.recent_prompts import TokenisedPrompt
from longloom.serving.answer_parts import Part
from longloom.serving.backends import ChatCall
from longloom.serving.stop_texts import StopTexts

_OPENED_THINKING = "<think>"
"""How prompts end whose chat template begins the thinking."""


class DrawnToken(Protocol):
    """A token, once it is drawn."""

    @property
    def token_id(self) -> int:
        """The token."""

    @property
    def logprob(self) -> float:
        """Its log-probability."""

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why the completion ended, with its last token."""

    @property
    def num_cached_tokens(self) -> int:
        """Tokens of the prompt that did not have to be computed."""


class StreamingSampler(Sampler, Protocol):
    """A sampler that shows tokens while they are drawn."""

    def stream(self, request: SampleRequest) -> AsyncIterator[DrawnToken]:
        """Yield the tokens of one completion; closing the iterator frees its place."""

    def figures(self) -> Mapping[str, float]:
        """Return what the engine does."""

    def close(self) -> None:
        """End the engine."""


class DrawnChoice:
    """One answer while it is drawn."""

    def __init__(
        self,
        sampler: StreamingSampler,
        prompt: TokenisedPrompt,
        params: SamplingParams,
        call: ChatCall,
        *,
        index: int,
        stream: str,
    ) -> None:
        """Draw one answer.

        Args:
            sampler: draws.
            prompt: what it continues.
            params: how it is drawn.
            call: its stop texts, whether log-probabilities are wanted, and whose it is.
            index: its number among the answers.
            stream: names the random streams of all answers.
        """
        self._sampler = sampler
        self._index = index
        self._wants_logprobs = bool(call.request.logprobs)
        self._request = SampleRequest(
            prompt_ids=prompt.ids,
            params=params,
            key=f"{stream}/choice-{index}",
            cache_salt=call.holder,
        )
        opened = prompt.text.rstrip().endswith(_OPENED_THINKING)
        self._thinking = ThinkingDeltas(is_thinking=opened)
        self._stops = StopTexts(call.request.stops)
        self._text = TextStream(sampler.tokenizer)
        self._has_thought = False
        self._has_answered = False
        self._num_before_answer = 0
        self.num_drawn = 0
        self.num_cached = 0

    @property
    def num_reasoning(self) -> int:
        """Tokens of the thinking, tags included."""
        return self._num_before_answer if self._has_thought else 0

    async def parts(self) -> AsyncGenerator[Part, None]:
        """Yield the answer; the place in the engine is free again when it ends."""
        end_ids = self._sampler.tokenizer.end_ids
        async with aclosing(self._sampler.stream(self._request)) as tokens:  # type: ignore[type-var]
            async for token in tokens:
                self.num_drawn += 1
                self.num_cached = token.num_cached_tokens
                is_end = token.token_id in end_ids
                deltas = self._thinking.add(
                    Delta(text="" if is_end else self._text.add(token.token_id))
                )
                finish = None
                if token.finish_reason is not None:
                    deltas += self._thinking.add(Delta(text=self._text.end()))
                    deltas += self._thinking.end()
                    finish = str(token.finish_reason)
                shown = self._delta(deltas, is_end=finish is not None)
                self._num_before_answer += not self._has_answered and not is_end
                if self._stops.is_stopped:
                    finish = "stop"
                logprobs = self._logprobs(token) if self._wants_logprobs and not is_end else None
                if shown or finish or logprobs:
                    yield Part(
                        index=self._index, delta=shown, finish_reason=finish, logprobs=logprobs
                    )
                if finish:
                    return
        raise ModelError("the engine ended a reply without a reason; expected a last token")

    def _delta(self, deltas: Sequence[Delta], *, is_end: bool) -> dict[str, str]:
        reasoning = "".join(delta.text for delta in deltas if delta.is_reasoning)
        answer = "".join(delta.text for delta in deltas if not delta.is_reasoning)
        self._has_thought = self._has_thought or bool(reasoning)
        self._has_answered = self._has_answered or bool(answer)
        shown = self._stops.add(answer) + (self._stops.end() if is_end else "")
        found = {"reasoning_content": reasoning, "content": shown}
        return {name: text for name, text in found.items() if text}

    def _logprobs(self, token: DrawnToken) -> dict[str, Any]:
        text = self._sampler.tokenizer.decode([token.token_id])
        return {
            "content": [
                {
                    "token": text,
                    "logprob": max(token.logprob, -9999.0),  # no infinity in JSON
                    "bytes": list(text.encode("utf-8", "replace")),
                    "top_logprobs": [],
                }
            ]
        }


async def merged(choices: Sequence[AsyncGenerator[Part, None]]) -> AsyncGenerator[Part, None]:
    """Yield the parts of all choices as they come."""
    if len(choices) == 1:
        async with aclosing(choices[0]) as parts:
            async for part in parts:
                yield part
        return
    arrived: asyncio.Queue[Part | None] = asyncio.Queue()

    async def pull(choice: AsyncGenerator[Part, None]) -> None:
        async with aclosing(choice) as parts:
            async for part in parts:
                arrived.put_nowait(part)

    async def pull_all() -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for choice in choices:
                    group.create_task(pull(choice))
        finally:
            arrived.put_nowait(None)

    pulling = asyncio.create_task(pull_all())
    try:
        while (arrival := await arrived.get()) is not None:
            yield arrival
        await _first_error(pulling)
    finally:
        pulling.cancel()
        await asyncio.gather(pulling, return_exceptions=True)


async def _first_error(pulling: "asyncio.Task[None]") -> None:
    try:
        await pulling
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
