"""Whether the stages of a run fit the windows of the models they start from."""

from functools import partial
from pathlib import Path

from longloom.errors import ConfigError
from longloom.models.folder import read_settings
from longloom.models.rotary import read_scaling, window_tokens, with_yarn
from longloom.recipes.run_config import RunConfig, StageConfig
from longloom.recipes.verbs.lengths import check_prompt_fits, check_sections_fit, prompt_tokens
from longloom.text.tokenizer import Tokenizer


def check_windows(config: RunConfig, base: Path, tokenizer: Tokenizer) -> None:
    """Refuse stages whose rollouts would all fail because they exceed the window.

    Windows follow from the base's config.json: a stage may lengthen its own by YaRN, and later
    stages inherit it. A config.json without a window is left to whoever loads the model.

    Raises:
        ConfigError: prompt and answer of a stage exceed its window; names the stage.
        ModelError: config.json is damaged, or YaRN does not fit the model.
    """
    settings_by_checkpoint = {"base": read_settings(base)}
    for stage in config.stages:
        settings = settings_by_checkpoint[stage.start]
        if stage.yarn is not None:
            settings = with_yarn(settings, stage.yarn)
        settings_by_checkpoint[stage.name] = settings
        longest = settings.get("max_position_embeddings")
        if type(longest) is int:
            window = window_tokens(read_scaling(settings), longest)
            try:
                _check_stage(config, stage, tokenizer, window)
            except ConfigError as error:
                raise ConfigError(f"stage {stage.name!r}: {error}") from None


def _check_stage(config: RunConfig, stage: StageConfig, tokenizer: Tokenizer, window: int) -> None:
    training = stage.training
    if training is not None and stage.kind == "full_context":
        check_prompt_fits(training.max_prompt_tokens, training.max_response_tokens, window)
    elif training is not None:
        check_sections_fit(config.memory, partial(prompt_tokens, tokenizer), "", window)
        check_prompt_fits(config.memory.memory_tokens, training.max_response_tokens, window)
