"""Stages on the unigram engine, and ways to kill them."""

from longloom.records import Reward, TaskType
from longloom.rollout import SinglePassAgent
from longloom.training.loop import StageInputs, train_stage
from longloom.training.sampling import PromptSamplingConfig
from longloom.training.stage import TrainingConfig
from questions import make_context, make_example
from training.unigram_engine import UnigramEngine

TASKS = (TaskType.MULTI_HOP, TaskType.NUMERICAL)
EXAMPLES = tuple(
    make_example(f"e{number}", task_type=TASKS[number % 2], context_id=f"c{number}")
    for number in range(12)
)
CONTEXTS = {f"c{number}": make_context(f"text {number}", f"c{number}") for number in range(30)}
CONFIG = TrainingConfig(
    num_steps=4,
    group_size=4,
    max_prompt_tokens=100,
    max_response_tokens=3,
    temperature=1.0,
    top_p=1.0,
    learning_rate=0.5,
    sampling=PromptSamplingConfig(batch_size=4),
)


class Killed(BaseException):
    """Stands for the death of the process at a chosen point."""


async def score(rollout, example):
    """Reward answers that begin with an even token."""
    value = float(rollout.turns[0].response_ids[0] % 2 == 0) if rollout.turns else 0.0
    return Reward(value=value, reward_parts={"rule": value}, extracted_answer="")


def make_inputs(folder, *, engine=None, examples=EXAMPLES, **changes):
    settings = {
        "engine": engine or UnigramEngine(),
        "agent": SinglePassAgent("plain"),
        "score": score,
        "examples": examples,
        "contexts": CONTEXTS,
        "seed": 3,
        "folder": folder,
        **changes,
    }
    return StageInputs(**settings)


def train(folder, config=CONFIG, listener=lambda result: None, **changes):
    return train_stage("stage", config, make_inputs(folder, **changes), listener)


def recorder(log):
    """Return a listener that keeps each step's metrics, but for the time taken."""

    def listen(result):
        metrics = {k: v for k, v in result.metrics.items() if k != "training/step_seconds"}
        log[result.step] = metrics

    return listen


class DyingEngine(UnigramEngine):
    """Dies at its n-th action: an update, a sample, or a write."""

    def __init__(self, num_actions):
        super().__init__()
        self.left = num_actions
        draw = self.sampler.sample

        async def sample(request):
            self.live()
            return await draw(request)

        self.sampler.sample = sample

    def live(self):
        self.left -= 1
        if self.left == 0:
            raise Killed

    def update(self, update, *, loss):
        self.live()
        metrics = super().update(update, loss=loss)
        self.live()
        return metrics

    def save_policy(self, folder):
        self.live()
        super().save_policy(folder)
        self.live()
