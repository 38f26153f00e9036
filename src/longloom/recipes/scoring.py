"""The score of a run: rules, and the judge if there is one, opened once for all its batches."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from longloom.rewards import JudgeConfig, RewardConfig, ScoreFunction, score_rollout

JUDGE_FOLDER = "judge"
"""In a run folder: the judge's replies, kept for resumed runs and other parts of this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """What gives rewards."""

    score: ScoreFunction
    """Turns a rollout into a reward."""
    take_metrics: Callable[[], dict[str, float]]
    """Figures of the judge since the last call; empty without one."""


@contextmanager
def open_scoring(
    reward: RewardConfig, judge: JudgeConfig | None, folder: Path
) -> Iterator[Scoring]:
    """Give the score of a run in `folder`; the judge's connections end with the block.

    Raises:
        ModelError: the judge's cache cannot be used.
    """
    if judge is None:
        yield Scoring(score=partial(score_rollout, config=reward), take_metrics=dict)
        return
    from longloom.rewards.endpoint_judge import EndpointJudge

    with EndpointJudge(judge, cache_folder=folder / JUDGE_FOLDER) as asked:
        yield Scoring(
            score=partial(score_rollout, config=reward, judge=asked),
            take_metrics=asked.take_metrics,
        )
