"""What a stage keeps on the disk: its last steps, its best policy, its final policy.

    step-000007/   policy, optimizer and the loop's state after step 7; the last ones are kept
    best/          the policy with the best figure so far, and `best.json` that says which
    final/         the policy alone, when the stage is done

A folder appears under its name only when it is complete, so a run killed at any moment loses at
most the steps since its last checkpoint, and the resumed run ends in the same bits.
"""

import json
import logging
import math
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from pydantic import PositiveInt

from longloom.config import FrozenConfig
from longloom.errors import CheckpointError
from longloom.runlog import atomic_folder
from longloom.runlog.digests import file_digest
from longloom.training.engine import TrainEngine

logger = logging.getLogger(__name__)

STATE_FILE = "training_state.json"
BEST_FILE = "best.json"
BEST_SCHEMA = {"schema": "longloom.best_policy", "version": 1}

KeepBest = Literal["none", "reward", "validation"]


class CheckpointConfig(FrozenConfig):
    """Which steps of a stage are kept."""

    every_steps: PositiveInt = 1
    """Steps between checkpoints; a killed run loses at most this many. The last is always saved."""
    keep_last: PositiveInt = 1
    """Checkpoints kept. When the stage is done, `final` takes the place of a single one; several
    stay beside it."""
    keep_best: KeepBest = "none"
    """Keep the policy with the highest mean reward, of its training rollouts or of validation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BestPolicy:
    """The figure of the policy in `best/`."""

    num_steps: int
    """Steps that policy had been trained for."""
    metric: str
    """Name of the figure."""
    value: float
    """The figure."""


class SavesPolicy(Protocol):
    """Whatever writes a policy as a model folder."""

    def save_policy(self, folder: Path) -> None:
        """Write the policy alone, as a model folder that others load."""


class StageCheckpoints:
    """The checkpoint folder of one stage."""

    def __init__(self, folder: Path, config: CheckpointConfig, *, schema: str) -> None:
        """Use `folder`, made when something is saved; `schema` names what the state is of."""
        self.folder = folder
        self._config = config
        self._schema = {"schema": schema, "version": 1}

    @property
    def final(self) -> Path:
        """Where the finished policy goes."""
        return self.folder / "final"

    def is_finished(self) -> bool:
        """Return whether the stage is done; clears away what a killed run left."""
        if self.final.exists():
            self._forget()
            return True
        return False

    def load(self, engine: TrainEngine) -> tuple[int, Mapping[str, object]]:
        """Bring the engine to the last checkpoint; return its step and the loop's state.

        Without a checkpoint the engine stays as it is: step 0 and an empty state.

        Raises:
            CheckpointError: the last checkpoint is damaged or of something else.
        """
        _restore(self.folder / "best")
        step = last_step(self.folder)
        if step == 0:
            return 0, {}
        folder = self._step_folder(step)
        state = self._read_state(folder, step)
        engine.load(folder)
        logger.info("resuming %s after step %d", self.folder.name, step)
        return step, state

    def _read_state(self, folder: Path, step: int) -> Mapping[str, object]:
        try:
            saved = json.loads((folder / STATE_FILE).read_text("utf-8"))
            found = {key: saved.pop(key) for key in (*self._schema, "step")}
            files = dict(saved.pop("files"))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(
                f"checkpoint {folder} is damaged ({error!r}); delete it to go back, or use --fresh"
            ) from None
        expected = {**self._schema, "step": step}
        if found != expected:
            raise CheckpointError(
                f"checkpoint {folder} holds {found}; expected {expected}; delete it or use --fresh"
            )
        changed = [
            name for name, digest in _file_digests(folder).items() if files.pop(name, "") != digest
        ]
        if changed or files:
            raise CheckpointError(
                f"checkpoint {folder} is damaged: {', '.join([*changed, *files])} is not as it was "
                "written; delete the checkpoint to go back, or use --fresh"
            )
        return dict(saved)

    def save(
        self, step: int, num_steps: int, engine: TrainEngine, state: Mapping[str, object]
    ) -> None:
        """Write the checkpoint of a step if it is due, and forget the oldest.

        Raises:
            CheckpointError: it cannot be written.
        """
        if step % self._config.every_steps and step != num_steps:
            return
        with atomic_folder(self._step_folder(step), error_class=CheckpointError) as partial:
            engine.save(partial)
            files = _file_digests(partial)
            content = json.dumps({**self._schema, "step": step, "files": files, **state})
            (partial / STATE_FILE).write_text(content, "utf-8")
        self._forget()

    def keep_if_best(
        self, kind: KeepBest, best: BestPolicy, engine: SavesPolicy
    ) -> BestPolicy | None:
        """Put the engine's policy into `best/` if figures of `kind` count and this is the best.

        The first of equal figures stays, so a resumed run that repeats a step changes nothing.

        Returns:
            `best` if it was kept, or None.

        Raises:
            CheckpointError: it cannot be written, or what is there is damaged.
        """
        if kind != self._config.keep_best or not math.isfinite(best.value):
            return None
        folder = self.folder / "best"
        if folder.exists() and read_best(folder).value >= best.value:
            return None
        with _replacing(folder) as partial:
            engine.save_policy(partial)
            content = {
                **BEST_SCHEMA,
                "num_steps": best.num_steps,
                "metric": best.metric,
                "value": best.value,
            }
            (partial / BEST_FILE).write_text(json.dumps(content), "utf-8")
        return best

    def finish(self, engine: SavesPolicy) -> Path:
        """Write the final policy, forget what it replaces, and return its folder.

        Raises:
            CheckpointError: it cannot be written.
        """
        with atomic_folder(self.final, error_class=CheckpointError) as partial:
            engine.save_policy(partial)
        self._forget()
        return self.final

    def _step_folder(self, step: int) -> Path:
        return self.folder / f"step-{step:06d}"

    def _forget(self) -> None:
        """Remove all checkpoints but the newest, and what half saves left."""
        num_kept = self._config.keep_last
        if num_kept == 1 and self.final.exists():
            num_kept = 0
        kept = sorted(_steps(self.folder), reverse=True)[:num_kept]
        for path in self.folder.glob("step-*"):
            if _step_of(path) not in kept:
                shutil.rmtree(path)


def _file_digests(folder: Path) -> dict[str, str]:
    """Return the digest of each file of a checkpoint but its state, which holds these digests."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    files = [path for path in files if path != folder / STATE_FILE]
    with ThreadPoolExecutor() as threads:
        digests = threads.map(file_digest, files)
        return {
            str(path.relative_to(folder)): digest
            for path, digest in zip(files, digests, strict=True)
        }


def last_step(folder: Path) -> int:
    """Return the last step of a stage that is safely on disk; 0 if there is none."""
    return max(_steps(folder), default=0)


def read_best(folder: Path) -> BestPolicy:
    """Return which policy a `best/` folder holds.

    Raises:
        CheckpointError: it is damaged.
    """
    try:
        saved = json.loads((folder / BEST_FILE).read_text("utf-8"))
        if {key: saved[key] for key in BEST_SCHEMA} != BEST_SCHEMA:
            raise ValueError(f"expected {BEST_SCHEMA}")
        return BestPolicy(
            num_steps=int(saved["num_steps"]),
            metric=str(saved["metric"]),
            value=float(saved["value"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{folder / BEST_FILE} is damaged ({error!r}); delete {folder} to choose the best anew"
        ) from None


def _steps(folder: Path) -> list[int]:
    found = (_step_of(path) for path in folder.glob("step-[0-9]*"))
    return [step for step in found if step is not None]


def _step_of(path: Path) -> int | None:
    number = path.name.removeprefix("step-")
    return int(number) if number.isdigit() else None


@contextmanager
def _replacing(folder: Path) -> Iterator[Path]:
    """Give an empty folder that takes the place of `folder`, of which one is there at any time.

    Killed between its two renames it leaves the old one as `.replaced`; `_restore` puts it back.
    """
    replaced = folder.with_name(folder.name + ".replaced")
    new = folder.with_name(folder.name + ".new")
    _remove(new)
    with atomic_folder(new, error_class=CheckpointError) as partial:
        yield partial
    if folder.exists():
        folder.rename(replaced)
    new.rename(folder)
    _remove(replaced)


def _restore(folder: Path) -> None:
    """Undo what a killed replacement left."""
    replaced = folder.with_name(folder.name + ".replaced")
    if replaced.exists() and not folder.exists():
        replaced.rename(folder)
    for name in (".replaced", ".new", ".new.partial"):
        _remove(folder.with_name(folder.name + name))


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
