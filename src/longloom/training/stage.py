"""The settings of one reinforcement learning stage."""

from typing import Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from longloom.config import FrozenConfig
from longloom.training.advantages import AdvantageConfig
from longloom.training.entropy_control import AepoConfig
from longloom.training.filters import GroupFilterConfig
from longloom.training.losses import LossConfig
from longloom.training.negative_clipping import NegativeClippingConfig
from longloom.training.sampling import PromptSamplingConfig


class TrainingConfig(FrozenConfig):
    """One stage: its data, its lengths and its algorithm (QwenLong-L1.5, section 5.1)."""

    num_steps: PositiveInt
    """Optimizer steps; one per batch, so training is strictly on-policy."""
    group_size: PositiveInt = 8
    """G, rollouts per prompt."""
    min_prompt_tokens: NonNegativeInt = 0
    """Examples with prompts up to this length belong to an earlier stage (L1, Eq. 9)."""
    max_prompt_tokens: PositiveInt = 20_000
    """Examples with longer prompts are left to later stages."""
    max_response_tokens: PositiveInt = 12_000
    """Answers are cut here."""
    temperature: PositiveFloat = 0.7
    """Sampling temperature of rollouts."""
    top_p: float = Field(default=0.95, gt=0, le=1)
    """Nucleus of rollouts."""
    learning_rate: PositiveFloat = 2e-6
    """Constant after the warm-up."""
    warmup_steps: NonNegativeInt = 0
    """Steps of linear warm-up."""
    max_grad_norm: PositiveFloat = 1.0
    """Gradient clipping; verl's default, the paper gives none."""
    sampling: PromptSamplingConfig = PromptSamplingConfig()
    """How batches are drawn from the tasks; its batch_size is P."""
    group_filter: GroupFilterConfig = GroupFilterConfig()
    """Which groups the update sees."""
    advantage: AdvantageConfig = AdvantageConfig()
    """How rewards become advantages."""
    aepo: AepoConfig = AepoConfig()
    """Entropy control by masking negative samples."""
    negative_clipping: NegativeClippingConfig = NegativeClippingConfig()
    """The paper's ablation arms (Eq. 8-10); off when AEPO is used."""
    loss: LossConfig = LossConfig()
    """The policy-gradient loss."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.group_size < 2:
            raise ValueError(
                f"group_size is {self.group_size}; GRPO needs at least 2 rollouts per prompt "
                "(set training.group_size=2 or more)"
            )
        if self.min_prompt_tokens >= self.max_prompt_tokens:
            raise ValueError(
                f"min_prompt_tokens is {self.min_prompt_tokens} and max_prompt_tokens is "
                f"{self.max_prompt_tokens}; the first must be smaller"
            )
        return self
