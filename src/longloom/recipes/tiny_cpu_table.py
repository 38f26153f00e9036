"""The tiny recipe, measured as the paper's Table 10 measures: every checkpoint, and naive GRPO."""

from longloom.recipes.run_config import RunConfig, StageConfig
from longloom.recipes.tiny_cpu import tiny_cpu
from longloom.training.advantage_config import AdvantageConfig
from longloom.training.aepo_config import AepoConfig

NAIVE_GRPO = "naive-grpo"
"""The checkpoint that none of the paper's own techniques trained."""


def tiny_cpu_table() -> RunConfig:
    """Return `tiny-cpu` with the comparison and the evaluation of QwenLong-L1.5, Table 10.

    Naive GRPO starts from the base and takes the steps of stage 1 on its questions: advantages by
    the deviation of each group, questions drawn without regard to their task, and no control of
    entropy. Its length is ours: the paper says nothing of it.
    """
    config = tiny_cpu()
    first = config.stages[0].training
    assert first is not None
    naive = first.replace(
        sampling=first.sampling.replace(kind="uniform"),
        advantage=AdvantageConfig(kind="group_std"),
        aepo=AepoConfig(enabled=False),
    )
    stage = StageConfig(name=NAIVE_GRPO, kind="full_context", start="base", training=naive)
    return config.replace(
        recipe="tiny-cpu-table",
        stages=(config.stages[0], stage, *config.stages[1:]),
        evaluation=config.evaluation.replace(
            num_documents=160,
            windows=(8,),
            num_samples=1,
            document_agents=("memory",),
            document_checkpoints="all",
        ),
    )
