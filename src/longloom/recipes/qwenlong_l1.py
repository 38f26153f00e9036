"""The forerunner's full-size run (QwenLong-L1, section 3; its DAPO variant).

What it leaves out: the SFT warm-up on 5.3K distilled triplets, whose data were not released; start
from a model that has had one.
"""

from longloom.recipes.run_config import EvaluationConfig, RunConfig, StageConfig
from longloom.rewards import OverlongConfig, RewardConfig
from longloom.synthesis.miniature.config import MiniatureConfig
from longloom.training.advantages import AdvantageConfig
from longloom.training.entropy_control import AepoConfig
from longloom.training.filters import GroupFilterConfig
from longloom.training.sampling import PromptSamplingConfig
from longloom.training.stage import TrainingConfig


def qwenlong_l1() -> RunConfig:
    """Return the recipe of QwenLong-L1-32B: two phases of growing input (Eq. 9)."""
    phase_1 = TrainingConfig(
        num_steps=50,  # inferred; the paper gives no step counts
        group_size=8,
        max_prompt_tokens=20_000,
        max_response_tokens=10_000,
        temperature=0.7,
        top_p=0.95,
        learning_rate=2e-6,
        sampling=PromptSamplingConfig(kind="uniform", batch_size=128),
        group_filter=GroupFilterConfig(drop_zero_variance=True),
        advantage=AdvantageConfig(kind="group_std"),
        aepo=AepoConfig(enabled=False),
    )
    phase_2 = phase_1.replace(min_prompt_tokens=20_000, max_prompt_tokens=60_000)
    return RunConfig(
        recipe="qwenlong-l1",
        model="deepseek-ai/DeepSeek-R1-Distill-Qwen-32B",
        template="l1",
        synthesis=MiniatureConfig(
            num_train_examples=800,  # 1.6K in two bands
            num_held_out_examples=200,  # ours
            length_bands=(20_000, 60_000),
            max_name_tokens=16,  # ours
            max_block_tokens=20_000,  # ours
            prose_fraction=0.5,  # ours
            template="l1",
        ),
        reward=RewardConfig(
            overlong=OverlongConfig(enabled=True, max_response_tokens=10_000, buffer_tokens=1_000)
        ),
        stages=(
            StageConfig(name="phase-1", kind="full_context", start="base", training=phase_1),
            StageConfig(name="phase-2", kind="full_context", start="phase-1", training=phase_2),
        ),
        evaluation=EvaluationConfig(temperature=0.7, top_p=0.95, windows=()),
    )
