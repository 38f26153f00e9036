"""What a step's rollouts say, as plain figures."""

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean

from longloom.records import FinishReason, RolloutGroup


def rollout_metrics(groups: Sequence[RolloutGroup]) -> dict[str, float]:
    """Return reward, length, truncation and failure figures of a step.

    A failed rollout counts in every mean; one without calls has no length.
    """
    rewards_by_task: dict[str, list[float]] = defaultdict(list)
    for group in groups:
        rewards_by_task[group.example.task_type] += [reward.value for reward in group.rewards]
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    turns = [turn for rollout in rollouts for turn in rollout.turns]
    cut = [turn.finish_reason is FinishReason.LENGTH for turn in turns]
    metrics = {
        "reward/mean": fmean(value for values in rewards_by_task.values() for value in values),
        "rollout/failed_fraction": fmean(bool(rollout.error) for rollout in rollouts),
        "rollout/response_tokens": fmean(len(turn.response_ids) for turn in turns)
        if turns
        else 0.0,
        "rollout/sampled_tokens": float(sum(len(turn.response_ids) for turn in turns)),
        "rollout/truncated_fraction": fmean(cut) if cut else 0.0,
        "rollout/turns": len(turns) / len(rollouts),
    }
    for task, values in sorted(rewards_by_task.items()):
        metrics[f"reward/{task}"] = fmean(values)
    return metrics
