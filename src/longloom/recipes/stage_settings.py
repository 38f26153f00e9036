"""The settings of one stage that is trained by hand; kept in its run.yaml."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

from pydantic import model_validator

from longloom.config import FrozenConfig, apply_overrides, parse_config
from longloom.engines.local_config import LocalEngineConfig
from longloom.errors import ConfigError
from longloom.memory import MemoryConfig
from longloom.models.yarn_config import YarnConfig
from longloom.recipes.catalogue import load_config
from longloom.recipes.model_source import resolve_model
from longloom.recipes.run_config import LoggedGroups, StageConfig
from longloom.records import TaskType
from longloom.rewards import JudgeConfig, RewardConfig
from longloom.runlog.trackers import TrackerName
from longloom.synthesis.rows import RowsConfig
from longloom.synthesis.rows.checking import EVERY_SOURCE
from longloom.training.sft import SftConfig
from longloom.training.stage import TrainingConfig

SFT_STAGE = "sft"
"""A stage of this name can be trained with every recipe, with QwenLong-L1's values."""

_SHARED = (
    "reward", "judge", "engine", "memory", "template", "num_threads", "logged_groups", "track",
)  # fmt: skip


class StageSettings(FrozenConfig):
    """Everything one stage by hand depends on."""

    examples: str
    """Folder of the examples, or a file of rows."""
    model: str
    """Folder of the model it starts from."""
    stage: str
    """Its name."""
    agent: Literal["single_pass", "memory"]
    """How the model answers."""
    training: TrainingConfig | None = None
    """The algorithm of reinforcement learning."""
    sft: SftConfig | None = None
    """The settings of supervised fine-tuning."""
    rows: RowsConfig = RowsConfig()
    """How rows of a file are understood."""
    reward: RewardConfig
    """How answers are scored."""
    judge: JudgeConfig | None = None
    """Whom to ask where a rule fails; None: rules alone."""
    engine: LocalEngineConfig = LocalEngineConfig()
    """How training and rollouts use the machine."""
    yarn: YarnConfig | None = None
    """Lengthens the model's window; None leaves it."""
    memory: MemoryConfig
    """How the memory agent reads."""
    template: str
    """Single-pass prompt template; rows of a file have prompts of their own."""
    seed: int
    """Names the random streams."""
    num_threads: int
    """Threads of the tensor library."""
    logged_groups: LoggedGroups
    """Rollout groups written to rollouts.jsonl per step, or `all`."""
    track: tuple[TrackerName, ...] = ()
    """Where metrics are shown beside metrics.jsonl."""

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> Self:
        if (self.training is None) == (self.sft is None):
            raise ValueError(
                f"stage {self.stage!r} has training={self.training} and sft={self.sft}; expected "
                "exactly one of them"
            )
        return self


def stage_settings(
    examples: Path | str,
    *,
    model: Path | str,
    recipe: str,
    stage: str,
    overrides: Sequence[str] = (),
    tasks: Sequence[str] = (),
    track: Sequence[str] = (),
    seed: int | None = None,
) -> StageSettings:
    """Return the settings of a recipe's stage, with changes.

    Args:
        examples: a folder of examples or a file of rows.
        model: a model folder or `tiny-base`.
        recipe: whose settings are taken.
        stage: which of its stages.
        overrides: changed settings as `training.a=b`, `sft.a=b` or of the other groups.
        tasks: what rows of a file are: `TASK` for all, or `SOURCE=TASK`.
        track: trackers, added to those of the recipe.
        seed: replaces the recipe's seed.

    Raises:
        ConfigError: a setting is refused, or there is no such stage.
        ModelError: there is no such model folder.
    """
    config = load_config(recipe, seed=seed)
    chosen = _stage(config.stages, stage, recipe)
    plain = config.model_dump(mode="json")
    changeable = {name: plain[name] for name in _SHARED}
    own = chosen.model_dump(mode="json")
    kind = "sft" if chosen.kind == "sft" else "training"
    changeable |= {kind: own[kind], "yarn": own["yarn"]}
    changeable["rows"] = RowsConfig(tasks=parse_tasks(tasks)).model_dump(mode="json")
    changed = apply_overrides(changeable, overrides)
    changed["track"] = _joined(changed["track"], track)
    fixed = {
        "examples": str(Path(examples).resolve()),
        "model": str(resolve_model(str(model)).resolve()),
        "stage": stage,
        "agent": "memory" if chosen.kind == "memory" else "single_pass",
        "seed": config.seed,
    }
    return parse_config(StageSettings, {**changed, **fixed})


def parse_tasks(options: Sequence[str]) -> dict[str, TaskType]:
    """Return the task by `data_source` from options `TASK` and `SOURCE=TASK`.

    Raises:
        ConfigError: there is no such task.
    """
    tasks = {}
    for option in options:
        source, separator, name = option.rpartition("=")
        if name not in tuple(TaskType):
            raise ConfigError(
                f"task {option!r}: {name!r} is unknown; expected one of {', '.join(TaskType)}, or "
                "SOURCE=TASK"
            )
        tasks[source if separator else EVERY_SOURCE] = TaskType(name)
    return tasks


def _joined(configured: object, added: Sequence[str]) -> object:
    """Return the trackers of the settings and further ones; what is no list is refused later."""
    if not isinstance(configured, list):
        return configured
    return list(dict.fromkeys([*configured, *added]))


def _stage(stages: Sequence[StageConfig], name: str, recipe: str) -> StageConfig:
    trained = {stage.name: stage for stage in stages if stage.training or stage.sft}
    if name == SFT_STAGE and name not in trained:
        return StageConfig(name=SFT_STAGE, kind="sft", start="base", sft=SftConfig())
    if name not in trained:
        raise ConfigError(
            f"recipe {recipe!r} trains no stage {name!r}; expected one of "
            f"{', '.join([*trained, SFT_STAGE])}"
        )
    return trained[name]
