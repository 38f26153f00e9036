"""One JSON file for every arm and seed, written when the run is done and not before."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ablations.settings import AblationSettings
from longloom.errors import DataError
from longloom.runlog import atomic_write_text, config_hash

SCHEMA = {"schema": "longloom.ablation_run", "version": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """One step of reinforcement learning."""

    step: int
    """1 .. over all stages."""
    reward: float
    """Mean reward of the step's rollouts; the batches of balanced arms have other tasks."""
    entropy_nats: float
    """Batch entropy."""
    response_tokens: float
    """Mean length of the answers."""
    negatives_on: float
    """1 while negative samples count."""
    validation: float | None = None
    """Mean over tasks of the validation rewards, where they were asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskScore:
    """Accuracy on one task."""

    task: str
    """Task type."""
    mean_reward: float
    """Mean reward on its held-out questions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What one arm gave with one seed."""

    arm: str
    """Name of the arm."""
    seed: int
    """Its seed."""
    pool_digest: str
    """Names the questions."""
    reward_by_question: Mapping[str, float]
    """Mean reward of every held-out question."""
    score_by_task: tuple[TaskScore, ...]
    """Accuracy by task."""
    kl_to_base_nats: float
    """KL to the base per token of held-out answers (k3)."""
    held_out_entropy_nats: float
    """Mean entropy of held-out answers."""
    held_out_response_tokens: float
    """Mean length of held-out answers."""
    curve: tuple[CurvePoint, ...]
    """Every step."""
    judge_asked: int
    """Answers shown to the judge."""
    judge_accepted: int
    """Of these, accepted."""
    train_cpu_seconds: float
    """CPU time of training."""
    cpu_seconds: float
    """CPU time of the whole run."""
    worker: int
    """Process that ran it."""

    @property
    def score(self) -> float:
        """Mean over the tasks."""
        return sum(part.mean_reward for part in self.score_by_task) / len(self.score_by_task)

    def steps_to(self, fixed_score: float) -> int | None:
        """Return the first validated step with at least this score; None if there is none."""
        for point in self.curve:
            if point.validation is not None and point.validation >= fixed_score:
                return point.step
        return None


def run_path(folder: Path, arm: str, seed: int) -> Path:
    """Return where the result of arm and seed is kept."""
    return folder / "results" / f"{arm}-{seed}.json"


def write_run(folder: Path, result: RunResult, settings: AblationSettings) -> None:
    """Write a result; a final name never holds half of it."""
    content = {**SCHEMA, "settings": settings_hash(settings), **dataclasses.asdict(result)}
    atomic_write_text(run_path(folder, result.arm, result.seed), json.dumps(content) + "\n")


def read_runs(folder: Path, settings: AblationSettings) -> list[RunResult]:
    """Return all results of a folder, by arm and seed.

    Raises:
        DataError: one is damaged, or of other settings.
    """
    return [_read(path, settings) for path in sorted((folder / "results").glob("*.json"))]


def settings_hash(settings: AblationSettings) -> str:
    """Return a short name of the settings."""
    return config_hash(settings.model_dump(mode="json"))[:12]


def _read(path: Path, settings: AblationSettings) -> RunResult:
    try:
        saved = json.loads(path.read_text("utf-8"))
        found = {name: saved.pop(name) for name in (*SCHEMA, "settings")}
        saved["curve"] = tuple(CurvePoint(**point) for point in saved["curve"])
        saved["score_by_task"] = tuple(TaskScore(**score) for score in saved["score_by_task"])
        result = RunResult(**saved)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is damaged ({error!r}); delete it to run it again") from None
    if (expected := {**SCHEMA, "settings": settings_hash(settings)}) != found:
        raise DataError(f"{path} is of {found}; expected {expected}; use another --folder")
    return result
