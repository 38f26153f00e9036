"""Whether a stage fits the memory, asked before anything of it is loaded.

A stage that does not fit would end in its longest batch, perhaps after days. So `run` plans every
stage before the first, and each stage is checked again where it starts, against what is free then.
"""

import logging
from pathlib import Path

from longloom.engines.local_config import LocalEngineConfig
from longloom.engines.machine import available_bytes, give_back_unused_memory
from longloom.engines.memory_plan import MemoryPlan, StageWork, plan_memory
from longloom.errors import EngineError, ModelError
from longloom.memory import MemoryConfig
from longloom.recipes.run_config import RunConfig, StageConfig
from longloom.training.sft import SftConfig
from longloom.training.stage import TrainingConfig

logger = logging.getLogger(__name__)


def check_memory(name: str, folder: Path, config: LocalEngineConfig, work: StageWork) -> None:
    """Refuse a stage that does not fit, unless `config.check_memory` is off.

    Where the sizes of a model or the free memory are not known, a warning says so.

    Raises:
        EngineError: it does not fit; names the stage, the settings to change and the one that
            goes on anyway. Or the device asked for is not there.
    """
    if not config.check_memory:
        return
    try:
        plan = plan_memory(folder, config, work)
    except ModelError as error:
        logger.warning("the memory of stage %s is not checked: %s", name, error)
        return
    device = plan.use.device
    try:
        if plan.peak_bytes > available_bytes(device):
            give_back_unused_memory(device)  # what ended work left behind counts as used
        free_bytes = available_bytes(device)
    except EngineError as error:
        logger.warning("the memory of stage %s is not checked: %s", name, error)
        return
    try:
        plan.check(free_bytes)
    except EngineError as error:
        raise EngineError(
            f"stage {name!r}: {error}; engine.check_memory=false goes on anyway"
        ) from None


def recipe_work(config: RunConfig, stage: StageConfig) -> StageWork | None:
    """Return what a stage of a recipe asks of the engine; None for a merge."""
    if stage.sft is not None:
        return sft_work(stage.sft)
    if stage.training is None:
        return None
    return training_work(stage.training, config.memory if stage.kind == "memory" else None)


def sft_work(sft: SftConfig) -> StageWork:
    """Return what supervised fine-tuning asks: rows that are all answer cost the most."""
    return StageWork(
        max_prompt_tokens=1,
        max_response_tokens=max(1, sft.max_tokens - 1),
        group_size=1,
        num_prompts=sft.batch_size,
        has_rollouts=False,
    )


def training_work(training: TrainingConfig, memory: MemoryConfig | None) -> StageWork:
    """Return what reinforcement learning asks; a memory agent's prompts are its sections."""
    max_prompt_tokens = training.max_prompt_tokens
    max_response_tokens = training.max_response_tokens
    if memory is not None:
        section_tokens = memory.chunk_tokens + memory.memory_tokens + memory.update_tokens
        max_prompt_tokens = min(max_prompt_tokens, section_tokens)
        max_response_tokens = max(max_response_tokens, memory.update_tokens)
    return StageWork(
        max_prompt_tokens=max_prompt_tokens,
        max_response_tokens=max_response_tokens,
        group_size=training.group_size,
        num_prompts=training.sampling.batch_size,
        has_reference=training.loss.kl_coefficient > 0,
    )


def free_memory_lines(plan: MemoryPlan) -> list[str]:
    """Return what is free, and what to change if the plan needs more."""
    try:
        free_bytes = available_bytes(plan.use.device)
    except EngineError as error:
        return [f"  free: unknown ({error})"]
    lines = [f"  {'free':<9} {'':<54} {free_bytes / 1e9:>9.3f} GB"]
    try:
        plan.check(free_bytes)
    except EngineError as error:
        return [*lines, f"  does not fit: {error}"]
    return [*lines, "  fits"]
