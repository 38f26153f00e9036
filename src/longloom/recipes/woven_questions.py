"""Put questions of the full-size synthesis into a run's folder: woven there, or copied."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from longloom.executor import ProcessExecutor
from longloom.recipes.model_source import resolve_model
from longloom.recipes.run_config import RunConfig
from longloom.recipes.woven_config import QUESTION_FILES
from longloom.runlog import atomic_path
from longloom.synthesis.pipeline import synthesize_corpus
from longloom.synthesis.storage import SUMMARY_FILE, read_examples

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""


def take_woven_questions(config: RunConfig, target: Path, *, progress: Progress) -> None:
    """Write the questions that `config.woven` asks for into `target`.

    Weaving that was stopped goes on. A folder's questions are read before they are copied, so that
    damaged ones are refused; its examples arrive last, and whoever finds them finds the rest.

    Raises:
        DataError: documents or questions cannot be read, or no question can be made.
    """
    woven = config.woven
    assert woven is not None
    target.mkdir(parents=True, exist_ok=True)
    if not woven.folder:
        synthesize_corpus(
            woven.synthesis.replace(seed=config.seed, template=config.template),
            folder=target,
            executor=ProcessExecutor(os.cpu_count() or 1),
            counter_name=str(resolve_model(config.model)),
            progress=progress,
        )
        return
    source = Path(woven.folder)
    progress("reading questions", 0, 1)
    read_examples(source)
    present = [name for name in (SUMMARY_FILE,) if (source / name).is_file()]
    for name in (*present, *reversed(QUESTION_FILES)):
        with atomic_path(target / name) as temporary:
            shutil.copyfile(source / name, temporary)
    progress("reading questions", 1, 1)


def shortage_advice(config: RunConfig) -> str:
    """Return what to change where a run has too few questions."""
    woven = config.woven
    if woven is None:
        return (
            f"documents {config.synthesis.documents!r} give too few; take more documents, raise "
            "synthesis.max_name_tokens, or shorten what is asked for"
        )
    if woven.folder:
        return (
            f"the questions of {woven.folder!r} are too few; weave more of them, or change the "
            "stage's lengths"
        )
    return (
        f"documents {', '.join(woven.synthesis.documents)} give too few; take more documents, "
        "change woven.synthesis, or shorten what is asked for"
    )
