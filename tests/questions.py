"""Examples, contexts, rollouts and agents for tests, with only what they are about filled in."""

from longloom.records import (
    Context,
    Example,
    FinishReason,
    Reward,
    RewardRule,
    Rollout,
    RolloutGroup,
    SamplingParams,
    Split,
    TaskType,
    Turn,
)
from longloom.rollout import Attempt


def make_context(text, context_id="c"):
    return Context(context_id=context_id, text=text, parts=())


def make_example(
    example_id="e",
    *,
    task_type=TaskType.MULTI_HOP,
    context_id="c",
    question="q?",
    answer="x",
    reward_rule=RewardRule.COVER_EXACT_MATCH,
    num_prompt_tokens=10,
    num_context_tokens=5,
):
    return Example(
        example_id=example_id,
        task_type=task_type,
        ability="recall",
        context_id=context_id,
        question=question,
        answer=answer,
        reward_rule=reward_rule,
        program="{}",
        evidence=(),
        num_context_tokens=num_context_tokens,
        num_prompt_tokens=num_prompt_tokens,
        split=Split.TRAIN,
        licences=(),
        provenance=(),
    )


def make_turn(response=(1, 2), *, prompt=(9,), entropy=0.5, text="", finish=FinishReason.STOP):
    return Turn(
        prompt_ids=tuple(prompt),
        response_ids=tuple(response),
        rollout_logprobs=(-1.0,) * len(response),
        entropies=(entropy,) * len(response),
        finish_reason=finish,
        prompt_text="",
        response_text=text,
    )


def make_rollout(*turns, example_id="e", index=0, error=""):
    return Rollout(
        example_id=example_id,
        rollout_index=index,
        policy_version=0,
        turns=turns,
        final_text=turns[-1].response_text if turns and not error else "",
        error=error,
    )


def make_group(rewards, rollouts=None, *, task_type=TaskType.MULTI_HOP, example_id="e"):
    if rollouts is None:
        rollouts = [make_rollout(make_turn(), example_id=example_id) for _ in rewards]
    return RolloutGroup(
        example=make_example(example_id, task_type=task_type),
        rollouts=tuple(rollouts),
        rewards=tuple(
            Reward(value=value, reward_parts={"rule": value}, extracted_answer="")
            for value in rewards
        ),
    )


def make_attempt(text="", *, question="q?", key="k", max_new_tokens=6, example=None):
    return Attempt(
        example=example or make_example(question=question),
        context=make_context(text),
        rollout_index=0,
        policy_version=0,
        params=SamplingParams(temperature=1.0, top_p=1.0, max_new_tokens=max_new_tokens),
        key=key,
    )
