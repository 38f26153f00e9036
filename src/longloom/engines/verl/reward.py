"""The hybrid reward as verl's reward manager: a rule, and a judge where the rule fails.

verl runs it in reward workers beside the rollouts. A judge that cannot be asked is never a zero:
the score says so, and the trainer stops the step with the reason.
"""

import json
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from verl.experimental.reward_loop.reward_manager.base import RewardManagerBase

from longloom.engines.verl.agents import ROLLOUT_FIELD
from longloom.engines.verl.attempt_row import COLUMN, AttemptRow
from longloom.engines.verl.stage_parts import StageParts, stage_parts
from longloom.engines.verl.stage_settings import SECTION
from longloom.errors import RewardError
from longloom.records import FinishReason, Reward, Rollout, Turn
from longloom.rewards import Judge, JudgeConfig, score_rollout
from longloom.training.filters import unpenalised_reward

JUDGE_FOLDER = "judge"
"""In the stage's folder: the judge's clear replies, one folder for each worker."""


class HybridRewardManager(RewardManagerBase):
    """Scores the rollouts of a stage."""

    def __init__(
        self,
        config: Any,
        tokenizer: Any,
        compute_score: Any,
        reward_router_address: str | None = None,
        reward_model_tokenizer: Any = None,
    ) -> None:
        """Read the stage; open the judge, if there is one.

        Args:
            config: verl's whole configuration.
            tokenizer: not used: answers are decoded as everywhere in Longloom.
            compute_score: not used.
            reward_router_address: where verl serves a judge on GPUs of its own, if it does.
            reward_model_tokenizer: not used.

        Raises:
            ModelError: the judge's cache cannot be used.
        """
        super().__init__(config, tokenizer, compute_score)
        self._parts = stage_parts(config[SECTION])
        self._open = ExitStack()
        self._judge = self._opened_judge(reward_router_address)

    def _opened_judge(self, address: str | None) -> Judge | None:
        settings = self._parts.settings
        judge = judge_at(settings.judge, address)
        if judge is None:
            return None
        import ray

        from longloom.rewards.endpoint_judge import EndpointJudge

        # Its place among the workers, the same after a restart; they may be on several machines.
        worker = ray.get_runtime_context().get_actor_name() or "worker"
        cache = Path(settings.folder) / JUDGE_FOLDER / worker
        return self._open.enter_context(EndpointJudge(judge, cache_folder=cache))

    async def run_single(self, data: Any) -> dict[str, Any]:  # breaks a rule: verl's name
        """Return the score of one rollout; `data` holds its calls, the last one is scored."""
        row = data[-1]
        attempt = AttemptRow.from_json(row.non_tensor_batch[COLUMN])
        told = json.loads(row.non_tensor_batch["tool_extra_fields"][ROLLOUT_FIELD])
        length = int(row.non_tensor_batch["response_len"])
        response_ids = tuple(row.batch["responses"][:length].tolist())
        try:
            reward = await self._score(attempt, told, response_ids)
        except RewardError as error:
            reward = Reward(value=0.0, reward_parts={}, extracted_answer="")
            told = {"reward_error": str(error)}
        else:
            told = {"reward": asdict(reward)}
        return {
            "reward_score": reward.value,
            "reward_extra_info": {
                "acc": unpenalised_reward(reward),
                ROLLOUT_FIELD: json.dumps(told),
            },
        }

    async def _score(
        self, attempt: AttemptRow, told: dict[str, str], response_ids: tuple[int, ...]
    ) -> Reward:
        example = self._parts.example(attempt.example_id)
        settings = self._parts.settings
        return await score_rollout(
            answered_rollout(self._parts, attempt, told, response_ids),
            example,
            config=settings.reward.for_limit(settings.training.max_response_tokens),
            judge=self._judge,
        )


def answered_rollout(
    parts: StageParts, attempt: AttemptRow, told: dict[str, str], response_ids: tuple[int, ...]
) -> Rollout:
    """Return a rollout of its last call alone, with its answer as text."""
    is_ended = bool(response_ids) and response_ids[-1] in parts.tokenizer.end_ids
    text = parts.answer_text(response_ids)
    answer = Turn(
        prompt_ids=(),
        response_ids=response_ids,
        rollout_logprobs=(),
        entropies=(),
        finish_reason=FinishReason.STOP if is_ended else FinishReason.LENGTH,
        prompt_text="",
        response_text=text,
    )
    return Rollout(
        example_id=attempt.example_id,
        rollout_index=0,
        policy_version=attempt.policy_version,
        turns=(answer,),
        final_text="" if told.get("error") else text,
        error=told.get("error", ""),
    )


def judge_at(judge: JudgeConfig | None, address: str | None) -> JudgeConfig | None:
    """Return the judge where verl serves it, or as it was configured."""
    if judge is None or not address:
        return judge
    return judge.replace(endpoint=judge.endpoint.replace(url=f"http://{address}/v1"))
