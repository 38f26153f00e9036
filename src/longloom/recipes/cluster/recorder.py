"""What the trainer on the cluster tells of every step: the files of a stage's folder.

Opened by verl's trainer process, by the name in `RECORDER`; whoever started the run reads
metrics.jsonl and shows it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from longloom.engines.verl.stage_parts import StageParts
from longloom.recipes.step_log import open_step_log
from longloom.runlog.trackers import Trackers
from longloom.training.stage_inputs import StepListener, StepResult

RECORDER = f"{__name__}:open_recorder"
"""`VerlStageSettings.recorder` of a recipe's stages."""


@contextmanager
def open_recorder(parts: StageParts, num_done: int) -> Iterator[StepListener]:
    """Give what writes steps down, after `num_done` steps that are in a checkpoint.

    Raises:
        DataError: a file holds something else, or cannot be written.
    """
    settings = parts.settings
    folder = Path(settings.folder)
    with open_step_log(
        folder,
        saved_steps=num_done,
        logged_groups=settings.logged_groups,
        trackers=Trackers({}),
        take_metrics=dict,
    ) as log:

        def record(result: StepResult) -> None:
            log.log(settings.stage, result, parts.contexts)
            log.metrics.sync()  # before verl's checkpoint of the step

        yield record
