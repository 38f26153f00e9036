"""Write reports and files for other trainers."""

from pathlib import Path

from longloom.errors import DataError
from longloom.evaluation.results import read_results
from longloom.recipes.evaluating.texts import texts_of
from longloom.recipes.run_examples import QUESTIONS
from longloom.report import (
    evaluation_markdown,
    holds_evaluation,
    holds_examples,
    results_markdown,
    synthesis_markdown,
    write_evaluation_report,
    write_synthesis_report,
)
from longloom.report import write_report as write_html
from longloom.report.evaluation_evidence import AskedOf
from longloom.report.rollout_dump import dump_rollouts
from longloom.runlog import INDEX_FILE, NodeKind, RunFolder, read_index
from longloom.synthesis.export import export_examples


def write_report(run_folder: Path | str, *, asked_of: AskedOf | None = None) -> Path:
    """Write report.html of a run, also of an unfinished one, and return its path.

    A folder of `synthesize` gets a report of its questions, a finished one of `evaluate` a report
    of its figures and wrong answers.

    Args:
        run_folder: the folder.
        asked_of: gives the text of an evaluation's question by benchmark and id; its files are
            looked for where they were if not given.

    Raises:
        DataError: the folder is none of these, or a file in it is damaged.
    """
    folder = _checked(Path(run_folder))
    if holds_evaluation(folder):
        return write_evaluation_report(folder, asked_of or texts_of(read_results(folder)))
    return write_html(folder) if _is_run(folder) else write_synthesis_report(folder)


def report_markdown(run_folder: Path | str) -> str:
    """Return the results of a run or an evaluation, or the counts of questions, as Markdown.

    Raises:
        DataError: the folder is none of these, or a file in it is damaged.
    """
    folder = _checked(Path(run_folder))
    if holds_evaluation(folder):
        return evaluation_markdown(folder)
    return results_markdown(folder) if _is_run(folder) else synthesis_markdown(folder)


def export(
    examples: Path | str, *, output: Path | str, kind: str = "verl", template: str = "plain"
) -> int:
    """Write examples as one self-contained file for another trainer; return their number.

    Args:
        examples: a folder written by `synthesize`, or a run folder, whose questions are taken;
            for `rollouts` a run folder.
        output: the new file.
        kind: `verl` and `trl` write Parquet, `jsonl` JSON Lines; `rollouts` writes a run's logged
            rollouts as verl dumps them.
        template: the prompt's template.

    Raises:
        ConfigError: `kind` or `template` is unknown.
        DataError: the examples cannot be read, or the file exists or cannot be written.
    """
    target = Path(output)
    if target.exists():
        raise DataError(f"{target} exists already; choose another file or remove it")
    if kind == "rollouts":
        return dump_rollouts(Path(examples), target)
    return export_examples(_questions_of(Path(examples)), target, kind, template=template)


def _questions_of(folder: Path) -> Path:
    """Return the folder of a run's questions; of another folder itself."""
    if not (folder / INDEX_FILE).is_file():
        return folder
    sets = (node for node in read_index(folder).nodes if node.kind is NodeKind.EXAMPLES)
    return next((folder / node.place for node in sets if node.name == QUESTIONS), folder)


def _checked(folder: Path) -> Path:
    if not folder.is_dir():
        problem = "is a file" if folder.exists() else "does not exist"
        raise DataError(
            f"run folder {folder} {problem}; pass a folder that holds run.yaml, or one "
            "written by `longloom synthesize` or `longloom evaluate`"
        )
    if not (_is_run(folder) or holds_examples(folder) or holds_evaluation(folder)):
        raise DataError(
            f"{folder} is no run folder; expected run.yaml in it, the examples.parquet and "
            "contexts.parquet of `longloom synthesize`, or the results.json of `longloom evaluate`"
        )
    return folder


def _is_run(folder: Path) -> bool:
    return RunFolder(folder).run_file.is_file()
