"""The recipe of the forerunner at a size that a bare CPU finishes in minutes.

    SFT on worked answers -> phase 1 (prompts up to 96) -> phase 2 (up to 160, the hard ones of
    phase 1 too)

QwenLong-L1, section 3. Its warm-up learns distilled answers; here a program writes them, from
the evidence of questions of their own (`worked_answers.py`), so that no model is called.
"""

from longloom.recipes.run_config import EvaluationConfig, RunConfig, StageConfig
from longloom.rewards import RewardConfig
from longloom.synthesis.miniature.config import MiniatureConfig
from longloom.training.advantage_config import AdvantageConfig
from longloom.training.aepo_config import AepoConfig
from longloom.training.curriculum import RetrospectiveConfig
from longloom.training.filters import GroupFilterConfig
from longloom.training.sampling import PromptSamplingConfig
from longloom.training.selection import SelectionConfig
from longloom.training.sft import SftConfig
from longloom.training.stage import TrainingConfig


def tiny_cpu_l1() -> RunConfig:
    """Return the tiny counterpart of QwenLong-L1 (warm-up, two phases of growing input).

    Prompts and answers of 96/32 and 160/40 tokens stand for 20K/10K and 60K/10K. Departures from
    the paper's values, all for the size of the model: learning rates, batches, steps, temperature
    and top-p 1, two updates a batch instead of four, no length penalty.
    """
    phase_1 = TrainingConfig(
        num_steps=16,
        group_size=8,
        max_prompt_tokens=96,
        max_response_tokens=32,
        temperature=1.0,
        top_p=1.0,
        learning_rate=2e-4,
        updates_per_batch=2,
        sampling=PromptSamplingConfig(kind="uniform", batch_size=24),
        group_filter=GroupFilterConfig(drop_zero_variance=True, max_refills=3),
        advantage=AdvantageConfig(kind="group_std"),
        aepo=AepoConfig(enabled=False),
    )
    phase_2 = phase_1.replace(
        num_steps=20,
        learning_rate=1.5e-4,
        min_prompt_tokens=96,
        max_prompt_tokens=160,
        max_response_tokens=40,
        selection=SelectionConfig(
            num_rollouts=4, retrospective=RetrospectiveConfig(kind="zero_accuracy")
        ),
    )
    warm_up = SftConfig(num_epochs=1, batch_size=32, learning_rate=1e-4)
    return RunConfig(
        recipe="tiny-cpu-l1",
        model="tiny-base",
        synthesis=MiniatureConfig(
            num_train_examples=300,
            num_held_out_examples=300,
            length_bands=(96, 160),
            max_hops=2,
            max_choice_hops=1,
        ),
        # Names contain each other and numbers are small: substrings and scalings would score.
        reward=RewardConfig(cover_match="whole_words", numeric_scales=()),
        num_memory_examples=0,
        stages=(
            StageConfig(name="sft", kind="sft", start="base", sft=warm_up, num_worked_answers=64),
            StageConfig(name="phase-1", kind="full_context", start="sft", training=phase_1),
            StageConfig(name="phase-2", kind="full_context", start="phase-1", training=phase_2),
        ),
        evaluation=EvaluationConfig(
            num_questions=300,
            num_documents=0,
            windows=(),
            num_samples=8,
            temperature=1.0,
            top_p=1.0,
        ),
    )
