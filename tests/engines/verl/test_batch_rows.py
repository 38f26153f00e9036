"""Rows of verl's batch as rollout groups, and advantages on their way back."""

from dataclasses import replace

import pytest
import torch

from longloom.engines.verl.batch_rows import (
    CallRow,
    advantages_for_verl,
    group_rows,
    with_turns,
)
from longloom.errors import EngineError
from longloom.records import FinishReason, Reward, TaskType
from longloom.training.batch import prepare_batch
from longloom.training.entropy_control import AepoState
from longloom.training.loss_config import LossConfig
from longloom.training.losses import policy_gradient_loss
from questions import make_example
from small_training import TINY_TRAINING

FIRST = make_example("first")
SECOND = make_example("second", task_type=TaskType.NUMERICAL)


def row(key: str, *response_ids: int, reward: float | None = None, error: str = "") -> CallRow:
    """Return a call; the last of a rollout has its reward."""
    score = None
    if reward is not None:
        score = Reward(value=reward, reward_parts={"rule": reward}, extracted_answer="")
    return CallRow(
        key=key,
        response_ids=response_ids,
        finish_reason=FinishReason.STOP,
        error=error,
        reward=score,
    )


def test_calls_are_sorted_into_groups_rollouts_and_turns() -> None:
    rows = [
        row("b_1_0", 6, reward=0.0),
        row("a_0_1", 2, 3, reward=1.0),
        row("b_0_0", 5, reward=1.0),
        row("a_1_0", 4, reward=0.0),
        row("a_0_0", 1),
    ]
    found = group_rows({"a": FIRST, "b": SECOND}, rows, num_rollouts=2, policy_version=3)
    assert found.keys == ("a_0_0", "a_0_1", "a_1_0", "b_0_0", "b_1_0")
    turns = [
        [turn.response_ids for turn in rollout.turns]
        for group in found.groups
        for rollout in group.rollouts
    ]
    assert turns == [[(1,), (2, 3)], [(4,)], [(5,)], [(6,)]]
    assert [r.value for group in found.groups for r in group.rewards] == [1.0, 0.0, 1.0, 0.0]
    assert {r.policy_version for group in found.groups for r in group.rollouts} == {3}


def test_ten_turns_stand_behind_nine() -> None:
    rows = [row(f"a_0_{turn}", turn, reward=1.0 if turn == 10 else None) for turn in range(11)]
    (group,) = group_rows({"a": FIRST}, rows[::-1], num_rollouts=1, policy_version=0).groups
    assert [turn.response_ids for turn in group.rollouts[0].turns] == [(t,) for t in range(11)]


def test_a_rollout_without_calls_counts_but_has_no_row() -> None:
    rows = [row("a_0_0", reward=0.0, error="no room"), row("a_1_0", 7, reward=1.0)]
    found = group_rows({"a": FIRST}, rows, num_rollouts=2, policy_version=0)
    failed, lived = found.groups[0].rollouts
    assert (failed.error, failed.turns) == ("no room", ())
    assert found.keys == ("a_1_0",)
    assert [reward.value for reward in found.groups[0].rewards] == [0.0, 1.0]
    assert lived.error == ""


@pytest.mark.parametrize(
    "rows",
    [[row("a_0_0", 1, reward=1.0)], [row("a_0_0", 1, reward=1.0), row("a_1_0", 2)]],
    ids=["rollout lost", "score lost"],
)
def test_a_lost_rollout_is_an_error_not_a_zero(rows: list[CallRow]) -> None:
    with pytest.raises(EngineError, match="rollout 1 of example first"):
        group_rows({"a": FIRST}, rows, num_rollouts=2, policy_version=0)


def test_every_turn_is_changed_with_its_place() -> None:
    rows = [row("a_0_0", 1), row("a_0_1", 2, reward=1.0), row("a_1_0", 3, reward=0.0)]
    groups = group_rows({"a": FIRST}, rows, num_rollouts=2, policy_version=0).groups
    changed = with_turns(groups, lambda turn, place: replace(turn, prompt_text=f"{place}"))
    texts = [turn.prompt_text for rollout in changed[0].rollouts for turn in rollout.turns]
    assert texts == ["0", "1", "2"]


def prepared(training):
    """Return the update of two groups, one of them with equal rewards."""
    rows = [
        row("a_0_0", 1, 2),
        row("a_0_1", 3, reward=1.0),
        row("a_1_0", 4, reward=0.0),
        row("b_0_0", 5, 6, 7, reward=1.0),
        row("b_1_0", 8, reward=1.0),
    ]
    found = group_rows({"a": FIRST, "b": SECOND}, rows, num_rollouts=2, policy_version=0)
    groups = with_turns(
        found.groups, lambda turn, place: replace(turn, entropies=(0.5,) * len(turn.response_ids))
    )
    return found, prepare_batch(training, groups, AepoState(), key="k")


def small_training():
    """Return a stage of two prompts and two rollouts."""
    return TINY_TRAINING.replace(
        group_size=2,
        sampling=TINY_TRAINING.sampling.replace(batch_size=2),
        aepo=TINY_TRAINING.aepo.replace(enabled=False),
    )


def test_places_of_an_update_name_the_rows_with_a_gradient() -> None:
    found, batch = prepared(small_training())
    (update,) = batch.updates
    assert [found.keys[place] for place in update.places] == ["a_0_0", "a_0_1", "a_1_0"]
    assert [len(s.response_ids) for s in update.sequences] == [2, 1, 1]


def test_scaled_advantages_give_verls_token_mean_the_same_loss() -> None:
    """verl divides by the 4 tokens it is sent; the batch has 8."""
    training = small_training()
    _, batch = prepared(training)
    (update,) = batch.updates
    assert update.denominators.num_tokens == 8
    logprobs = torch.tensor([-0.3, -0.7, -1.1, -0.2])
    flat = torch.tensor([value for s in update.sequences for value in s.advantages])
    loss, _ = policy_gradient_loss(logprobs, None, flat, training.loss, update.denominators)
    scaled = torch.tensor([v for row_ in advantages_for_verl(update, training.loss) for v in row_])
    old = logprobs.detach()
    verls = -((logprobs - old).exp() * scaled).sum() / 4
    assert float(verls) == pytest.approx(float(loss), rel=1e-6)


def test_a_mean_over_sequences_leaves_advantages_alone() -> None:
    _, batch = prepared(small_training())
    (update,) = batch.updates
    found = advantages_for_verl(update, LossConfig(aggregation="sequence_mean"))
    assert found == [sequence.advantages for sequence in update.sequences]
