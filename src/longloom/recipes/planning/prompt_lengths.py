"""How long the prompts of a stage are on average, and how many examples it has."""

from pathlib import Path
from statistics import fmean

from longloom.errors import DataError
from longloom.recipes.planning.assumptions import PlanAssumptions
from longloom.recipes.planning.operations import Number
from longloom.recipes.run_config import RunConfig, StageConfig
from longloom.synthesis.mixes import BIN_TOKENS, MIXES
from longloom.synthesis.published.files import count_plain_rows


def mean_prompt_tokens(config: RunConfig, stage: StageConfig, assumed: PlanAssumptions) -> Number:
    """Return T of a stage; for the memory agent the length of a document.

    Prompts of the miniature synthesis fill between `min_filled_fraction` and all of a band; woven
    contexts have the lengths of their mix within the stage's limits.
    """
    training = stage.training
    assert training is not None
    if stage.kind == "memory":
        return float(config.memory_document_tokens)
    low, high = training.min_prompt_tokens, training.max_prompt_tokens
    if assumed.prompt_fraction is not None:
        return assumed.prompt_fraction * high
    if config.woven is not None:
        return _mean_of_mix(config, low, high)
    filled = (1 + config.synthesis.min_filled_fraction) / 2
    bands = [filled * band for band in config.synthesis.length_bands if low < band <= high]
    return fmean(bands) if bands else filled * high


def num_examples_between(config: RunConfig, stage: StageConfig) -> int:
    """Return how many training examples a stage has at most."""
    training = stage.training
    assert training is not None
    if stage.kind == "memory":
        return config.num_memory_examples
    if config.woven is not None:
        woven = config.woven.synthesis
        return round(woven.num_examples * (1 - woven.held_out_fraction))
    low, high = training.min_prompt_tokens, training.max_prompt_tokens
    num_bands = sum(low < band <= high for band in config.synthesis.length_bands)
    return num_bands * config.synthesis.num_train_examples


def num_sft_rows(stage: StageConfig, assumed: PlanAssumptions) -> int:
    """Return the rows of a stage of supervised fine-tuning, assumed if its file is not there."""
    if not stage.sft_rows:
        return assumed.num_sft_rows
    try:
        return count_plain_rows(Path(stage.sft_rows)) or assumed.num_sft_rows
    except DataError:
        return assumed.num_sft_rows


def _mean_of_mix(config: RunConfig, low: int, high: int) -> Number:
    """Return the mean of a mix's bins of lengths that lie within both limits, at their middles."""
    assert config.woven is not None
    woven = config.woven.synthesis
    least = max(low, woven.min_context_tokens)
    most = min(high, woven.max_context_tokens)
    total = weighted = 0.0
    for place, weight in enumerate(MIXES[woven.mix].length_weights):
        start = max(least, place * BIN_TOKENS)
        end = min(most, (place + 1) * BIN_TOKENS)
        if end > start:
            share = weight * (end - start) / BIN_TOKENS
            total += share
            weighted += share * (start + end) / 2
    return weighted / total if total else (least + most) / 2
