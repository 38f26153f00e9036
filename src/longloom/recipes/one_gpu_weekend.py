"""A weekend on one GPU of 80 GB: numerical questions over whole documents, Qwen3-4B-Thinking.

After the cheapest published result: 480 CorpusQA-style samples and 25 GRPO steps took
Qwen3-4B-Thinking from 39.36 to 42.35 on LongBench-V2, from 63.23 to 65.53 on FRAMES and from 55.00
to 60.31 on CorpusQA (CorpusQA's pilot; QwenLong-L1.5, section 3.1 has the same engine). Batch,
lengths and learning rate of that run are not published. It has not been repeated here.

Arithmetic of `longloom plan one-gpu-weekend` on an H100, answers of half their limit (6,000):

    drawn       25 steps x 20 prompts x 8 answers x 6,000 = 24M tokens
    prefilled   25 x 20 x 18,500 = 9.3M tokens, each prompt once for its group of 8 (74M otherwise)
    memory      weights and masters 8.4 GB, moments and gradients 0.8, activations of 62,000 tokens
                23.5, head 5.6; or caches of 262,144 tokens x 147,456 bytes = 38.7: a peak of 49 GB
    time        rollouts 11 h, training 2 h, evaluation 1.3 h: 15 h; 24 h on an A100 of 80 GB
    all weights 102 GB: not on 80 GB, so adapters

So 48 hours hold 50 steps on an A100 and 85 on an H100 (`stages.0.training.num_steps`).
"""

from longloom.engines.local_config import LocalEngineConfig, LoraConfig
from longloom.recipes.run_config import EvaluationConfig, RunConfig, StageConfig
from longloom.recipes.woven_config import WovenConfig
from longloom.synthesis.config import SynthesisConfig
from longloom.synthesis.task_weights import TaskWeights
from longloom.training.aepo_config import AepoConfig
from longloom.training.checkpoints import CheckpointConfig
from longloom.training.sampling import PromptSamplingConfig
from longloom.training.stage import TrainingConfig

_NUMERICAL_ALONE = TaskWeights(
    dialogue_memory=0, multi_hop=0, multiple_choice=0, numerical=1, reading_comprehension=0
)


def one_gpu_weekend() -> RunConfig:
    """Return the recipe of a weekend on one GPU of 80 to 141 GB; give it your documents."""
    training = TrainingConfig(
        num_steps=25,  # CorpusQA's pilot
        group_size=8,
        max_prompt_tokens=30_000,
        max_response_tokens=12_000,  # the paper's stage 1; its 4B runs wrote 6K to 9K (Fig. 8)
        temperature=0.7,
        top_p=0.95,
        learning_rate=2e-5,  # ours: adapters take larger steps than the paper's 2e-6
        # 480 training samples in 25 steps are 19.2 a step if each is seen once.
        sampling=PromptSamplingConfig(kind="uniform", batch_size=20),
        # 8 rollouts x 20 prompts are too few for entropy bounds of the paper's 30B model.
        aepo=AepoConfig(bounds="multiple_of_first", entropy_low=1.1, entropy_high=2.0),
        checkpoints=CheckpointConfig(every_steps=5, keep_best="reward"),
    )
    return RunConfig(
        recipe="one-gpu-weekend",
        model="Qwen/Qwen3-4B-Thinking-2507",
        template="l1",
        woven=WovenConfig(
            synthesis=SynthesisConfig(
                documents=(),
                num_examples=640,  # of which a quarter is held out: 480 for training
                held_out_fraction=0.25,
                mix="uniform",
                min_context_tokens=8_000,
                max_context_tokens=29_000,
                task_weights=_NUMERICAL_ALONE,
            )
        ),
        engine=LocalEngineConfig(lora=LoraConfig(rank=32, alpha=64.0), max_cache_tokens=262_144),
        stages=(StageConfig(name="stage-1", kind="full_context", start="base", training=training),),
        evaluation=EvaluationConfig(
            num_questions=50,
            num_documents=0,
            windows=(),
            num_samples=4,
            temperature=0.7,
            top_p=0.95,
            in_background=False,  # the GPU trains
        ),
    )
