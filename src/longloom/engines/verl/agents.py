"""Longloom's agents as verl's agent loops: one output for each call of the model.

The agents are those of every other place; only the sampler under them is verl's. What a rollout is
worth is not said here: `reward.py` scores the last output of each (verl keeps scores there).
"""

import json
import random
from typing import Any

from verl.experimental.agent_loop.agent_loop import (
    AgentLoopBase,
    AgentLoopMetrics,
    AgentLoopOutput,
    register,
)

from longloom.engines.verl.attempt_row import COLUMN, AttemptRow
from longloom.engines.verl.stage_parts import stage_parts
from longloom.engines.verl.stage_settings import SECTION
from longloom.errors import ContextLengthError, ModelError
from longloom.records import Completion, FinishReason, Rollout, SampleRequest, Turn
from longloom.rollout import Attempt, TokenChat
from longloom.text.tokenizer import Tokenizer

KEY_FIELD = "longloom_key"
"""In a request's extra arguments: the name of its random stream, which our own server draws by."""
ROLLOUT_FIELD = "longloom"
"""In an output's extra fields: what our parts say to each other, as JSON."""


class ServerSampler:
    """Draws from the servers that verl keeps in step with the policy (`models.protocols.Sampler`).

    All calls with one `request_id` go to the same server while it is not overloaded, so a group's
    common prompt is computed once.
    """

    def __init__(
        self,
        server: Any,
        tokenizer: Tokenizer,
        *,
        window_tokens: int,
        request_id: str,
        is_keyed: bool,
    ) -> None:
        """Ask `server`, an `LLMServerClient` of verl.

        Args:
            server: whom to ask.
            tokenizer: of the model.
            window_tokens: prompt and answer together must fit in it.
            request_id: calls with the same one are kept together.
            is_keyed: whether each call has a seed, made from its key.
        """
        self._server = server
        self._tokenizer = tokenizer
        self._window_tokens = window_tokens
        self._request_id = request_id
        self._is_keyed = is_keyed
        self.steps: dict[str, Any] = {}
        """Which weights answered, as verl counts them."""

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the model."""
        return self._tokenizer

    @property
    def window_tokens(self) -> int:
        """Prompt and completion together must fit in this many tokens."""
        return self._window_tokens

    async def sample(self, request: SampleRequest) -> Completion:
        """Return one completion, without entropies: the trainer computes them.

        Raises:
            ContextLengthError: prompt and answer do not fit the window.
            ModelError: the server failed or gave nothing.
        """
        num_tokens = len(request.prompt_ids) + request.params.max_new_tokens
        if num_tokens > self._window_tokens:
            raise ContextLengthError(
                f"prompt of {len(request.prompt_ids)} tokens and answer of up to "
                f"{request.params.max_new_tokens} do not fit the window of {self._window_tokens}; "
                "shorten the context or the answer limit, or raise rollout.max_model_len"
            )
        params: dict[str, Any] = {
            "temperature": request.params.temperature,
            "top_p": request.params.top_p,
            "top_k": -1,
            "repetition_penalty": 1.0,
            "max_tokens": request.params.max_new_tokens,
            "logprobs": True,
        }
        if self._is_keyed:
            params["seed"] = random.Random(request.key).getrandbits(31)
            params["extra_args"] = {KEY_FIELD: request.key}
        try:
            output = await self._server.generate(
                self._request_id, prompt_ids=list(request.prompt_ids), sampling_params=params
            )
        except Exception as error:  # the boundary to the server: the rollout fails, and is counted
            raise ModelError(f"the rollout server failed: {error!r}"[:2_000]) from error
        if not output.token_ids:
            raise ModelError(f"the rollout server gave no token (it says {output.stop_reason!r})")
        self.steps = {
            name: output.extra_fields.get(name) for name in ("min_global_steps", "max_global_steps")
        }
        is_cut = len(output.token_ids) >= request.params.max_new_tokens
        ended = output.token_ids[-1] in self._tokenizer.end_ids
        return Completion(
            token_ids=tuple(output.token_ids),
            logprobs=tuple(output.log_probs or ()),
            entropies=(),
            finish_reason=FinishReason.LENGTH if is_cut and not ended else FinishReason.STOP,
        )


class LongloomLoop(AgentLoopBase):
    """One rollout of a stage's agent."""

    async def run(self, sampling_params: dict[str, Any], **kwargs: Any) -> list[AgentLoopOutput]:
        """Return the calls of one rollout.

        A rollout that failed keeps the calls before; one without any keeps a row that no loss sees.
        """
        parts = stage_parts(self.config[SECTION])
        asked = AttemptRow.from_json(kwargs[COLUMN])
        example = parts.example(asked.example_id)
        sampler = ServerSampler(
            self.server_manager,
            parts.tokenizer,
            window_tokens=int(self.rollout_config.max_model_len),
            request_id=str(kwargs["uid"]),
            is_keyed=parts.settings.keyed_sampling,
        )
        index = int(kwargs["session_id"])
        attempt = Attempt(
            example=example,
            context=parts.contexts[example.context_id],
            rollout_index=index,
            policy_version=asked.policy_version,
            params=asked.params,
            key=f"{asked.key}/{asked.example_id}/{index}",
        )
        rollout = await parts.agent(attempt, sampler=TokenChat(sampler), emit=lambda event: None)
        steps = {**dict.fromkeys(("min_global_steps", "max_global_steps"), asked.policy_version)}
        steps |= {name: step for name, step in sampler.steps.items() if step is not None}
        return outputs_of(rollout, steps=steps, fill_id=parts.tokenizer.end_id)


@register("longloom_single_pass")
class SinglePassLoop(LongloomLoop):
    """Answers in one call, with the whole context in the prompt."""


@register("longloom_memory")
class MemoryLoop(LongloomLoop):
    """Reads section by section and keeps a memory."""


def outputs_of(rollout: Rollout, *, steps: dict[str, Any], fill_id: int) -> list[AgentLoopOutput]:
    """Return the calls of a rollout as verl takes them; never none.

    Args:
        rollout: what the agent made.
        steps: which weights answered.
        fill_id: token of the row that stands for a rollout without calls.
    """
    turns = [turn for turn in rollout.turns if turn.response_ids]
    outputs = [_output(turn, rollout, steps, num_turns=len(turns)) for turn in turns]
    if outputs:
        return outputs
    return [
        AgentLoopOutput(
            prompt_ids=[fill_id],
            response_ids=[fill_id],
            response_mask=[0],
            response_logprobs=[0.0],
            num_turns=0,
            metrics=AgentLoopMetrics(),
            extra_fields={**steps, ROLLOUT_FIELD: json.dumps({"error": rollout.error})},
        )
    ]


def _output(
    turn: Turn, rollout: Rollout, steps: dict[str, Any], *, num_turns: int
) -> AgentLoopOutput:
    told = {"error": rollout.error, "finish_reason": str(turn.finish_reason)}
    return AgentLoopOutput(
        prompt_ids=list(turn.prompt_ids),
        response_ids=list(turn.response_ids),
        response_mask=[1] * len(turn.response_ids),
        response_logprobs=list(turn.rollout_logprobs),
        num_turns=num_turns,
        metrics=AgentLoopMetrics(),
        extra_fields={**steps, ROLLOUT_FIELD: json.dumps(told)},
    )
