"""The memory agent on two FSDP2 ranks: whole, and killed and resumed."""

import json
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from longloom.engines.verl.cluster_config import saved_step
from longloom.recipes.cluster.stages import metrics_by_step
from longloom.recipes.model_source import resolve_model
from longloom.runlog import METRICS_FILE
from verl_runs import command, memory_recipe, run, run_until, stage_folder, state_of, write_recipe

pytestmark = pytest.mark.distributed

_NUM_STEPS = 4
_MORE = ("--only", "memory", "--set", "logged_groups=all")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe of one stage that trains the memory agent."""
    path = tmp_path_factory.mktemp("recipe") / "memory.yaml"
    return write_recipe(memory_recipe(num_steps=_NUM_STEPS), path)


@pytest.fixture(scope="module")
def whole(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stage's folder after a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    run(command(recipe, folder, ranks=2, more=_MORE))
    return stage_folder(folder, "memory")


@pytest.fixture(scope="module")
def local(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stage's folder after a run in one process."""
    folder = tmp_path_factory.mktemp("local") / "run"
    run([sys.executable, "-m", "longloom", "run", str(recipe), "-o", str(folder), *_MORE])
    return stage_folder(folder, "memory")


@pytest.fixture(scope="module")
def resumed(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stage's folder after a run that was killed behind its second checkpoint, and resumed.

    Its engine computes common prompts once, which changes nothing but rounding.
    """
    folder = tmp_path_factory.mktemp("killed") / "run"
    shares = ("--set", "cluster.shares_prompts=true")
    words = command(recipe, folder, ranks=2, more=(*_MORE, *shares))

    def two_steps_are_saved() -> bool:
        return any(saved_step(path) >= 2 for path in folder.glob("checkpoints/memory-*/verl"))

    run_until(words, two_steps_are_saved)
    stage = stage_folder(folder, "memory")
    assert not (stage / "final").exists()
    assert 2 <= saved_step(stage / "verl") < _NUM_STEPS
    assert "goes on after step" in run(words)
    log = (stage / "verl-output.log").read_text("utf-8", errors="replace")
    assert "longloom_shared_prompts" in log
    return stage


def test_rollouts_have_several_calls_and_one_reward(whole: Path) -> None:
    lines = (whole / "rollouts.jsonl").read_text("utf-8").splitlines()[1:]
    rollouts = [rollout for line in lines for rollout in json.loads(line)["rollouts"]]
    assert len(rollouts) == _NUM_STEPS * 4 * 4
    # Documents of 640 tokens in sections of 160 at most, and the answer.
    assert {len(rollout["turns"]) for rollout in rollouts} == {5, 6}
    assert all(turn["prompt_text"] for rollout in rollouts for turn in rollout["turns"])
    assert 0 < sum(rollout["reward"] for rollout in rollouts) < len(rollouts)


def test_every_batch_is_at_most_one_optimizer_step(whole: Path) -> None:
    """More calls are more rows, never more steps: verl's own rule would take several.

    A batch without a gradient, while the latch is off, is none: Adam has not counted it.
    """
    steps = metrics_by_step(whole / METRICS_FILE)
    assert list(steps) == list(range(1, _NUM_STEPS + 1))
    updates = [step["training/updates"] for step in steps.values()]
    assert set(updates) <= {0.0, 1.0}
    assert [step["training/skipped_steps"] for step in steps.values()] == [1 - u for u in updates]
    shard = torch.load(
        whole / "verl" / f"global_step_{_NUM_STEPS}" / "actor" / "optim_world_size_2_rank_0.pt",
        weights_only=False,
    )
    taken = {int(state["step"]) for state in shard["state"].values()}
    assert taken == {sum(updates)}
    assert sum(updates) >= 2


def test_two_ranks_learn_what_one_process_learns(whole: Path, local: Path) -> None:
    """Calls of 5 or 6 a rollout, rows that fill the ranks, skipped steps: the same figures.

    Rows that fill a batch would show in every mean, and in the gradient.
    """
    by_verl, by_local = (metrics_by_step(path / METRICS_FILE) for path in (whole, local))
    assert list(by_verl) == list(by_local)
    for step in by_local:
        for name in (
            "reward/mean", "rollout/turns", "training/kept_fraction",
            "training/learning_sequences", "training/negatives_on", "training/updates",
        ):  # fmt: skip
            assert by_verl[step][name] == by_local[step][name], (step, name)
        expected = by_local[step]["training/entropy_nats"]
        assert by_verl[step]["training/entropy_nats"] == pytest.approx(expected, rel=1e-3), step
        if by_local[step]["training/updates"]:
            expected = by_local[step]["training/grad_norm"]
            assert by_verl[step]["training/grad_norm"] == pytest.approx(expected, rel=1e-3), step


def test_the_policy_has_moved_and_stays_within_adams_steps(whole: Path) -> None:
    start = load_file(resolve_model("tiny-base") / "model.safetensors")
    final = load_file(whole / "final" / "model.safetensors")
    largest = max(float((final[name] - start[name]).abs().max()) for name in start)
    # Adam moves a weight by up to about its learning rate, 2e-4, in each of four steps.
    assert 1e-4 < largest < 2e-3


def test_the_resumed_run_draws_and_latches_as_the_whole_one(whole: Path, resumed: Path) -> None:
    for step in (3, 4):
        expected, found = state_of(whole, step), state_of(resumed, step)
        assert found["sampler"] == expected["sampler"]
        assert found["examples"] == expected["examples"]
        assert found["aepo"]["negatives_on"] == expected["aepo"]["negatives_on"]
        first = expected["aepo"]["first_entropy_nats"]
        assert found["aepo"]["first_entropy_nats"] == pytest.approx(first, rel=1e-4)


def test_the_resumed_run_logs_each_step_once_and_ends_alike(whole: Path, resumed: Path) -> None:
    expected, found = (metrics_by_step(path / METRICS_FILE) for path in (whole, resumed))
    assert list(found) == list(expected)
    lines = (resumed / "rollouts.jsonl").read_text("utf-8").splitlines()[1:]
    assert [json.loads(line)["step"] for line in lines] == [1] * 4 + [2] * 4 + [3] * 4 + [4] * 4
    start = load_file(resolve_model("tiny-base") / "model.safetensors")
    weights, others = (load_file(path / "final" / "model.safetensors") for path in (whole, resumed))
    moved = sum(float((weights[name] - start[name]).square().sum()) for name in start) ** 0.5
    apart = sum(float((weights[name] - others[name]).square().sum()) for name in start) ** 0.5
    assert apart < 0.1 * moved
