"""Put questions of the full-size synthesis into a run's folder: woven there, or copied."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from longloom.errors import DataError
from longloom.executor import ProcessExecutor
from longloom.recipes.model_source import resolve_model
from longloom.recipes.run_config import RunConfig
from longloom.recipes.woven_config import QUESTION_FILES, WovenConfig
from longloom.runlog import atomic_path
from longloom.runlog.atomic import describe_write_failure
from longloom.runlog.digests import file_digest, joined_digest
from longloom.synthesis.documents.files import find_files
from longloom.synthesis.pipeline import synthesize_corpus
from longloom.synthesis.storage import SUMMARY_FILE, read_examples

_BEGUN = ".begun"
"""Ends the name of the folder in which questions are being woven."""

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""


def take_woven_questions(config: RunConfig, target: Path, *, progress: Progress) -> None:
    """Write the questions that `config.woven` asks for into a new folder, whole or not at all.

    Weaving that was stopped goes on in a folder beside it. A folder's questions are read before
    they are copied, so that damaged ones are refused.

    Raises:
        DataError: documents or questions cannot be read, or no question can be made.
    """
    woven = config.woven
    assert woven is not None
    begun = target.with_name(f"{target.name}{_BEGUN}")
    begun.mkdir(parents=True, exist_ok=True)
    if woven.folder:
        _copy(Path(woven.folder), begun, progress)
    else:
        synthesize_corpus(
            woven.synthesis.replace(seed=config.seed, template=config.template),
            folder=begun,
            executor=ProcessExecutor(os.cpu_count() or 1),
            counter_name=str(resolve_model(config.model)),
            progress=progress,
        )
    try:
        begun.rename(target)
    except OSError as error:
        raise DataError(describe_write_failure(target, error)) from error


def _copy(source: Path, target: Path, progress: Progress) -> None:
    progress("reading questions", 0, 1)
    read_examples(source)
    present = [name for name in (SUMMARY_FILE,) if (source / name).is_file()]
    for name in (*present, *QUESTION_FILES):
        with atomic_path(target / name) as temporary:
            shutil.copyfile(source / name, temporary)
    progress("reading questions", 1, 1)


def woven_digest(woven: WovenConfig) -> str:
    """Return a digest of what `take_woven_questions` would read: names and contents of its files.

    Raises:
        DataError: a file is missing or cannot be read.
    """
    if woven.folder:
        return joined_digest(file_digest(Path(woven.folder) / name) for name in QUESTION_FILES)
    files = [file for source in woven.synthesis.documents for file in find_files(source)]
    return joined_digest(f"{file.name!a} {file_digest(file.path)}" for file in files)


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
