"""The folder of an evaluation: the same command goes on in it, another one is refused."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from longloom.errors import ConfigError
from longloom.evaluation.answers import ANSWERS_FILE
from longloom.evaluation.asking_judge import JUDGE_FOLDER
from longloom.evaluation.results import RESULTS_FILE, SCORES_FILE
from longloom.report.wrong_pages import WRONG_FOLDER
from longloom.runlog import RunFolder, config_hash, describe_run, read_manifest, write_manifest

_NEUTRAL = (
    "asking.answer_price", "asking.concurrency", "asking.max_tokens_in_flight", "asking.outages",
    "asking.prompt_price", "asking.thinking", "files", "generated", "judge", "named",
)  # fmt: skip
"""Settings that change no answer: a run goes on with others."""
_GROWING = ("asking.max_questions", "asking.num_samples")
"""Settings that ask more or less of the same: a run goes on with others too."""
JOURNAL_FILE = "journal.sqlite"
"""In the folder of an evaluation: what the memory agent has read."""
_WRITTEN_FOLDERS = (JUDGE_FOLDER, WRONG_FOLDER)
_WRITTEN_FILES = (
    ANSWERS_FILE, JOURNAL_FILE, f"{JOURNAL_FILE}-shm", f"{JOURNAL_FILE}-wal", RESULTS_FILE,
    SCORES_FILE,
)  # fmt: skip
RECIPE = "evaluate"
"""Written as the recipe into run.yaml."""


def default_folder(label: str, model: str, settings: Mapping[str, Any]) -> Path:
    """Return the folder of an evaluation in `runs`, with a digest of its settings in its name."""
    shaping = {name: value for name, value in flat(settings).items() if name not in _NEUTRAL}
    return Path("runs") / f"evaluate-{label}-{model}-{config_hash(shaping)[:8]}"


def begin(folder: RunFolder, settings: Mapping[str, Any], *, seed: int, num_threads: int) -> None:
    """Write run.yaml, or check that the folder holds an evaluation with these settings.

    Raises:
        ConfigError: it holds something else.
        DataError: it cannot be written.
    """
    inputs: Mapping[str, str] = {}
    if folder.run_file.exists():
        found = read_manifest(folder.run_file)
        inputs = found.inputs
        if found.recipe != RECIPE:
            raise ConfigError(
                f"{folder.path} holds a run of {found.recipe!r}; choose another folder (-o)"
            )
        _check_same(folder.path, flat(found.config), flat(settings))
    elif (folder.path / ANSWERS_FILE).exists():
        raise ConfigError(
            f"{folder.path} holds {ANSWERS_FILE} without the run.yaml that says what was asked; "
            "choose another folder (-o), or put run.yaml back"
        )
    write_manifest(
        folder.run_file,
        describe_run(
            recipe=RECIPE, seed=seed, num_threads=num_threads, config=settings, inputs=inputs
        ),
    )


def check_clearable(folder: Path) -> None:
    """Refuse to start anew in a folder that holds something else than an evaluation.

    Raises:
        ConfigError: it does.
    """
    if not folder.exists():
        return
    run_folder = RunFolder(folder)
    if run_folder.run_file.exists():
        is_evaluation = read_manifest(run_folder.run_file).recipe == RECIPE
    else:
        is_evaluation = folder.is_dir() and set(folder.iterdir()) <= {run_folder.lock_file}
    if not is_evaluation:
        raise ConfigError(f"{folder} holds no evaluation; nothing was deleted; choose another")


def clear(folder: RunFolder) -> None:
    """Delete what an evaluation wrote into a folder that is locked; files of others stay."""
    for name in _WRITTEN_FOLDERS:
        shutil.rmtree(folder.path / name, ignore_errors=True)
    for name in _WRITTEN_FILES:
        (folder.path / name).unlink(missing_ok=True)
    folder.report_file.unlink(missing_ok=True)
    # run.yaml goes last: without it the folder would not be known as an evaluation's.
    folder.run_file.unlink(missing_ok=True)


def check_inputs(folder: RunFolder, sources: Mapping[str, Mapping[str, str]]) -> None:
    """Keep the digests of the files that are asked about, or refuse others than before.

    Args:
        folder: the folder, in which `begin` was called.
        sources: SHA-256 by file name, by benchmark.

    Raises:
        ConfigError: a file was changed since its first questions were answered.
        DataError: run.yaml cannot be written.
    """
    manifest = read_manifest(folder.run_file)
    inputs = {
        f"{benchmark}/{name}": digest
        for benchmark, files in sources.items()
        for name, digest in files.items()
    }
    changed = [
        name for name, digest in inputs.items() if manifest.inputs.get(name, digest) != digest
    ]
    if changed:
        raise ConfigError(
            f"{', '.join(changed[:5])} changed since the answers in {folder.path} were given; put "
            "the files back, or give another folder (-o), or --fresh to ask all questions again"
        )
    if inputs != manifest.inputs:
        write_manifest(folder.run_file, replace(manifest, inputs=inputs))


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings by dotted names."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping) and name != "judge":
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def _check_same(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    differing = [
        f"{name}: {before.get(name)!r} before, {now.get(name)!r} here"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name) and name not in (*_NEUTRAL, *_GROWING)
    ]
    if differing:
        raise ConfigError(
            f"{folder} holds an evaluation with other settings ({'; '.join(differing[:5])}); give "
            "the same ones to go on, another folder (-o), or --fresh to start again"
        )
