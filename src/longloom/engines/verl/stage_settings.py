"""What Longloom's parts within verl are told of a stage: the section `longloom` of its YAML."""

from typing import Any, Literal

from pydantic import Field, JsonValue

from longloom.config import FrozenConfig, parse_config
from longloom.memory import MemoryConfig
from longloom.rewards import JudgeConfig, RewardConfig
from longloom.training.stage import TrainingConfig

SECTION = "longloom"
"""Name of the section in verl's configuration."""


class VerlStageSettings(FrozenConfig):
    """One stage of reinforcement learning, as trainer, dataset, agents and rewards read it."""

    stage: str
    """Its name; part of the random streams."""
    seed: int
    """Names the random streams."""
    agent: Literal["memory", "single_pass"]
    """How the model answers."""
    template: str = "plain"
    """Single-pass prompt template."""
    training: TrainingConfig
    """The algorithm."""
    reward: RewardConfig = RewardConfig()
    """How answers are scored."""
    judge: JudgeConfig | None = None
    """Whom to ask where a rule fails; None: rules alone."""
    memory: MemoryConfig = MemoryConfig()
    """How the memory agent reads."""
    model: str
    """Folder of the model it starts from."""
    examples: str
    """Folder of the examples and contexts; every node must see it."""
    folder: str
    """The stage's folder; every node must see it."""
    keyed_sampling: bool = False
    """Whether every request has a seed of its own."""
    recorder: str = ""
    """`module:function` that opens what is told of every step; empty tells nobody."""
    recorder_settings: dict[str, JsonValue] = Field(default_factory=dict)
    """What that function is given."""


def stage_settings_of(section: Any) -> VerlStageSettings:
    """Return the settings in a section of verl's configuration.

    Args:
        section: the section as plain values.

    Raises:
        ConfigError: it is missing, or a setting is refused.
    """
    return parse_config(VerlStageSettings, section)
