"""What the paper's Table 10 shows, asked of our own figures.

A statement is about a quantity that is above zero where it holds. It holds if the whole interval
over the seeds lies above zero, does not if it lies below, and is not separated in between.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ablations.estimates import Interval, student_interval

from reproduction.measured import Measured, Seeds, agent_of, mean_of
from reproduction.paper import PAPER_ROWS

KEPT_FRACTION = 0.95
"""The merge is said to keep what is within 5% of the better parent."""

_VERDICTS = {"better": "holds", "worse": "does not hold", "not separated": "not separated"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One thing to look for."""

    text: str
    """In words."""
    paper: float
    """The quantity in the paper, points."""
    measured: Interval
    """The same in ours, points."""

    @property
    def verdict(self) -> str:
        """`holds`, `does not hold` or `not separated`."""
        return _VERDICTS[self.measured.verdict]


def statements(seeds: Seeds) -> tuple[Statement, ...]:
    """Return the paper's pattern, in the order of the recipe."""
    return (
        _change(seeds, "stage 1 is above naive GRPO", "stage-1", "naive-grpo", mean_of),
        _most_in_first(seeds),
        _change(seeds, "stage 2 adds to stage 1", "stage-2", "stage-1", mean_of),
        _change(seeds, "stage 3 adds to stage 2", "stage-3", "stage-2", mean_of),
        _change(seeds, "stage 3 hurts the agent", "stage-2", "stage-3", agent_of),
        _change(seeds, "memory RL helps the agent", "memory", "stage-3", agent_of),
        _change(seeds, "memory RL costs full context", "stage-3", "memory", mean_of),
        _kept(seeds, "the merge keeps full context", mean_of),
        _kept(seeds, "the merge keeps the agent", agent_of),
        _change(seeds, "stage 4 is above the merge", "final", "merged", mean_of),
        _change(seeds, "stage 4 is at least stage 3", "final", "stage-3", mean_of),
        _change(seeds, "the final agent is above the expert's", "final", "memory", agent_of),
    )


def _paper(checkpoint: str, figure: Callable[[Measured], float]) -> float:
    row = PAPER_ROWS[checkpoint]
    value = row.mean if figure is mean_of else row.agent
    assert value is not None
    return value


def _change(
    seeds: Seeds, text: str, to: str, since: str, figure: Callable[[Measured], float]
) -> Statement:
    return Statement(
        text=text,
        paper=_paper(to, figure) - _paper(since, figure),
        measured=_points(seeds.change(to, since, figure)),
    )


def _most_in_first(seeds: Seeds) -> Statement:
    """Twice the gain of stage 1 less the whole gain: above zero if stage 1 brings most of it."""

    def spare(base: float, first: float, final: float) -> float:
        return 2 * (first - base) - (final - base)

    columns = [
        [found.mean for found in seeds.by_checkpoint[name]] for name in ("base", "stage-1", "final")
    ]
    paper = [_paper(name, mean_of) for name in ("base", "stage-1", "final")]
    return Statement(
        text="most of the gain comes in stage 1",
        paper=spare(*paper),
        measured=_points(student_interval([spare(*row) for row in zip(*columns, strict=True)])),
    )


def _kept(seeds: Seeds, text: str, figure: Callable[[Measured], float]) -> Statement:
    """Merged less 95% of the better parent, seed by seed."""

    def spare(merged: float, parents: tuple[float, float]) -> float:
        return merged - KEPT_FRACTION * max(parents)

    found = [
        spare(figure(merged), (figure(stage), figure(memory)))
        for merged, stage, memory in zip(
            *(seeds.by_checkpoint[name] for name in ("merged", "stage-3", "memory")), strict=True
        )
    ]
    parents = (_paper("stage-3", figure), _paper("memory", figure))
    return Statement(
        text=f"{text} (within 5% of the better parent)",
        paper=spare(_paper("merged", figure), parents),
        measured=_points(student_interval(found)),
    )


def _points(interval: Interval) -> Interval:
    return Interval(
        mean=100 * interval.mean,
        low=100 * interval.low,
        high=100 * interval.high,
        num_observations=interval.num_observations,
    )
