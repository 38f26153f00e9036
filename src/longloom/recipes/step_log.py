"""Write down what every step of a stage did: metrics, some rollouts, trackers."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from longloom.recipes.run_config import LoggedGroups
from longloom.recipes.stage_messages import lost_steps_message
from longloom.records import Context
from longloom.report import ROLLOUT_SCHEMA, rollout_record
from longloom.runlog import METRICS_FILE, ROLLOUTS_FILE, MetricLog, RecordWriter, read_metrics
from longloom.runlog.trackers import Trackers
from longloom.training.stage_inputs import StepResult

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLog:
    """The open files of a stage; see `open_step_log`."""

    metrics: MetricLog
    """metrics.jsonl, the source of all figures."""
    rollouts: RecordWriter
    """rollouts.jsonl."""
    trackers: Trackers
    """Whoever shows the metrics elsewhere."""
    take_metrics: Callable[[], dict[str, float]]
    """Further figures since the last step."""
    logged_groups: LoggedGroups
    """Groups written down per step."""
    steps_before: int
    """Steps of earlier stages of the run: trackers count over all of them."""

    def log(self, stage: str, result: StepResult, contexts: Mapping[str, Context]) -> StepResult:
        """Write a step down and return it with the further figures.

        Raises:
            DataError: the disk is full.
        """
        step = result.step
        metrics = {**result.metrics, **self.take_metrics()}
        self.metrics.log(step, metrics, stage=stage)
        num_groups = len(result.groups) if self.logged_groups == "all" else self.logged_groups
        for group in result.groups[:num_groups]:
            context = contexts[group.example.context_id]
            self.rollouts.append(rollout_record(step, stage, group, context))
        self.trackers.log(self.steps_before + step, metrics)
        return StepResult(step=step, groups=result.groups, metrics=metrics)


@contextmanager
def open_step_log(
    folder: Path,
    *,
    saved_steps: int | None,
    logged_groups: LoggedGroups,
    trackers: Trackers,
    take_metrics: Callable[[], dict[str, float]],
    steps_before: int = 0,
) -> Iterator[StepLog]:
    """Open metrics.jsonl and rollouts.jsonl of a stage and forget the steps it will do again.

    Warns of steps in the checkpoint whose metrics are gone: a stage goes on without them.

    Args:
        folder: where the files lie.
        saved_steps: steps that are safely in a checkpoint; None if nothing will be done again.
        logged_groups: groups written down per step.
        trackers: show the metrics elsewhere.
        take_metrics: gives further figures since the last step.
        steps_before: steps of earlier stages of the run.

    Raises:
        DataError: a file holds something else, or cannot be written.
    """
    metrics_file = folder / METRICS_FILE
    with ExitStack() as stack:
        metrics = stack.enter_context(MetricLog(metrics_file))
        rollouts = stack.enter_context(RecordWriter(folder / ROLLOUTS_FILE, schema=ROLLOUT_SCHEMA))
        if saved_steps is not None:
            metrics.discard_after(saved_steps)
            if lost := lost_steps_message(read_metrics(metrics_file), saved_steps):
                logger.warning("%s", lost)
            rollouts.discard_after(saved_steps)
        yield StepLog(
            metrics=metrics,
            rollouts=rollouts,
            trackers=trackers,
            take_metrics=take_metrics,
            logged_groups=logged_groups,
            steps_before=steps_before,
        )
