"""Write down what every step of a run did: metrics, some rollouts, trackers."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from longloom.recipes.run_config import LoggedGroups
from longloom.recipes.stage_messages import lost_steps_message
from longloom.records import Context
from longloom.report import ROLLOUT_SCHEMA, rollout_record
from longloom.runlog import MetricLog, RecordWriter, RunFolder, read_metrics
from longloom.runlog.trackers import TrackerName, Trackers, open_trackers
from longloom.training.stage_inputs import StepResult

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLog:
    """The open files of a run; see `open_step_log`."""

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

    def log(
        self, step: int, stage: str, result: StepResult, contexts: Mapping[str, Context]
    ) -> StepResult:
        """Write a step down and return it with the further figures; `step` counts over the run.

        Raises:
            DataError: the disk is full.
        """
        metrics = {**result.metrics, **self.take_metrics()}
        self.metrics.log(step, metrics, stage=stage)
        num_groups = len(result.groups) if self.logged_groups == "all" else self.logged_groups
        for group in result.groups[:num_groups]:
            context = contexts[group.example.context_id]
            self.rollouts.append(rollout_record(step, stage, group, context))
        self.trackers.log(step, metrics)
        return StepResult(step=result.step, groups=result.groups, metrics=metrics)


@contextmanager
def open_step_log(
    folder: RunFolder,
    *,
    saved_steps: int | None,
    logged_groups: LoggedGroups,
    track: Sequence[TrackerName],
    settings: Mapping[str, object],
    take_metrics: Callable[[], dict[str, float]],
) -> Iterator[StepLog]:
    """Open the files of a run and forget the steps that it will do again.

    Warns of steps in the checkpoint whose metrics are gone: a run goes on without them.

    Args:
        folder: the run folder.
        saved_steps: steps that are safely in a checkpoint; None if nothing will be done again.
        logged_groups: groups written down per step.
        track: trackers to open.
        settings: the resolved configuration, for trackers.
        take_metrics: gives further figures since the last step.

    Raises:
        DataError: a file holds something else, or cannot be written.
        MissingDependencyError: the package of a tracker is not installed.
    """
    with ExitStack() as stack:
        metrics = stack.enter_context(MetricLog(folder.metrics_file))
        rollouts = stack.enter_context(RecordWriter(folder.rollouts_file, schema=ROLLOUT_SCHEMA))
        first_step = 1
        if saved_steps is not None:
            metrics.discard_after(saved_steps)
            if lost := lost_steps_message(read_metrics(folder.metrics_file), saved_steps):
                logger.warning("%s", lost)
            rollouts.discard_after(saved_steps)
            first_step = saved_steps + 1
        trackers = open_trackers(track, folder.path, first_step=first_step, settings=settings)
        yield StepLog(
            metrics=metrics,
            rollouts=rollouts,
            trackers=stack.enter_context(trackers),
            take_metrics=take_metrics,
            logged_groups=logged_groups,
        )
