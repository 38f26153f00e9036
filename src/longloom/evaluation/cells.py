"""Evaluation results on disk: one JSON file per cell of the results table.

A cell is one checkpoint, asked the questions of one suite by one agent. Its file is named
`checkpoint--suite--agent.json`, in a run with a key before the ending, and appears only when it is
whole, so an interrupted evaluation goes on with the cells that are missing. Scores are kept per
question and sample: every figure of the report is computed from them, none is stored.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from longloom.errors import DataError
from longloom.records import TaskType
from longloom.runlog import atomic_write_text

CELL_SCHEMA = "longloom.evaluation_cell"
"""Written as `schema` into every cell file."""
CELL_VERSION = 1
"""Written as `version` into every cell file."""

AgentName = Literal["single_pass", "truncated", "memory", "closed_book"]
"""How the question was asked: whole context, middle cut out, section by section, no context."""

_ENDING = re.compile(r"(-[0-9a-f]+)?")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._]*(-[A-Za-z0-9._]+)*")
_CELL_FILES = "*--*--*.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleScore:
    """All attempts of a cell at one question."""

    example_id: str
    """The question; the same in every cell of a suite, so that cells can be paired."""
    task_type: TaskType
    """Its task."""
    rewards: tuple[float, ...]
    """One reward in [0, 1] per sample; a failed attempt is a 0 with its reason in `finish`."""
    num_prompt_tokens: int
    """Length of the first prompt; of the cut prompt where the middle was cut out."""
    finish: str
    """How the first sample ended: `stop`, `length`, or why it failed."""

    @property
    def mean_reward(self) -> float:
        """Mean reward over the samples."""
        return math.fsum(self.rewards) / len(self.rewards)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationCell:
    """One checkpoint, one suite, one agent."""

    checkpoint: str
    """base, stage-1, stage-2, stage-3, memory, merged or final."""
    suite: str
    """stage-1 .. stage-3 (prompts of that stage's lengths) or windows-2, -4, -8."""
    agent: AgentName
    """How the questions were asked."""
    num_samples: int
    """Attempts per question."""
    max_prompt_tokens: int
    """Longest prompt the agent was allowed."""
    seconds: float
    """Time the cell took."""
    scores: tuple[ExampleScore, ...]
    """One per question."""


def cell_path(folder: Path, *, checkpoint: str, suite: str, agent: str, key: str = "") -> Path:
    """Return where a cell lies in `folder`; a key, in hex digits, ends the name of its file.

    Raises:
        DataError: a name cannot be part of a cell's file name.
    """
    for name in (checkpoint, suite, agent):
        if not _NAME.fullmatch(name):
            raise DataError(
                f"evaluation name {name!r} cannot be part of a file name; use letters, digits, "
                "'.', '_' and single '-'"
            )
    ending = f"-{key}" if key else ""
    return folder / f"{checkpoint}--{suite}--{agent}{ending}.json"


def write_cell(folder: Path, cell: EvaluationCell, *, key: str = "") -> Path:
    """Write a cell atomically and return its file; a cell written before is replaced.

    Raises:
        DataError: the cell contradicts itself, or the folder cannot be written.
    """
    path = cell_path(
        folder, checkpoint=cell.checkpoint, suite=cell.suite, agent=cell.agent, key=key
    )
    _check(cell, str(path))
    content = {"schema": CELL_SCHEMA, "version": CELL_VERSION, **asdict(cell)}
    atomic_write_text(path, json.dumps(content, allow_nan=False) + "\n")
    return path


def read_cells(folder: Path) -> tuple[EvaluationCell, ...]:
    """Return all cells of `folder` in the order of their file names; none if it is missing.

    Raises:
        DataError: a file is damaged, of another schema, or holds another cell than its name says.
    """
    return tuple(read_cell(path) for path in sorted(folder.glob(_CELL_FILES)))


def read_cell(path: Path) -> EvaluationCell:
    """Return the cell of one file.

    Raises:
        DataError: the file is damaged, of another schema, or holds another cell than it should.
    """
    content = _read_json(path)
    found = (content.get("schema"), content.get("version"))
    if found != (CELL_SCHEMA, CELL_VERSION):
        raise DataError(
            f"{path} has schema {found[0]!r} version {found[1]!r}, expected {CELL_SCHEMA!r} "
            f"version {CELL_VERSION}; evaluate this checkpoint again"
        )
    try:
        cell = EvaluationCell(
            checkpoint=str(content["checkpoint"]),
            suite=str(content["suite"]),
            agent=_agent(content["agent"]),
            num_samples=int(content["num_samples"]),
            max_prompt_tokens=int(content["max_prompt_tokens"]),
            seconds=float(content["seconds"]),
            scores=_scores(content["scores"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{path} is not an evaluation cell: {error!r}; delete it and evaluate again"
        ) from None
    _check(cell, str(path))
    own_path = cell_path(
        path.parent, checkpoint=cell.checkpoint, suite=cell.suite, agent=cell.agent
    )
    if not _ENDING.fullmatch(path.stem.removeprefix(own_path.stem)):
        raise DataError(f"{path} holds the cell of {own_path.name}; rename it or evaluate again")
    return cell


def _read_json(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"cannot read evaluation cell {path}: {error}; delete it and evaluate again"
        ) from None
    if not isinstance(content, dict):
        raise DataError(f"{path} is not a JSON object; delete it and evaluate again")
    return content


def _agent(name: str) -> AgentName:
    for known in get_args(AgentName):
        if name == known:
            return known  # type: ignore[no-any-return]  # get_args is untyped
    raise ValueError(f"agent is {name!r}; expected one of {', '.join(get_args(AgentName))}")


def _scores(entries: Sequence[Mapping[str, Any]]) -> tuple[ExampleScore, ...]:
    return tuple(
        ExampleScore(
            example_id=str(entry["example_id"]),
            task_type=TaskType(entry["task_type"]),
            rewards=tuple(float(reward) for reward in entry["rewards"]),
            num_prompt_tokens=int(entry["num_prompt_tokens"]),
            finish=str(entry["finish"]),
        )
        for entry in entries
    )


def _check(cell: EvaluationCell, place: str) -> None:
    if cell.num_samples < 1 or not math.isfinite(cell.seconds):
        raise DataError(
            f"{place}: num_samples is {cell.num_samples} and seconds is {cell.seconds}; expected "
            "at least 1 sample and a finite time"
        )
    seen: set[str] = set()
    for score in cell.scores:
        if score.example_id in seen:
            raise DataError(f"{place}: example {score.example_id} is scored twice; expected once")
        seen.add(score.example_id)
        if len(score.rewards) != cell.num_samples:
            raise DataError(
                f"{place}: example {score.example_id} has {len(score.rewards)} rewards, expected "
                f"num_samples = {cell.num_samples}"
            )
        if not all(0.0 <= reward <= 1.0 for reward in score.rewards):
            raise DataError(
                f"{place}: example {score.example_id} has rewards {score.rewards}; expected "
                "numbers from 0 to 1"
            )
