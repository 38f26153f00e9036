"""Take GRPO steps with TRL and write what they cost. Runs in TRL's environment, without longloom.

    python trl_steps.py PLAN.json RESULT.json

Driven as its users would for speed: one update per batch, the whole group as one micro-batch,
no gradient checkpointing (unless the plan asks), no logging of completions, no reference model.
The model never ends an answer, so all answers have the wanted length without further settings.
The first step warms up and is not counted.
"""

import hashlib
import json
import os
import sys
import time
import warnings
from pathlib import Path
from typing import Any

plan = json.loads(Path(sys.argv[1]).read_text("utf-8"))
os.environ.update(
    OMP_NUM_THREADS=str(plan["threads"]),
    TOKENIZERS_PARALLELISM="false",
    HF_HUB_OFFLINE="1",
    WANDB_MODE="disabled",
)
warnings.filterwarnings("ignore")

import torch  # noqa: E402  # the environment above must be set first
import trl  # noqa: E402
from datasets import Dataset  # noqa: E402
from process_memory import MemoryMeter  # noqa: E402  # beside this file
from transformers import (  # noqa: E402
    AutoModelForCausalLM,
    AutoTokenizer,
    TrainerCallback,
    set_seed,
)
from trl import GRPOConfig, GRPOTrainer  # noqa: E402


class Clock(TrainerCallback):
    """Notes wall and CPU time at both ends of every step."""

    def __init__(self) -> None:
        self.begins: list[tuple[float, float]] = []
        self.ends: list[tuple[float, float]] = []

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """Note the time."""
        self.begins.append(now())

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Note the time."""
        self.ends.append(now())


class TimedTrainer(GRPOTrainer):
    """Notes what rollouts and rewards take within a step."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.rollouts: list[tuple[float, float]] = []
        self.prompt_digests: list[str] = []
        self.answer_tokens: list[float] = []

    def _generate_and_score_completions(self, inputs: Any) -> Any:
        begin = now()
        scored = super()._generate_and_score_completions(inputs)
        end = now()
        self.rollouts.append((end[0] - begin[0], end[1] - begin[1]))
        first = scored["prompt_ids"][0][scored["prompt_mask"][0].bool()].tolist()
        self.prompt_digests.append(
            hashlib.sha256(" ".join(map(str, first)).encode()).hexdigest()[:12]
        )
        self.answer_tokens.append(float(scored["completion_mask"].sum(1).float().mean()))
        return scored


def now() -> tuple[float, float]:
    """Return wall and CPU seconds; waits for the accelerator."""
    if plan["device"] == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter(), time.process_time()


def reward(completion_ids: list[list[int]], **_: Any) -> list[float]:
    """Return the share of odd tokens, as the other side does."""
    return [sum(token % 2 for token in ids) / len(ids) for ids in completion_ids]


def main() -> None:
    """Take the steps and write the result."""
    torch.set_num_threads(plan["threads"])
    set_seed(0)
    on_cuda = plan["device"] == "cuda"
    tokenizer = AutoTokenizer.from_pretrained(plan["model"])
    model = AutoModelForCausalLM.from_pretrained(plan["model"], dtype=torch.float32)
    made = json.loads(Path(plan["prompts"]).read_text("utf-8"))
    prompts = [prompt["text"] for prompt in made[: plan["num_steps"] + 1]]
    group = plan["group_size"]
    micro = plan["peer_micro_batch"] or group
    config = GRPOConfig(
        output_dir=plan["scratch"], use_cpu=not on_cuda, bf16=plan["dtype"] == "bfloat16",
        fp16=False, report_to="none", disable_tqdm=True, per_device_train_batch_size=micro,
        gradient_accumulation_steps=group // micro, num_generations=group,
        max_completion_length=plan["response_tokens"], temperature=1.0, top_p=1.0,
        max_steps=plan["num_steps"] + 1, save_strategy="no", logging_steps=1_000,
        learning_rate=1e-4, beta=0.0, loss_type="dapo",
        gradient_checkpointing=plan["gradient_checkpointing"], seed=0,
    )  # fmt: skip
    clock = Clock()
    trainer = TimedTrainer(
        model=model, reward_funcs=reward, args=config, processing_class=tokenizer,
        train_dataset=Dataset.from_dict({"prompt": prompts}), callbacks=[clock],
    )  # fmt: skip
    meter = MemoryMeter(plan["device"])
    trainer.train()
    steps = [
        {
            "wall_seconds": end[0] - begin[0],
            "cpu_seconds": end[1] - begin[1],
            "rollout_wall_seconds": rollout[0],
            "rollout_cpu_seconds": rollout[1],
            "answer_tokens": tokens,
        }
        for begin, end, rollout, tokens in zip(
            clock.begins, clock.ends, trainer.rollouts, trainer.answer_tokens, strict=True
        )
    ]
    figures = {
        "engine": f"trl {trl.__version__}, torch {torch.__version__}",
        "steps": steps[1:],
        "prompt_digests": sorted(trainer.prompt_digests),
        **meter.figures(),
    }
    Path(sys.argv[2]).write_text(json.dumps(figures), "utf-8")


if __name__ == "__main__":
    main()
