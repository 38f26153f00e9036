"""Build the tiny base model."""

from collections.abc import Callable, Sequence
from pathlib import Path

from longloom.errors import ModelError
from longloom.recipes.tiny_base.build import build_tiny_base, set_reproducible
from longloom.recipes.tiny_base.measure import BaseMeasures
from longloom.recipes.tiny_base.pretrain import PHASES, Phase, PretrainProgress
from longloom.runlog import atomic_folder


def tiny_base(
    output: Path | str,
    *,
    seed: int = 0,
    phases: Sequence[Phase] = PHASES,
    report: Callable[[PretrainProgress], None] | None = None,
) -> BaseMeasures:
    """Build the tiny base model into a new folder and return what it can do.

    Args:
        output: the new folder.
        seed: the same seed on the same machine and versions gives the same weights.
        phases: what it is trained on, in order.
        report: is told how far the training is.

    Raises:
        ModelError: the folder exists or cannot be written.
    """
    set_reproducible(num_threads=1)
    with atomic_folder(Path(output), error_class=ModelError) as partial:
        return build_tiny_base(
            partial, seed=seed, phases=phases, report=report or (lambda progress: None)
        )
