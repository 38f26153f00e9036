"""What is compared. Every arm is a list of stages; arms differ in nothing that is not named here.

QwenLong-L1.5's arms (Tables 2, 4 and 5) are one stage of `num_steps` on all lengths. As in the
paper, batch and task standard deviations stand on task-balanced sampling, and the clipping arms and
AEPO on plain GRPO. QwenLong-L1's arms (its section on ablations) each take one part away from the
whole: warm-up, phases by length, retrospective sampling, judge.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ablations.settings import AblationSettings
from longloom.training.advantage_config import AdvantageConfig, AdvantageKind
from longloom.training.aepo_config import AepoConfig
from longloom.training.checkpoints import CheckpointConfig
from longloom.training.curriculum import RetrospectiveConfig
from longloom.training.negative_clipping_config import NegativeClippingConfig
from longloom.training.sampling import PromptSamplingConfig
from longloom.training.selection import SelectionConfig
from longloom.training.sft import SftConfig
from longloom.training.stage import TrainingConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class RlStage:
    """A stage of reinforcement learning."""

    name: str
    """Part of its random streams."""
    training: TrainingConfig
    """Its settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SftStage:
    """A stage of supervised fine-tuning on worked answers."""

    name: str
    """Part of its random streams."""
    sft: SftConfig
    """Its settings."""


Stage = RlStage | SftStage


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One arm."""

    name: str
    """Names its files."""
    title: str
    """Named so in tables."""
    family: Literal["l1", "l15"]
    """Whose ablation it belongs to."""
    stages: Callable[[AblationSettings], tuple[Stage, ...]]
    """What is trained, in order."""
    has_judge: bool = False
    """Whether a judge is asked where the rule fails."""
    paper_row: str = ""
    """Its row in the paper's tables; empty if the paper prints no number."""


def grpo_training(settings: AblationSettings) -> TrainingConfig:
    """Return plain GRPO: uniform sampling, group std, all negatives."""
    return TrainingConfig(
        num_steps=settings.num_steps,
        group_size=settings.group_size,
        max_prompt_tokens=settings.long_prompt_tokens,
        max_response_tokens=settings.max_response_tokens,
        temperature=1.0,
        top_p=1.0,
        learning_rate=settings.learning_rate,
        sampling=PromptSamplingConfig(kind="uniform", batch_size=settings.batch_size),
        advantage=AdvantageConfig(kind="group_std"),
        aepo=AepoConfig(enabled=False),
        checkpoints=CheckpointConfig(every_steps=settings.num_steps),
    )


StagesFunction = Callable[[AblationSettings], tuple[Stage, ...]]
ChangeFunction = Callable[[AblationSettings], dict[str, object]]


def _one_stage(change: ChangeFunction) -> StagesFunction:
    def stages(settings: AblationSettings) -> tuple[Stage, ...]:
        training = grpo_training(settings).replace(**change(settings))
        return (RlStage(name="rl", training=training),)

    return stages


def _balanced(settings: AblationSettings) -> PromptSamplingConfig:
    return PromptSamplingConfig(kind="task_balanced", batch_size=settings.batch_size)


def _balanced_by(kind: AdvantageKind) -> ChangeFunction:
    return lambda settings: {
        "sampling": _balanced(settings),
        "advantage": AdvantageConfig(kind=kind),
    }


def _clipped(mode: Literal["sequence", "token"], side: Literal["high", "low"]) -> ChangeFunction:
    def change(settings: AblationSettings) -> dict[str, object]:
        dropped = settings.clipped_fraction
        threshold = 1 - dropped if side == "high" else dropped
        clipping = NegativeClippingConfig(mode=mode, side=side, threshold=threshold)
        return {"negative_clipping": clipping}

    return change


def _aepo(settings: AblationSettings) -> dict[str, object]:
    aepo = AepoConfig(
        bounds="multiple_of_first",
        entropy_high=settings.aepo_high,
        entropy_low=settings.aepo_low,
    )
    return {"aepo": aepo}


def _l1_stages(
    *, has_sft: bool = True, has_phases: bool = True, has_retrospective: bool = True
) -> StagesFunction:
    def stages(settings: AblationSettings) -> tuple[Stage, ...]:
        warm_up = (SftStage(name="sft", sft=_sft(settings)),) if has_sft else ()
        whole = grpo_training(settings)
        if not has_phases:
            return (*warm_up, RlStage(name="rl", training=whole))
        first_steps = settings.num_steps // 2
        first = whole.replace(num_steps=first_steps, max_prompt_tokens=settings.short_prompt_tokens)
        second = whole.replace(
            num_steps=settings.num_steps - first_steps,
            min_prompt_tokens=settings.short_prompt_tokens,
            selection=_selection(settings) if has_retrospective else SelectionConfig(),
        )
        phases = (
            RlStage(name="phase-1", training=first),
            RlStage(name="phase-2", training=second),
        )
        return (*warm_up, *phases)

    return stages


def _sft(settings: AblationSettings) -> SftConfig:
    return SftConfig(
        num_epochs=settings.sft_epochs,
        batch_size=settings.sft_batch_size,
        learning_rate=settings.sft_learning_rate,
        checkpoints=CheckpointConfig(every_steps=10_000),
    )


def _selection(settings: AblationSettings) -> SelectionConfig:
    return SelectionConfig(
        num_rollouts=settings.num_difficulty_rollouts,
        retrospective=RetrospectiveConfig(
            kind="inverse_reward", max_examples=settings.num_returning_examples
        ),
    )


BASE = "base"
GRPO = "grpo"
L1_FULL = "l1-full"
ARMS: dict[str, Arm] = {
    arm.name: arm
    for arm in (
        Arm(
            name=BASE, title="base", family="l15", stages=lambda _: (), paper_row="base",
        ),
        Arm(
            name=GRPO, title="GRPO", family="l15", stages=_one_stage(lambda _: {}),
            paper_row="GRPO",
        ),
        Arm(
            name="tbs", title="+ task-balanced sampling", family="l15",
            stages=_one_stage(lambda settings: {"sampling": _balanced(settings)}),
            paper_row="+ task-balanced sampling",
        ),
        Arm(
            name="tbs-batch-std", title="+ TBS + batch std", family="l15",
            stages=_one_stage(_balanced_by("batch_std")), paper_row="+ TBS + batch std",
        ),
        Arm(
            name="tbs-task-std", title="+ TBS + task std", family="l15",
            stages=_one_stage(_balanced_by("task_std")), paper_row="+ TBS + task std",
        ),
        Arm(
            name="clip-low-tokens", title="clip low-entropy tokens", family="l15",
            stages=_one_stage(_clipped("token", "low")), paper_row="clip low-entropy tokens",
        ),
        Arm(
            name="clip-high-tokens", title="clip high-entropy tokens", family="l15",
            stages=_one_stage(_clipped("token", "high")), paper_row="clip high-entropy tokens",
        ),
        Arm(
            name="clip-low-sequences", title="clip low-entropy sequences", family="l15",
            stages=_one_stage(_clipped("sequence", "low")),
            paper_row="clip low-entropy sequences",
        ),
        Arm(
            name="clip-high-sequences", title="clip high-entropy sequences", family="l15",
            stages=_one_stage(_clipped("sequence", "high")),
            paper_row="clip high-entropy sequences",
        ),
        Arm(name="aepo", title="AEPO", family="l15", stages=_one_stage(_aepo), paper_row="AEPO"),
        Arm(
            name=L1_FULL, title="L1, all parts", family="l1", stages=_l1_stages(), has_judge=True,
        ),
        Arm(
            name="l1-no-sft", title="without warm-up", family="l1",
            stages=_l1_stages(has_sft=False), has_judge=True,
        ),
        Arm(
            name="l1-one-phase", title="one phase instead of two", family="l1",
            stages=_l1_stages(has_phases=False), has_judge=True,
        ),
        Arm(
            name="l1-no-retrospective", title="without retrospective sampling", family="l1",
            stages=_l1_stages(has_retrospective=False), has_judge=True,
        ),
        Arm(
            name="l1-rule-only", title="rule alone instead of rule and judge", family="l1",
            stages=_l1_stages(),
        ),
    )
}  # fmt: skip
"""All arms in the order of the tables."""

BASELINES: dict[str, str] = {"l15": GRPO, "l1": L1_FULL}
"""What the arms of a family are compared with."""
