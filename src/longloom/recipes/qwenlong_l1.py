"""The forerunner's full-size run (QwenLong-L1, section 3; its DAPO variant).

    SFT warm-up -> phase 1 (prompts up to 20K) -> phase 2 (up to 60K, the hard ones of phase 1 too)

The warm-up's 5.3K distilled triplets were not released: give a file of your own (`sft_rows`), or
start from a model that has had one. `qwenlong_l1_120k` adds a third phase of 120K prompts under
YaRN, as far as the authors' evaluation goes; the paper trains to 60K.
"""

from longloom.models.yarn_config import YarnConfig
from longloom.recipes.run_config import EvaluationConfig, RunConfig, StageConfig
from longloom.rewards import OverlongConfig, RewardConfig
from longloom.synthesis.miniature.config import MiniatureConfig
from longloom.training.advantage_config import AdvantageConfig
from longloom.training.aepo_config import AepoConfig
from longloom.training.checkpoints import CheckpointConfig
from longloom.training.curriculum import RetrospectiveConfig
from longloom.training.filters import GroupFilterConfig
from longloom.training.sampling import PromptSamplingConfig
from longloom.training.selection import SelectionConfig
from longloom.training.sft import SftConfig
from longloom.training.stage import TrainingConfig


def qwenlong_l1() -> RunConfig:
    """Return the recipe of QwenLong-L1-32B: warm-up, and two phases of growing input (Eq. 9)."""
    phase_1 = TrainingConfig(
        num_steps=50,  # inferred; the paper gives no step counts
        group_size=8,
        max_prompt_tokens=20_000,
        max_response_tokens=10_000,
        temperature=0.7,
        top_p=0.95,
        learning_rate=2e-6,
        updates_per_batch=4,  # 128 prompts in mini-batches of 32
        sampling=PromptSamplingConfig(kind="uniform", batch_size=128),
        # 10 generation rounds in all, as in the authors' script
        group_filter=GroupFilterConfig(drop_zero_variance=True, max_refills=9),
        advantage=AdvantageConfig(kind="group_std"),
        aepo=AepoConfig(enabled=False),
        checkpoints=CheckpointConfig(every_steps=10),  # ours; one is 393 GB
    )
    phase_2 = phase_1.replace(
        min_prompt_tokens=20_000,
        max_prompt_tokens=60_000,
        # Eq. 10 in practice: those that no rollout solved
        selection=SelectionConfig(retrospective=RetrospectiveConfig(kind="zero_accuracy")),
    )
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
        reward=RewardConfig(overlong=OverlongConfig(enabled=True, buffer_tokens=1_000)),
        stages=(
            StageConfig(name="sft", kind="sft", start="base", sft=SftConfig()),
            StageConfig(name="phase-1", kind="full_context", start="sft", training=phase_1),
            StageConfig(name="phase-2", kind="full_context", start="phase-1", training=phase_2),
        ),
        evaluation=EvaluationConfig(temperature=0.7, top_p=0.95, windows=()),
    )


def qwenlong_l1_120k() -> RunConfig:
    """Return the recipe of QwenLong-L1-32B and a third phase up to 120K, under YaRN by 4."""
    config = qwenlong_l1()
    phase_2 = config.stages[-1].training
    assert phase_2 is not None
    phase_3 = phase_2.replace(min_prompt_tokens=60_000, max_prompt_tokens=120_000)
    return config.replace(
        recipe="qwenlong-l1-120k",
        synthesis=config.synthesis.replace(length_bands=(20_000, 60_000, 120_000)),
        stages=(
            *config.stages,
            StageConfig(
                name="phase-3",
                kind="full_context",
                start="phase-2",
                training=phase_3,
                yarn=YarnConfig(factor=4.0, original_window_tokens=32_768),
            ),
        ),
    )
