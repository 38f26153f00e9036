"""Stages with everything turned on, killed anywhere, end as if nobody had killed them."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from longloom.records import TaskType
from longloom.training.aepo_config import AepoConfig
from longloom.training.checkpoints import CheckpointConfig, read_best
from longloom.training.curriculum import RetrospectiveConfig
from longloom.training.difficulty import DIFFICULTY_FILE
from longloom.training.filters import GroupFilterConfig, StageTransitionConfig
from longloom.training.loop import last_step
from longloom.training.selection import DifficultyBinsConfig, SelectionConfig
from longloom.training.validation import ValidationConfig
from questions import make_example
from training.stages import CONFIG, DyingEngine, Killed, recorder, train
from training.unigram_engine import read_logits

TASKS = (TaskType.MULTI_HOP, TaskType.NUMERICAL)
EXAMPLES = [
    make_example(
        f"e{number}",
        task_type=TASKS[number % 2],
        context_id=f"c{number}",
        num_prompt_tokens=5 + 10 * (number % 3),
    )
    for number in range(24)
]
HELD_OUT = [make_example(f"h{number}", context_id=f"c{number}") for number in range(3)]
EVERYTHING = CONFIG.replace(
    num_steps=5,
    min_prompt_tokens=10,
    warmup_steps=2,
    group_size=3,
    updates_per_batch=2,
    group_filter=GroupFilterConfig(drop_zero_variance=True, max_refills=2),
    aepo=AepoConfig(bounds="multiple_of_first", entropy_low=0.97, entropy_high=1.0005),
    selection=SelectionConfig(
        num_rollouts=3,
        transition=StageTransitionConfig(enabled=True),
        bins=DifficultyBinsConfig(enabled=True, num_bins=2, kept_fraction=0.6),
        retrospective=RetrospectiveConfig(kind="hardest_first", max_examples=4),
    ),
    validation=ValidationConfig(every_steps=2, num_examples=2, temperature=1.0),
    checkpoints=CheckpointConfig(every_steps=2, keep_last=2, keep_best="reward"),
)


def train_everything(folder, listener=lambda result: None, *, config=EVERYTHING, **changes):
    return train(folder, config, listener, examples=EXAMPLES, validation=HELD_OUT, **changes)


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """Return the folder and the metrics of a run that nobody killed."""
    folder, log = tmp_path_factory.mktemp("straight") / "stage", {}
    train_everything(folder, recorder(log))
    return folder, log


def same(folder, other):
    """Whether two finished stages hold the same, measurements and best policy included."""
    return (
        sorted(path.name for path in folder.iterdir())
        == sorted(path.name for path in other.iterdir())
        and read_logits(folder / "final") == read_logits(other / "final")
        and read_logits(folder / "best") == read_logits(other / "best")
        and read_best(folder / "best") == read_best(other / "best")
        and (folder / DIFFICULTY_FILE).read_bytes() == (other / DIFFICULTY_FILE).read_bytes()
    )


def test_everything_is_at_work(straight):
    log = straight[1]
    assert sum(metrics["training/refill_rounds"] for metrics in log.values()) > 0
    assert max(metrics["training/updates"] for metrics in log.values()) == 2.0
    assert log[1]["selection/returning_examples"] > 0
    assert [step for step in log if "validation/reward_mean" in log[step]] == [2, 4, 5]
    assert {metrics["training/negatives_on"] for metrics in log.values()} == {0.0, 1.0}


@pytest.mark.parametrize("num_actions", range(1, 212, 7))
def test_a_stage_killed_at_any_action_ends_in_the_same_bits(tmp_path, straight, num_actions):
    log = {}
    try:
        train_everything(tmp_path, recorder(log), engine=DyingEngine(num_actions))
    except Killed:
        log = {step: metrics for step, metrics in log.items() if step <= last_step(tmp_path)}
        train_everything(tmp_path, recorder(log))
    assert same(tmp_path, straight[0])
    assert log == straight[1]


def test_a_stage_killed_again_and_again_ends_in_the_same_bits(tmp_path, straight):
    generator = random.Random(0)
    for _ in range(40):
        try:
            train_everything(tmp_path, engine=DyingEngine(generator.randint(1, 90)))
        except Killed:
            continue
        break
    train_everything(tmp_path)
    assert same(tmp_path, straight[0])


CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import torch
torch.set_num_threads(1)
from training import test_kills, test_loop
print("ready", flush=True)
folder = Path(sys.argv[2])
if sys.argv[3]:
    config = test_loop.CONFIG.replace(num_steps=40)
    test_loop.train(Path(sys.argv[3]), folder, config=config)
else:
    config = test_kills.EVERYTHING.replace(num_steps=200)
    test_kills.train_everything(folder, config=config)
"""


def killed_at_random(folder, generator, longest_seconds, model_folder=""):
    """Run the stage in a process of its own and kill it after a random time."""
    tests = Path(__file__).parents[1]
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tests), str(folder), str(model_folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tests)},
    )
    with child:
        assert child.stdout.readline() == "ready\n"
        try:
            child.wait(timeout=generator.uniform(0, longest_seconds))
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)


@pytest.mark.slow
def test_twenty_kills_of_a_process_leave_no_trace(tmp_path):
    config = EVERYTHING.replace(num_steps=200)
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    train_everything(straight, config=config)
    generator = random.Random(1)
    for _ in range(20):
        killed_at_random(killed, generator, 0.4)
    train_everything(killed, config=config)
    assert same(killed, straight)


@pytest.mark.slow
def test_twenty_kills_of_a_process_with_a_network_leave_no_trace(tiny_folder, tmp_path):
    from training import test_loop

    config = test_loop.CONFIG.replace(num_steps=40)
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    test_loop.train(tiny_folder, straight, config=config)
    generator = random.Random(2)
    for _ in range(20):
        killed_at_random(killed, generator, 0.3, tiny_folder)
    test_loop.train(tiny_folder, killed, config=config)
    assert test_loop.final_bytes(killed) == test_loop.final_bytes(straight)
