"""Measure how well a model answers each example before it is trained on them.

Each example is rolled out k times by the stage's agent, under the stage's own limits, with the
stage's starting model. Results are appended to `difficulty.jsonl` in the stage's folder as they
come, so a killed run goes on where it stopped, and a later stage or a person can read them. Every
line carries a key of the model and the settings; lines of other keys are passed over.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from longloom.errors import DataError
from longloom.records import Example, RolloutGroup, SamplingParams
from longloom.runlog import RecordSchema, RecordWriter, read_records
from longloom.training.filters import unpenalised_reward
from longloom.training.stage_inputs import AskedStage

DIFFICULTY_FILE = "difficulty.jsonl"
DIFFICULTY_SCHEMA = RecordSchema(name="longloom.difficulty", version=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureSettings:
    """How examples are rolled out to be measured; other settings give another key."""

    stage: str
    """Name of the stage, part of the random streams."""
    num_rollouts: int
    """k: attempts per example."""
    params: SamplingParams
    """How answers are drawn."""
    examples_at_once: int
    """Examples rolled out together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredExample:
    """What the attempts at one example scored."""

    example_id: str
    """The example."""
    rewards: tuple[float, ...]
    """One per attempt, without length penalties; failed attempts score 0."""
    num_failed: int
    """Attempts that failed."""

    @property
    def mean_reward(self) -> float:
        """Return the mean reward: pass@1 where rewards are 0 or 1."""
        return fmean(self.rewards)


def measure_examples(
    settings: MeasureSettings, inputs: AskedStage, examples: Sequence[Example]
) -> dict[str, MeasuredExample]:
    """Return the measurement of every example by id, rolling out those not measured yet.

    Raises:
        DataError: the file of measurements is damaged or cannot be written.
        RewardError: a judge was needed and could not be asked.
    """
    key = _measurement_key(settings, inputs)
    path = inputs.folder / DIFFICULTY_FILE
    measured = read_difficulty(path, key=key) if path.exists() else {}
    at_once = settings.examples_at_once
    description = f"measuring difficulty for {settings.stage}"
    with RecordWriter(path, schema=DIFFICULTY_SCHEMA) as writer:
        for start in range(0, len(examples), at_once):
            # Examples are always rolled out in the same company, killed or not: same bits.
            company = examples[start : start + at_once]
            if any(example.example_id not in measured for example in company):
                for found in _measure(settings, inputs, company):
                    if found.example_id not in measured:
                        writer.append(_to_json(found, key))
                        measured[found.example_id] = found
            inputs.on_progress(description, min(start + at_once, len(examples)), len(examples))
    return {example.example_id: measured[example.example_id] for example in examples}


def read_difficulty(path: Path, *, key: str | None = None) -> dict[str, MeasuredExample]:
    """Return the measurements in a file by example id, those of one key or the last of any.

    Raises:
        DataError: the file is missing or damaged.
    """
    measured = {}
    for number, record in enumerate(read_records(path, schema=DIFFICULTY_SCHEMA).records, start=2):
        try:
            if key is not None and record["key"] != key:
                continue
            measured[str(record["example_id"])] = MeasuredExample(
                example_id=str(record["example_id"]),
                rewards=tuple(float(reward) for reward in record["rewards"]),
                num_failed=int(record["num_failed"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"{path}, line {number} is no measurement ({error!r}); expected key, example_id, "
                "rewards and num_failed; delete the file to measure again"
            ) from None
    return measured


def _measure(
    settings: MeasureSettings, inputs: AskedStage, examples: Sequence[Example]
) -> list[MeasuredExample]:
    groups = inputs.roll_out(
        examples,
        num_rollouts=settings.num_rollouts,
        params=settings.params,
        policy_version=0,
        key=f"{inputs.seed}/{settings.stage}/difficulty",
    )
    return [_measured(group) for group in groups]


def _measured(group: RolloutGroup) -> MeasuredExample:
    return MeasuredExample(
        example_id=group.example.example_id,
        rewards=tuple(unpenalised_reward(reward) for reward in group.rewards),
        num_failed=sum(bool(rollout.error) for rollout in group.rollouts),
    )


def _to_json(measured: MeasuredExample, key: str) -> Mapping[str, object]:
    return {
        "key": key,
        "example_id": measured.example_id,
        "rewards": list(measured.rewards),
        "num_failed": measured.num_failed,
        "mean_reward": measured.mean_reward,
    }


def _measurement_key(settings: MeasureSettings, inputs: AskedStage) -> str:
    named = {
        "model": inputs.model_id,
        "seed": inputs.seed,
        "stage": settings.stage,
        "num_rollouts": settings.num_rollouts,
        "temperature": settings.params.temperature,
        "top_p": settings.params.top_p,
        "max_new_tokens": settings.params.max_new_tokens,
    }
    return hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()[:16]
