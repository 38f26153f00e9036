"""What Longloom's parts within verl are told of a stage: the section `longloom` of its YAML."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import NonNegativeInt

from longloom.config import FrozenConfig, parse_config
from longloom.memory import MemoryConfig
from longloom.records import RolloutGroup
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
    logged_groups: NonNegativeInt | Literal["all"] = 2
    """Rollout groups of a step that are written down with their texts."""
    recorder: str = ""
    """`module:function` that is given the stage's parts and the steps done, and opens a
    `StepListener`; empty tells nobody."""

    def shown_of(
        self, groups: Sequence[RolloutGroup]
    ) -> tuple[Sequence[RolloutGroup], Sequence[RolloutGroup]]:
        """Return the groups that are written down, and the others."""
        num_shown = len(groups) if self.logged_groups == "all" else self.logged_groups
        return groups[:num_shown], groups[num_shown:]


def stage_settings_of(section: Any) -> VerlStageSettings:
    """Return the settings in a section of verl's configuration.

    Args:
        section: the section as plain values.

    Raises:
        ConfigError: it is missing, or a setting is refused.
    """
    return parse_config(VerlStageSettings, section)
