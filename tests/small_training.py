"""A whole stage of training that takes a second, for runs that are killed.

Run as a program: python small_training.py MODEL_FOLDER RUN_FOLDER
"""

import sys
from pathlib import Path

from longloom.engines.local import LocalEngine
from longloom.records import Reward, TaskType
from longloom.rollout import SinglePassAgent
from longloom.runlog import MetricLog
from longloom.training.aepo_config import AepoConfig
from longloom.training.checkpoints import CheckpointConfig
from longloom.training.loop import last_step, train_stage
from longloom.training.loss_config import LossConfig
from longloom.training.sampling import PromptSamplingConfig
from longloom.training.stage import TrainingConfig
from longloom.training.stage_inputs import StageInputs
from questions import make_context, make_example

METRICS_FILE = "metrics.jsonl"
NUM_STEPS = 8
TINY_TRAINING = TrainingConfig(
    num_steps=4,
    group_size=3,
    max_prompt_tokens=100,
    max_response_tokens=5,
    temperature=1.0,
    top_p=1.0,
    learning_rate=1e-3,
    warmup_steps=1,
    sampling=PromptSamplingConfig(batch_size=3),
    aepo=AepoConfig(bounds="multiple_of_first", entropy_low=0.5, entropy_high=1.01),
)
CONFIG = TINY_TRAINING.replace(
    num_steps=NUM_STEPS,
    updates_per_batch=2,
    loss=LossConfig(kl_coefficient=0.01),
    checkpoints=CheckpointConfig(keep_last=2, keep_best="reward"),
)
TASKS = (TaskType.MULTI_HOP, TaskType.NUMERICAL)


async def score(rollout, example):
    """Reward answers that begin with an even token; a reason to change the weights."""
    value = float(rollout.turns[0].response_ids[0] % 2 == 0) if rollout.turns else 0.0
    return Reward(value=value, reward_parts={"rule": value}, extracted_answer="")


def train(model_folder: Path, folder: Path) -> None:
    """Train the stage in `folder`, from its last checkpoint if there is one."""
    stage = folder / "stage"
    with MetricLog(folder / METRICS_FILE) as metrics:
        metrics.discard_after(last_step(stage))
        inputs = StageInputs(
            engine=LocalEngine(model_folder),
            agent=SinglePassAgent("plain"),
            score=score,
            examples=[
                make_example(f"e{n}", task_type=TASKS[n % 2], context_id=f"c{n}") for n in range(7)
            ],
            contexts={f"c{n}": make_context(f"text {n}", f"c{n}") for n in range(7)},
            seed=3,
            folder=stage,
        )
        train_stage(
            "stage", CONFIG, inputs, lambda result: metrics.log(result.step, result.metrics)
        )


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    train(Path(sys.argv[1]), Path(sys.argv[2]))
