"""Compare two evaluations, or the evaluations of two runs."""

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from longloom.errors import ConfigError, DataError
from longloom.evaluation.answers import ANSWERS_FILE
from longloom.evaluation.cells import EvaluationCell, read_cells
from longloom.evaluation.comparing import (
    Comparison,
    UnlikeSetting,
    compare_evaluations,
    flattened,
)
from longloom.evaluation.comparing_cells import compare_cells
from longloom.evaluation.results import RESULTS_FILE, Mode
from longloom.recipes.evaluating.texts import texts_of
from longloom.report.evaluation_contents import read_evaluation
from longloom.report.evaluation_evidence import AskedOf
from longloom.report.merge_contents import short_names
from longloom.report.run_contents import read_run
from longloom.report.write_comparison import write_comparison
from longloom.runlog import RunFolder, RunManifest

_ASKING_SETTINGS = ("evaluation", "judge", "memory", "reward", "template")
"""Settings of a recipe that shape the answers to the same questions; the others shape the model."""
_PAGE_SUFFIXES = (".htm", ".html")


def compare(
    baseline: Path | str,
    candidate: Path | str,
    *,
    mode: str = "strict",
    output: Path | str | None = None,
    asked_of: AskedOf | None = None,
) -> Comparison:
    """Compare two runs on the questions that both were asked.

    Args:
        baseline: a folder of `evaluate`, or a run folder with evaluated checkpoints.
        candidate: another of the same kind; differences are this one's minus the first one's.
        mode: `strict` or `parity`; the evaluations of a run have one mode, their rewards.
        output: an HTML file for a page with the questions that changed; replaced if it is there.
        asked_of: gives the text of a question by benchmark and id, for the page; files are looked
            for where they were if not given.

    Raises:
        ConfigError: `mode` is unknown, or `output` is no HTML file.
        DataError: a folder is no such run, the two are of different kinds or share no question.
    """
    chosen = _mode(mode)
    page = Path(output) if output is not None else None
    if page is not None and page.suffix.lower() not in _PAGE_SUFFIXES:
        raise ConfigError(
            f"the page is to be written to {page}; expected a file that ends in .html"
        )
    folders = Path(baseline), Path(candidate)
    kinds = [_kind(folder) for folder in folders]
    if kinds[0] != kinds[1]:
        raise DataError(
            f"{folders[0]} is {kinds[0]} and {folders[1]} is {kinds[1]}; compare two of one kind"
        )
    first, second = short_names([str(folder.resolve()) for folder in folders])
    if kinds[0] == _EVALUATION:
        sides = read_evaluation(folders[0]), read_evaluation(folders[1])
        comparison = compare_evaluations(
            sides[0].results, sides[1].results, mode=chosen, names=(first, second)
        )
        if page is not None:
            texts = asked_of or texts_of(sides[1].results)
            write_comparison(page, comparison, sides=sides, asked_of=texts)
        return comparison
    runs = [_cells(folder) for folder in folders]
    comparison = compare_cells(
        runs[0][0],
        runs[1][0],
        names=(first, second),
        unlike=_unlike(runs[0][1], runs[1][1]),
    )
    if page is not None:
        write_comparison(page, comparison)
    return comparison


_EVALUATION, _RUN = "an evaluation", "a run with evaluated checkpoints"


def _mode(name: str) -> Mode:
    for known in get_args(Mode):
        if name == known:
            return known  # type: ignore[no-any-return]  # get_args is untyped
    raise ConfigError(f"mode {name!r} is unknown; expected {' or '.join(get_args(Mode))}")


def _kind(folder: Path) -> str:
    if not folder.is_dir():
        problem = "is a file" if folder.exists() else "does not exist"
        raise DataError(
            f"{folder} {problem}; pass two folders of `longloom evaluate`, or two run folders"
        )
    if (folder / RESULTS_FILE).is_file():
        return _EVALUATION
    if (folder / ANSWERS_FILE).is_file():
        raise DataError(
            f"{folder} is an evaluation that has not ended; run the same `longloom evaluate` again "
            "to finish it"
        )
    if RunFolder(folder).run_file.is_file() or any(folder.glob("*--*--*.json")):
        return _RUN
    raise DataError(
        f"{folder} is no run: it has neither {RESULTS_FILE} nor run.yaml; pass a folder of "
        "`longloom evaluate`, or a run folder"
    )


def _cells(folder: Path) -> tuple[Sequence[EvaluationCell], RunManifest | None]:
    if not RunFolder(folder).run_file.is_file():
        return read_cells(folder), None
    run = read_run(folder)
    if not run.cells:
        raise DataError(f"{folder} has no evaluated checkpoint yet; let the run go on, or evaluate")
    return run.cells, run.manifest


def _unlike(first: RunManifest | None, second: RunManifest | None) -> list[UnlikeSetting]:
    """Return the settings that shape the answers and differ, and inputs that do."""
    if first is None or second is None:
        return []
    both = []
    for manifest in (first, second):
        asking = {name: manifest.config.get(name) for name in _ASKING_SETTINGS}
        both.append(
            {
                "seed": str(manifest.seed),
                **flattened(asking),
                **{f"input {name}": digest[:12] for name, digest in manifest.inputs.items()},
            }
        )
    return [
        UnlikeSetting(
            name=name,
            baseline=both[0].get(name, "not set"),
            candidate=both[1].get(name, "not set"),
        )
        for name in sorted(both[0].keys() | both[1].keys())
        if both[0].get(name) != both[1].get(name)
    ]


def comparison_notes(comparison: Comparison) -> list[str]:
    """Return what was left out of a comparison and what makes it unfair, a sentence each."""
    lines = []
    for side, only in (("A", comparison.only_baseline), ("B", comparison.only_candidate)):
        if only:
            lines.append(f"only in {side}, left out: {'; '.join(only)}")
    for one in comparison.paired:
        for side, ids in (("A", one.only_baseline), ("B", one.only_candidate)):
            if ids:
                questions = "1 question" if len(ids) == 1 else f"{len(ids):,} questions"
                lines.append(
                    f"{one.title}: {questions} in {side} only, left out, for example {ids[0]}"
                )
    for unlike in comparison.unlike:
        places = f" ({'; '.join(unlike.places)})" if unlike.places else ""
        lines.append(
            f"not the same: {unlike.name}{places}: A {unlike.baseline}, B {unlike.candidate}"
        )
    return lines
