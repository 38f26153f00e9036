"""The score of a run: rules, and the judge if there is one, opened once for all its batches."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from longloom.rewards import JudgeConfig, RewardConfig, ScoreFunction, score_rollout

JUDGE_FOLDER = "judge"
"""In a run folder: the judge's clear replies, for resumed runs and other parts of this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """What gives rewards."""

    score_for: Callable[[int], ScoreFunction]
    """Gives what turns rollouts into rewards, for answers that are cut at so many tokens."""
    take_metrics: Callable[[], dict[str, float]]
    """Figures of the judge since the last call; empty without one."""


@contextmanager
def open_scoring(
    reward: RewardConfig, judge: JudgeConfig | None, folder: Path
) -> Iterator[Scoring]:
    """Give the score of a run in `folder`; the judge's connections end with the block.

    Clear verdicts are kept there, unless the judge's settings name another folder.

    Raises:
        ModelError: the judge's cache cannot be used.
    """
    if judge is None:
        yield Scoring(
            score_for=lambda limit: partial(score_rollout, config=reward.for_limit(limit)),
            take_metrics=dict,
        )
        return
    from longloom.rewards.endpoint_judge import EndpointJudge

    with EndpointJudge(judge, cache_folder=folder / JUDGE_FOLDER) as asked:
        yield Scoring(
            score_for=lambda limit: partial(
                score_rollout, config=reward.for_limit(limit), judge=asked
            ),
            take_metrics=asked.take_metrics,
        )
