"""The whole recipe at a size that a bare CPU finishes in minutes."""

from longloom.memory import MemoryConfig
from longloom.merging.config import MergeConfig
from longloom.recipes.run_config import EvaluationConfig, RunConfig, StageConfig
from longloom.rewards import RewardConfig
from longloom.synthesis.miniature.config import MiniatureConfig
from longloom.training.advantage_config import AdvantageConfig
from longloom.training.aepo_config import AepoConfig
from longloom.training.sampling import PromptSamplingConfig
from longloom.training.stage import TrainingConfig

# One call for each section and one for the answer, whatever the model writes.
_MEMORY = MemoryConfig(
    chunk_tokens=160,
    memory_tokens=48,
    wording="compact",
    decomposition="off",
    num_repairs=0,
    overflow="keep",
)


def tiny_cpu() -> RunConfig:
    """Return the tiny counterpart of QwenLong-L1.5, Fig. 6.

    Prompts and answers of 96/32, 160/40 and 256/48 tokens stand for 20K/12K, 60K/20K and 120K/50K.
    Departures from the paper's values, all for the size of the model: learning rate, batch, steps,
    temperature and top-p 1, entropy bounds as multiples of each stage's first entropy.

    A stage takes all prompts up to its limit: of new lengths alone, it forgets the short ones.
    """
    stage_1 = TrainingConfig(
        num_steps=20,
        group_size=8,
        max_prompt_tokens=96,
        max_response_tokens=32,
        temperature=1.0,
        top_p=1.0,
        learning_rate=2e-4,
        sampling=PromptSamplingConfig(batch_size=30),
        aepo=AepoConfig(bounds="multiple_of_first", entropy_high=0.9, entropy_low=0.5),
    )
    stage_2 = stage_1.replace(
        num_steps=30,
        learning_rate=1.5e-4,
        max_prompt_tokens=160,
        max_response_tokens=40,
    )
    stage_3 = stage_2.replace(num_steps=40, max_prompt_tokens=256, max_response_tokens=48)
    memory = stage_3.replace(
        num_steps=26,
        learning_rate=2e-4,
        min_prompt_tokens=256,
        max_prompt_tokens=1_000,
        sampling=PromptSamplingConfig(batch_size=9),
        advantage=AdvantageConfig(kind="group_std"),
        aepo=AepoConfig(enabled=False),
    )
    return RunConfig(
        recipe="tiny-cpu",
        model="tiny-base",
        synthesis=MiniatureConfig(
            num_train_examples=900,
            num_held_out_examples=400,
            length_bands=(96, 160, 256),
            max_hops=2,
            max_choice_hops=1,
        ),
        # Names contain each other and numbers are small: substrings and scalings would score.
        reward=RewardConfig(cover_match="whole_words", numeric_scales=()),
        memory=_MEMORY,
        memory_document_tokens=640,
        num_memory_examples=240,
        stages=(
            StageConfig(name="stage-1", kind="full_context", start="base", training=stage_1),
            StageConfig(name="stage-2", kind="full_context", start="stage-1", training=stage_2),
            StageConfig(name="stage-3", kind="full_context", start="stage-2", training=stage_3),
            StageConfig(name="memory", kind="memory", start="stage-3", training=memory),
            StageConfig(
                name="merged",
                kind="merge",
                start="base",
                merge=MergeConfig(method="sce"),
                merged_stages=("stage-3", "memory"),
            ),
            StageConfig(
                name="final",
                kind="full_context",
                start="merged",
                training=stage_3.replace(num_steps=8, learning_rate=5e-5),
            ),
        ),
        evaluation=EvaluationConfig(
            num_questions=400,
            num_documents=96,
            windows=(2, 4, 8),
            num_samples=8,
            temperature=1.0,
            top_p=1.0,
        ),
    )
