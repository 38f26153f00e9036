import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from longloom.engines.local import LocalEngine
from longloom.errors import CheckpointError, DataError, EngineError
from longloom.records import Reward, TaskType
from longloom.rollout import SinglePassAgent
from longloom.training.loop import STATE_FILE, StageInputs, last_step, train_stage
from questions import make_context, make_example
from small_training import TINY_TRAINING

CONFIG = TINY_TRAINING
TASKS = (TaskType.MULTI_HOP, TaskType.NUMERICAL)
EXAMPLES = [
    make_example(f"e{number}", task_type=TASKS[number % 2], context_id=f"c{number}")
    for number in range(7)
]
CONTEXTS = {f"c{number}": make_context(f"text {number}", f"c{number}") for number in range(7)}


class Killed(BaseException):
    """Stands for the death of the process at a chosen point."""


async def score(rollout, example):
    """Reward answers that begin with an even token; a reason to change the weights."""
    value = float(rollout.turns[0].response_ids[0] % 2 == 0) if rollout.turns else 0.0
    return Reward(value=value, reward_parts={"rule": value}, extracted_answer="")


class FragileEngine:
    """The local engine, which dies at the n-th call of a method: before it or after it."""

    def __init__(self, engine, point="", count=0):
        self.engine = engine
        self.point = point
        self.count = count

    @property
    def sampler(self):
        return self.engine.sampler

    def _reached(self, point):
        if point == self.point:
            self.count -= 1
            if self.count == 0:
                raise Killed(point)

    def update(self, update, *, loss):
        self._reached("before update")
        metrics = self.engine.update(update, loss=loss)
        self._reached("after update")
        return metrics

    def score(self, sequences, *, temperature):
        return self.engine.score(sequences, temperature=temperature)

    def save_policy(self, folder):
        self._reached("before save")
        self.engine.save_policy(folder)
        self._reached("after save")

    def save(self, folder):
        self._reached("before save")
        self.engine.save(folder)
        self._reached("after save")

    def load(self, folder):
        self.engine.load(folder)


def inputs(
    model_folder, folder, *, point="", count=0, examples=EXAMPLES, seed=3, contexts=CONTEXTS
):
    return StageInputs(
        engine=FragileEngine(LocalEngine(model_folder), point, count),
        agent=SinglePassAgent("plain"),
        score=score,
        examples=examples,
        contexts=contexts,
        seed=seed,
        folder=folder,
    )


def train(model_folder, folder, listener=lambda result: None, config=CONFIG, **changes):
    return train_stage("stage", config, inputs(model_folder, folder, **changes), listener)


def recorder(log):
    """Return a listener that keeps each step's metrics, but for the time taken."""

    def listen(result):
        metrics = {k: v for k, v in result.metrics.items() if k != "training/step_seconds"}
        log[result.step] = metrics

    return listen


def final_bytes(folder):
    return (folder / "final" / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def straight(tiny_folder, tmp_path_factory):
    """Return the final weights and the metrics of a run that nobody killed."""
    folder = tmp_path_factory.mktemp("straight") / "stage"
    log = {}
    train(tiny_folder, folder, recorder(log))
    return final_bytes(folder), log


def test_a_stage_ends_with_a_model_folder_and_no_steps(tiny_folder, tmp_path, straight):
    final = train(tiny_folder, tmp_path / "stage")
    assert final == tmp_path / "stage" / "final"
    assert sorted(path.name for path in final.parent.iterdir()) == ["final"]
    assert final_bytes(tmp_path / "stage") == straight[0]  # same seed, same bits
    assert final_bytes(tmp_path / "stage") != (tiny_folder / "model.safetensors").read_bytes()


def test_another_seed_gives_other_weights(tiny_folder, tmp_path, straight):
    train(tiny_folder, tmp_path, seed=4)
    assert final_bytes(tmp_path) != straight[0]


def test_every_step_logs_the_figures_the_report_reads(straight):
    log = straight[1]
    assert sorted(log) == [1, 2, 3, 4]
    assert {
        "reward/mean",
        "reward/multi_hop",
        "rollout/failed_fraction",
        "rollout/truncated_fraction",
        "training/entropy_high_nats",
        "training/entropy_low_nats",
        "training/entropy_nats",
        "training/grad_norm",
        "training/kept_fraction_multi_hop",
        "training/negatives_on",
        "training/sampler_gap_nats",
        "training/skipped_steps",
    } <= set(log[1])


POINTS = [
    *[(point, n) for point in ("before update", "after update") for n in (1, 2, 4)],
    *[(point, n) for point in ("before save", "after save") for n in (1, 2, 4, 5)],
    *[("listener", n) for n in (1, 3, 4)],
    *[("forget", n) for n in (1, 2, 4)],
]


@pytest.mark.parametrize(("point", "count"), POINTS)
def test_a_run_killed_at_any_point_ends_in_the_same_bits(
    tiny_folder, tmp_path, straight, monkeypatch, point, count
):
    log = {}
    listen = recorder(log)

    def fragile_listen(result):
        listen(result)
        if point == "listener" and result.step == count:
            raise Killed(point)

    with monkeypatch.context() as patch:
        if point == "forget":
            patch.setattr("longloom.training.checkpoints.shutil.rmtree", _half_removing(count))
        with pytest.raises(Killed):
            train(tiny_folder, tmp_path, fragile_listen, point=point, count=count)
    safe = last_step(tmp_path)
    log = {step: metrics for step, metrics in log.items() if step <= safe}
    train(tiny_folder, tmp_path, recorder(log))
    assert final_bytes(tmp_path) == straight[0]
    done = {**log, **{step: straight[1][step] for step in range(1, 5) if step not in log}}
    assert done == straight[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["final"]


def _half_removing(count):
    """Return an rmtree that is killed at the n-th old step, when it has removed one file."""
    remove = shutil.rmtree
    calls = iter(range(1, 1_000))

    def removing(path, **options):
        if not path.name.endswith(".partial") and next(calls) == count:
            next(Path(path).rglob("*.json")).unlink()
            raise Killed("forget")
        remove(path, **options)

    return removing


CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import torch
torch.set_num_threads(1)
import test_loop
def listen(result):
    print(result.step, flush=True)
test_loop.train(Path(sys.argv[2]), Path(sys.argv[3]), listen)
"""


def _killed_after(num_steps, model_folder, folder):
    tests = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": str(tests.parent)}
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tests), str(model_folder), str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    with child:
        for _ in range(num_steps):
            child.stdout.readline()
        child.send_signal(signal.SIGKILL)


def test_a_process_killed_while_it_saves_can_be_resumed(tiny_folder, tmp_path, straight):
    _killed_after(2, tiny_folder, tmp_path)
    assert not (tmp_path / "final").exists()
    train(tiny_folder, tmp_path)
    assert final_bytes(tmp_path) == straight[0]


def test_a_finished_stage_is_not_trained_again(tiny_folder, tmp_path, straight):
    train(tiny_folder, tmp_path)
    (tmp_path / "step-000004").mkdir()
    steps = []
    train(tiny_folder, tmp_path, steps.append)
    assert steps == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["final"]


def test_leftover_folders_of_older_steps_and_of_half_saves_are_ignored(
    tiny_folder, tmp_path, straight
):
    with pytest.raises(Killed):
        train(tiny_folder, tmp_path, point="before save", count=3)
    (tmp_path / "step-000001").mkdir()
    (tmp_path / "step-000003.partial").mkdir()
    (tmp_path / "step-000009.partial").mkdir()
    assert last_step(tmp_path) == 2
    train(tiny_folder, tmp_path)
    assert final_bytes(tmp_path) == straight[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["final"]


@pytest.fixture
def interrupted(tiny_folder, tmp_path):
    """Return a stage folder with the checkpoint of step 2."""
    with pytest.raises(Killed):
        train(tiny_folder, tmp_path, point="before save", count=3)
    return tmp_path


def changed_state(folder, **changes):
    path = folder / "step-000002" / STATE_FILE
    state = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**state, **changes}), "utf-8")


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": "other"},
        {"version": 99},
        {"step": 7},
        {"sampler": {}},
        {"sampler": None},
        {"aepo": {}},
        {"aepo": 3},
    ],
)
def test_a_changed_state_is_a_checkpoint_error(tiny_folder, interrupted, changes):
    changed_state(interrupted, **changes)
    with pytest.raises(CheckpointError):
        train(tiny_folder, interrupted)


@pytest.mark.parametrize("name", [STATE_FILE, "model.safetensors", "optimizer.safetensors"])
@pytest.mark.parametrize("content", [None, b"", b"[]"])
def test_a_damaged_checkpoint_is_a_checkpoint_error(tiny_folder, interrupted, name, content):
    path = interrupted / "step-000002" / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match="step-000002"):
        train(tiny_folder, interrupted)


def test_a_checkpoint_of_another_seed_is_refused(tiny_folder, interrupted):
    with pytest.raises(CheckpointError, match="seed"):
        train(tiny_folder, interrupted, seed=99)


def test_lengths_that_fit_no_example_are_a_data_error(tiny_folder, tmp_path):
    config = CONFIG.replace(min_prompt_tokens=50, max_prompt_tokens=60)
    with pytest.raises(DataError, match="51 to 60 tokens"):
        train(tiny_folder, tmp_path, config=config)


def test_a_missing_context_is_a_data_error_before_anything_runs(tiny_folder, tmp_path):
    with pytest.raises(DataError, match="c6"):
        train(tiny_folder, tmp_path, contexts={k: v for k, v in CONTEXTS.items() if k != "c6"})


def test_only_examples_within_the_lengths_are_drawn(tiny_folder, tmp_path):
    drawn = []
    others = [make_example(f"long{n}", num_prompt_tokens=500) for n in range(20)]
    train(
        tiny_folder,
        tmp_path,
        lambda result: drawn.extend(group.example.example_id for group in result.groups),
        examples=[*others, *EXAMPLES],
    )
    assert len(drawn) == 12
    assert not [example_id for example_id in drawn if example_id.startswith("long")]


def test_a_step_whose_rollouts_all_failed_is_logged_and_ends_the_training(tiny_folder, tmp_path):
    log = {}
    config = CONFIG.replace(max_response_tokens=5_000, num_steps=2)
    message = r"all \d+ rollouts of step 1 of .* failed, the first with: .*tokens.*; expected"
    with pytest.raises(EngineError, match=message):
        train(tiny_folder, tmp_path, recorder(log), config=config)
    assert list(log) == [1]
    assert log[1]["training/skipped_steps"] == 1.0
    assert log[1]["rollout/failed_fraction"] == 1.0
    assert "training/grad_norm" not in log[1]
    assert last_step(tmp_path) == 0


def test_learning_rate_warms_up_and_then_stays(tiny_folder, tmp_path, monkeypatch):
    rates = []
    run = FragileEngine.update

    def listening(self, update, *, loss):
        rates.append(update.learning_rate)
        return run(self, update, loss=loss)

    monkeypatch.setattr(FragileEngine, "update", listening)
    train(tiny_folder, tmp_path, config=CONFIG.replace(warmup_steps=2))
    assert rates == pytest.approx([1e-3 / 3, 2e-3 / 3, 1e-3, 1e-3][: len(rates)])
