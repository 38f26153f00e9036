"""The configuration of a whole run: what a recipe returns and run.yaml holds."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator, model_validator

from longloom.config import FrozenConfig
from longloom.engines.local_config import LocalEngineConfig
from longloom.engines.verl.cluster_config import ClusterConfig
from longloom.errors import ConfigError
from longloom.memory import MemoryConfig
from longloom.merging.config import MergeConfig
from longloom.models.yarn_config import YarnConfig
from longloom.recipes.graph.order import ordered
from longloom.recipes.woven_config import WovenConfig, check_woven_lengths, check_woven_source
from longloom.rewards import JudgeConfig, RewardConfig
from longloom.runlog.trackers import TrackerName
from longloom.synthesis.miniature.config import MiniatureConfig
from longloom.training.sft import SftConfig
from longloom.training.stage import TrainingConfig

LoggedGroups = NonNegativeInt | Literal["all"]


class StageConfig(FrozenConfig):
    """One node of the recipe: where it starts and what it does there."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    """Name of its checkpoint: `stage-1`, `memory`, `merged`."""
    kind: Literal["full_context", "memory", "merge", "sft"]
    """Reinforcement learning on whole contexts, of the memory agent, merging, or supervised
    fine-tuning."""
    start: str
    """Checkpoint it starts from; for a merge the pivot. `base` is the recipe's model."""
    training: TrainingConfig | None = None
    """Settings of a reinforcement learning stage."""
    sft: SftConfig | None = None
    """Settings of supervised fine-tuning."""
    sft_rows: str = ""
    """File of the chats that supervised fine-tuning learns: Parquet, JSON Lines or JSON."""
    num_worked_answers: NonNegativeInt = 0
    """Without a file: answers that state their evidence, written by program to so many questions of
    their own per length. A tiny model's counterpart of distilled answers."""
    yarn: YarnConfig | None = None
    """Lengthens the model's window from this stage on; checkpoints of it keep the longer one."""
    merge: MergeConfig | None = None
    """Settings of a merge."""
    merged_stages: tuple[str, ...] = ()
    """Checkpoints merged against the pivot."""

    @property
    def needs(self) -> tuple[str, ...]:
        """The checkpoints it reads."""
        return (self.start, *self.merged_stages)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.kind == "merge" and (self.merge is None or len(self.merged_stages) < 2):
            raise ValueError(
                f"stage {self.name!r} is a merge; it needs `merge` and at least two "
                f"`merged_stages`, got {list(self.merged_stages)}"
            )
        if self.kind == "sft" and self.sft is None:
            raise ValueError(f"stage {self.name!r} is sft; it needs `sft`")
        if self.kind in ("full_context", "memory") and self.training is None:
            raise ValueError(f"stage {self.name!r} is {self.kind}; it needs `training`")
        if self.kind == "merge" and self.yarn is not None:
            raise ValueError(
                f"stage {self.name!r} is a merge and has `yarn`, which nothing would read; the "
                "merged model has its pivot's window: give `yarn` to a stage that trains"
            )
        own = {"merge": "merge", "sft": "sft"}.get(self.kind, "training")
        foreign = [name for name in ("merge", "sft", "training") if name != own]
        given = [name for name in foreign if getattr(self, name) is not None]
        if self.sft_rows and self.num_worked_answers:
            raise ValueError(
                f"stage {self.name!r} has sft_rows={self.sft_rows!r} and num_worked_answers="
                f"{self.num_worked_answers}; expected one of them"
            )
        if given:
            raise ValueError(
                f"stage {self.name!r} is {self.kind} and has `{given[0]}`, which nothing would "
                f"read; expected `{own}` alone: leave `{given[0]}` out or change the kind"
            )
        return self


class EvaluationConfig(FrozenConfig):
    """What is measured after training, on held-out questions."""

    num_questions: int = Field(default=400, ge=0)
    """Held-out questions per length band."""
    num_documents: int = Field(default=160, ge=0)
    """Long documents per length."""
    windows: tuple[PositiveInt, ...] = (2, 4, 8)
    """Lengths of the long documents in windows; a window is the last stage's prompt and answer."""
    document_agents: tuple[Literal["memory", "truncated", "closed_book"], ...] = (
        "memory",
        "truncated",
        "closed_book",
    )
    """How questions about long documents are asked: section by section, with the middle of the
    document cut out, or without it."""
    document_checkpoints: Literal["from_expert", "all"] = "from_expert"
    """Who is asked about long documents: the base, the model the memory expert starts from and all
    that follow it; or every checkpoint."""
    num_samples: PositiveInt = 8
    """Attempts per question where pass@k is reported."""
    temperature: float = Field(default=0.7, ge=0)
    """Sampling temperature (QwenLong-L1.5, section 5.1)."""
    top_p: float = Field(default=0.95, gt=0, le=1)
    """Nucleus (QwenLong-L1.5, section 5.1)."""
    in_background: Literal["auto"] | bool = "auto"
    """Evaluate finished checkpoints in a second process while training goes on; `auto` does so on
    CPU alone, for on CUDA it would put a second network on the accelerator that trains."""

    @model_validator(mode="after")
    def _windows_differ(self) -> Self:
        if len(set(self.windows)) < len(self.windows):
            raise ValueError(f"windows is {list(self.windows)}; expected each length once")
        return self


class RunConfig(FrozenConfig):
    """A whole run."""

    recipe: str
    """Name of the recipe it came from."""
    seed: int = 0
    """Everything random is drawn from streams named by this seed."""
    model: str
    """`tiny-base` or a Hugging Face model folder."""
    template: Literal["l1", "plain"] = "plain"
    """Single-pass prompt template."""
    num_threads: PositiveInt = 1
    """Threads of each process."""
    synthesis: MiniatureConfig = MiniatureConfig()
    """How questions and long documents are made."""
    woven: WovenConfig | None = None
    """Questions from the full-size synthesis instead; long documents are made as ever."""
    reward: RewardConfig = RewardConfig()
    """How answers are scored."""
    judge: JudgeConfig | None = None
    """Whom to ask where a rule fails, in training and evaluation alike; None: rules alone."""
    engine: LocalEngineConfig = LocalEngineConfig()
    """How training and rollouts use the machine."""
    cluster: ClusterConfig | None = None
    """A cluster that trains, by verl; None trains in this process (`--engine verl|local`)."""
    memory: MemoryConfig = MemoryConfig()
    """How the memory agent reads, in training and evaluation alike."""
    memory_document_tokens: PositiveInt = 128_000
    """Length of the documents the memory agent is trained on (Fig. 6: 128K)."""
    num_memory_examples: int = Field(default=1_000, ge=0)
    """Long documents made for training the memory agent."""
    stages: tuple[StageConfig, ...]
    """Stages; they run after what they start from, in whatever order they stand here."""
    evaluation: EvaluationConfig = EvaluationConfig()
    """What is measured."""
    logged_groups: LoggedGroups = 2
    """Rollout groups written to rollouts.jsonl per step, or `all`."""
    track: tuple[TrackerName, ...] = ()
    """Where metrics are shown beside metrics.jsonl: `tensorboard`, `wandb` (the extra `track`)."""

    @field_validator("stages")
    @classmethod
    def _stages_in_order(cls, stages: tuple[StageConfig, ...]) -> tuple[StageConfig, ...]:
        by_name = {"base": None} | {stage.name: stage for stage in stages}
        if len(by_name) <= len(stages):
            names = ["base", *(stage.name for stage in stages)]
            repeated = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"two stages are called {repeated!r}; names must differ")
        needs = {stage.name: stage.needs for stage in stages}
        return tuple(stage for name in ordered(needs, given=["base"]) if (stage := by_name[name]))

    @model_validator(mode="after")
    def _trains_on_full_contexts(self) -> Self:
        if not any(stage.kind == "full_context" for stage in self.stages):
            raise ValueError("stages has no full_context stage; expected at least one")
        return self


def check_sft_rows(config: RunConfig) -> None:
    """Check that every stage of supervised fine-tuning has something to learn.

    Raises:
        ConfigError: a stage names no file, or one that is not there.
    """
    for place, stage in enumerate(config.stages):
        if stage.kind != "sft" or stage.num_worked_answers:
            continue
        if not Path(stage.sft_rows).is_file():
            found = repr(stage.sft_rows) if stage.sft_rows else "empty"
            raise ConfigError(
                f"stages.{place}.sft_rows of stage {stage.name!r} is {found}; expected a file of "
                "chats with the answers to learn (`messages`, or `prompt` and `response`); give "
                f"one with --set stages.{place}.sft_rows=FILE, or leave the stage out of the "
                "recipe (`longloom recipe NAME > my.yaml`) and start from a model that had one"
            )


def check_lengths(config: RunConfig) -> None:
    """Check that examples and the length penalty are made for every stage's lengths.

    Apart from the class, because the parts by hand use a recipe's settings one part at a time.

    Raises:
        ConfigError: a stage would find no example, or the length penalty is beyond its answers;
            names both settings. Or woven questions have no source.
    """
    if config.woven is not None:
        check_woven_source(config.woven)
    limits = [
        stage.training.max_prompt_tokens
        for stage in config.stages
        if stage.training is not None and stage.kind == "full_context"
    ]
    for stage in config.stages:
        if stage.training is None:
            continue
        try:
            config.reward.for_limit(stage.training.max_response_tokens)
        except ConfigError as error:
            raise ConfigError(f"stage {stage.name!r}: {error}") from None
        low, high = stage.training.min_prompt_tokens, stage.training.max_prompt_tokens
        if stage.kind == "full_context":  # prompts of the new length are what it is there for
            low = max([low, *(limit for limit in limits if limit < high)])
        lengths, source = config.synthesis.length_bands, "synthesis.length_bands"
        if config.woven is not None and stage.kind != "memory":
            check_woven_lengths(config.woven, stage.name, low, high)
            continue
        if stage.kind == "memory":
            if not config.num_memory_examples:
                raise ConfigError(
                    f"num_memory_examples is 0, but stage {stage.name!r} trains on long "
                    "documents; expected more than 0, or leave the stage out"
                )
            lengths, source = (config.memory_document_tokens,), "memory_document_tokens"
        if not any(low < length <= high for length in lengths):
            raise ConfigError(
                f"stage {stage.name!r} takes prompts of {low + 1} to {high} tokens, but {source} "
                f"is {', '.join(map(str, lengths))}; expected a length within the stage's limits"
            )
