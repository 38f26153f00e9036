"""The settings of one reinforcement learning stage."""

from typing import Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from longloom.config import FrozenConfig
from longloom.records import SamplingParams
from longloom.training.advantage_config import AdvantageConfig
from longloom.training.aepo_config import AepoConfig
from longloom.training.checkpoints import CheckpointConfig
from longloom.training.filters import GroupFilterConfig
from longloom.training.loss_config import LossConfig
from longloom.training.negative_clipping_config import NegativeClippingConfig
from longloom.training.sampling import PromptSamplingConfig
from longloom.training.selection import SelectionConfig
from longloom.training.validation import ValidationConfig


class TrainingConfig(FrozenConfig):
    """One stage: its data, its lengths and its algorithm (QwenLong-L1.5, section 5.1)."""

    num_steps: PositiveInt
    """Batches; each is one optimizer step unless updates_per_batch says otherwise."""
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
    updates_per_batch: PositiveInt = 1
    """Optimizer steps per batch, each on its share of the prompts. 1 is strictly on-policy, as in
    QwenLong-L1.5; QwenLong-L1 takes 4, MemAgent 16."""
    selection: SelectionConfig = SelectionConfig()
    """Which examples are used, by what the starting model scores on them."""
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
    validation: ValidationConfig = ValidationConfig()
    """Held-out questions during training."""
    checkpoints: CheckpointConfig = CheckpointConfig()
    """Which steps are kept."""

    @model_validator(mode="after")
    def _check_group_and_lengths(self) -> Self:
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

    @model_validator(mode="after")
    def _check_what_needs_another_setting(self) -> Self:
        if self.updates_per_batch > self.sampling.batch_size:
            raise ValueError(
                f"updates_per_batch is {self.updates_per_batch} and sampling.batch_size is "
                f"{self.sampling.batch_size}; each update needs a prompt: lower the first"
            )
        if self.selection.retrospective.kind != "off" and not self.min_prompt_tokens:
            raise ValueError(
                f"selection.retrospective.kind is {self.selection.retrospective.kind} and "
                "min_prompt_tokens is 0, so no example belongs to an earlier stage; set "
                "min_prompt_tokens, or the kind to off"
            )
        if self.checkpoints.keep_best == "validation" and not self.validation.every_steps:
            raise ValueError(
                "checkpoints.keep_best is validation and validation.every_steps is 0; set "
                "validation.every_steps, or keep the best by reward"
            )
        return self


def sampling_params(config: TrainingConfig) -> SamplingParams:
    """Return how the rollouts of a stage are drawn."""
    return SamplingParams(
        temperature=config.temperature,
        top_p=config.top_p,
        max_new_tokens=config.max_response_tokens,
    )
