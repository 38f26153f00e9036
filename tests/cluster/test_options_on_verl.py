"""Everything a stage can be told, under both engines: the figures of the steps are the same.

Selection by measured difficulty, refilled groups, several updates a batch, the truncated correction
for the sampler, clipped negatives, validation during training, and a judge behind HTTP.
"""

import sys
from pathlib import Path

import pytest

from longloom.recipes.cluster.stages import metrics_by_step
from longloom.recipes.run_config import RunConfig
from longloom.recipes.tiny_cpu import tiny_cpu
from longloom.runlog import METRICS_FILE
from longloom.training.difficulty import DIFFICULTY_FILE, read_difficulty
from longloom.training.filters import GroupFilterConfig
from longloom.training.negative_clipping_config import NegativeClippingConfig
from longloom.training.sampling import PromptSamplingConfig
from longloom.training.selection import DifficultyBinsConfig, SelectionConfig
from longloom.training.validation import ValidationConfig
from scripted_endpoint import ScriptedEndpoint, prompt_of
from verl_runs import command, run, stage_folder, write_recipe

pytestmark = [pytest.mark.distributed, pytest.mark.enable_socket]

_NUM_STEPS = 2
_FIGURES = (
    "reward/mean", "rollout/turns", "selection/measured_examples", "selection/own_examples",
    "training/clipped_negatives_fraction", "training/dropped_rollouts", "training/kept_fraction",
    "training/learning_sequences", "training/refill_rounds", "training/rolled_out_groups",
    "training/updates", "validation/reward_mean",
)  # fmt: skip
_ROUNDED = ("training/entropy_nats", "training/grad_norm")


def recipe(judge_url: str) -> RunConfig:
    """Return a short first stage with every option on."""
    tiny = tiny_cpu()
    first, *others = tiny.stages
    assert first.training is not None
    training = first.training.replace(
        num_steps=_NUM_STEPS,
        group_size=4,
        updates_per_batch=2,
        sampling=PromptSamplingConfig(batch_size=10),
        selection=SelectionConfig(
            num_rollouts=2, bins=DifficultyBinsConfig(enabled=True, num_bins=2)
        ),
        group_filter=GroupFilterConfig(drop_zero_variance=True, max_refills=2),
        negative_clipping=NegativeClippingConfig(mode="token"),
        aepo=first.training.aepo.replace(enabled=False),
        loss=first.training.loss.replace(importance_cap=2.0),
        validation=ValidationConfig(every_steps=1, num_examples=20),
    )
    return tiny.replace(
        synthesis=tiny.synthesis.replace(num_train_examples=40, num_held_out_examples=20),
        stages=(first.replace(training=training), *others),
        judge={"endpoint": {"url": judge_url, "model": "scripted"}},
        evaluation=tiny.evaluation.replace(num_questions=0, num_documents=0),
    )


def test_every_option_gives_the_same_figures(tmp_path: Path) -> None:
    """The judge says yes to about every second prediction, whoever asks."""

    def verdict(body: dict[str, object]) -> str:
        return "[[YES]]" if sum(prompt_of(body).encode()) % 2 else "[[NO]]"

    with ScriptedEndpoint(verdict) as judge:
        path = write_recipe(recipe(judge.url), tmp_path / "options.yaml")
        more = ("--only", "stage-1")
        run(command(path, tmp_path / "verl", ranks=1, more=more))
        calls_by_verl = judge.num_answered
        run([sys.executable, "-m", "longloom", "run", str(path), "-o", str(tmp_path / "l"), *more])
    verl, local = (stage_folder(tmp_path / name, "stage-1") for name in ("verl", "l"))
    assert calls_by_verl > 0
    measured = [read_difficulty(stage / DIFFICULTY_FILE) for stage in (verl, local)]
    assert measured[0] == measured[1]
    assert len(measured[0]) == 40
    by_verl, by_local = (metrics_by_step(stage / METRICS_FILE) for stage in (verl, local))
    assert list(by_verl) == list(by_local) == [1, 2]
    assert any(step["training/refill_rounds"] for step in by_verl.values())
    for step in by_local:
        for name in _FIGURES:
            if step == 1 or not name.startswith("selection/"):  # told of once
                assert by_verl[step][name] == by_local[step][name], (step, name)
        for name in _ROUNDED:
            assert by_verl[step][name] == pytest.approx(by_local[step][name], rel=1e-3), name
