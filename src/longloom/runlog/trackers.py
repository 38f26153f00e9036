"""Show metrics elsewhere too: TensorBoard and Weights & Biases (the extra `track`).

metrics.jsonl stays the source. A tracker gets what is logged there, under verl's names as well; if
it fails, one warning is given and the run goes on without it. A resumed run goes on at its step:
steps that are done again replace the first ones.
"""

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

from longloom.errors import MissingDependencyError
from longloom.runlog.atomic import atomic_write_text
from longloom.runlog.closing import ClosesOnExit
from longloom.runlog.verl_names import with_verl_names

logger = logging.getLogger(__name__)

TrackerName = Literal["tensorboard", "wandb"]

TENSORBOARD_FOLDER = "tensorboard"
"""In the run folder; `tensorboard --logdir RUN_FOLDER` finds it."""
WANDB_ID_FILE = "wandb_id.txt"
"""In the run folder: names the run to Weights & Biases when it is resumed."""
WANDB_STEP = "step"
"""The metric that all others are drawn over."""


class Tracker(Protocol):
    """Shows metrics by step."""

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Show the metrics of one step."""

    def close(self) -> None:
        """Show what is still held back."""


class Trackers(ClosesOnExit):
    """All trackers of a run; none of them can stop it."""

    def __init__(self, trackers: Mapping[str, Tracker]) -> None:
        self._trackers = dict(trackers)

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Show the metrics of one step, under verl's names as well."""
        named = with_verl_names(metrics)
        for name, tracker in list(self._trackers.items()):
            self._guarded(name, partial(tracker.log, step, named))

    def close(self) -> None:
        """Close every tracker."""
        for name, tracker in list(self._trackers.items()):
            self._guarded(name, tracker.close)
        self._trackers = {}

    def _guarded(self, name: str, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:  # a boundary: charts are never worth a training run
            self._trackers.pop(name, None)
            logger.warning(
                "%s failed (%s: %s); the run goes on without it, its metrics are in metrics.jsonl",
                name,
                type(error).__name__,
                error,
            )


def open_trackers(
    names: Sequence[TrackerName],
    folder: Path,
    *,
    first_step: int,
    settings: Mapping[str, object],
) -> Trackers:
    """Open the named trackers for the run in `folder`.

    Args:
        names: which.
        folder: the run folder.
        first_step: the first step that will be logged; later ones of an earlier, killed process
            are replaced.
        settings: the resolved configuration, shown beside the charts.

    Raises:
        MissingDependencyError: the package of one is not installed.
    """
    makers: dict[TrackerName, Callable[[], Tracker]] = {
        "tensorboard": lambda: _TensorBoard(folder, first_step),
        "wandb": lambda: _Wandb(folder, settings),
    }
    opened: dict[str, Tracker] = {}
    for name in names:
        try:
            opened[name] = makers[name]()
        except ImportError as error:
            Trackers(opened).close()
            raise MissingDependencyError(
                f"tracker {name!r} needs a package that is not installed ({error}); run "
                f"`pip install 'longloom[track]'`"
            ) from None
        except Exception as error:  # a boundary, as above: the service may be out of reach
            logger.warning("%s cannot be opened (%s); the run goes on without it", name, error)
    return Trackers(opened)


class _TensorBoard:
    """Event files in the run folder."""

    def __init__(self, folder: Path, first_step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(str(folder / TENSORBOARD_FOLDER), purge_step=first_step)

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


class _Wandb:
    """A run at Weights & Biases, named by a file in the run folder."""

    def __init__(self, folder: Path, settings: Mapping[str, object]) -> None:
        import wandb

        self._run: Any = wandb.init(
            project="longloom",
            name=folder.name,
            id=_wandb_id(folder),
            resume="allow",
            dir=str(folder),
            config=dict(settings),
        )
        # Its own step only grows; a resumed run may go back. So ours is a metric like others.
        self._run.define_metric(WANDB_STEP)
        self._run.define_metric("*", step_metric=WANDB_STEP)

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        self._run.log({**metrics, WANDB_STEP: step})

    def close(self) -> None:
        self._run.finish()


def _wandb_id(folder: Path) -> str:
    """Return the id of the run in `folder`; a folder that is begun afresh gets another one."""
    path = folder / WANDB_ID_FILE
    if path.exists():
        return path.read_text("utf-8").strip()
    begun = (folder / "run.yaml").stat().st_mtime_ns if (folder / "run.yaml").exists() else 0
    run_id = hashlib.sha256(f"{folder.resolve()}\0{begun}".encode()).hexdigest()[:16]
    atomic_write_text(path, run_id + "\n")
    return run_id
