"""Lengths that the verbs take from a recipe."""

from longloom.errors import ConfigError
from longloom.recipes.run_config import RunConfig
from longloom.training.stage import TrainingConfig


def longest_stage(config: RunConfig) -> TrainingConfig:
    """Return the full-context stage with the longest prompts.

    Raises:
        ConfigError: the recipe has no such stage.
    """
    found = [
        stage.training
        for stage in config.stages
        if stage.kind == "full_context" and stage.training is not None
    ]
    if not found:
        raise ConfigError(f"recipe {config.recipe!r} has no full_context stage; take another one")
    return max(found, key=lambda training: training.max_prompt_tokens)
