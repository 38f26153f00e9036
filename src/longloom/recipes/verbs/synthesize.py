"""Weave documents into verified long-context questions, and verify such a folder."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from longloom.config import apply_overrides, parse_config
from longloom.errors import ConfigError
from longloom.executor import Executor, ProcessExecutor
from longloom.recipes.model_source import resolve_model
from longloom.runlog import RunFolder
from longloom.synthesis.config import SynthesisConfig
from longloom.synthesis.pipeline import synthesize_corpus
from longloom.synthesis.selection.writing import Selected
from longloom.synthesis.verification import VerificationReport, verify_folder
from longloom.text.token_counts import ESTIMATE

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""


def synthesize(
    documents: Path | str | Sequence[Path | str] = "builtin",
    *,
    output: Path | str,
    model: Path | str = ESTIMATE,
    num_examples: int | None = None,
    mix: str | None = None,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    num_workers: int | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Selected:
    """Make verified questions over long contexts; continue what the folder holds.

    Args:
        documents: folders and files, or `builtin`.
        output: the folder to write or to continue.
        model: whose tokens are counted: a model folder, or `estimate` for about Qwen3's.
        num_examples: questions at most.
        mix: `qwenlong-l15`, `docqa-rl` or `uniform`.
        overrides: changed settings as `a.b=c`.
        seed: everything random is drawn from it.
        num_workers: worker processes; as many as there are cores if not given.
        executor: where the work is done instead of in worker processes.
        progress: is told how far the work is.

    Raises:
        ConfigError: a setting is refused.
        DataError: the documents cannot be used or the folder cannot be written.
        ModelError: the model's tokenizer cannot be read.
    """
    config = synthesis_config(documents, num_examples, mix, overrides, seed)
    counter_name = str(model) if str(model) == ESTIMATE else str(resolve_model(str(model)))
    folder = RunFolder(Path(output))
    folder.create()
    with folder.lock():
        return synthesize_corpus(
            config,
            folder=folder.path,
            executor=executor or ProcessExecutor(num_workers or os.cpu_count() or 1),
            counter_name=counter_name,
            progress=progress,
        )


def synthesis_config(
    documents: Path | str | Sequence[Path | str],
    num_examples: int | None,
    mix: str | None,
    overrides: Sequence[str],
    seed: int | None,
) -> SynthesisConfig:
    """Return the settings of `synthesize`.

    Raises:
        ConfigError: a setting is unknown or out of range.
    """
    sources = [documents] if isinstance(documents, str | Path) else list(documents)
    if not sources:
        raise ConfigError("no documents given; expected folders, files or `builtin`")
    given = {"num_examples": num_examples, "mix": mix, "seed": seed}
    config = SynthesisConfig().replace(
        documents=tuple(str(source) for source in sources),
        **{name: value for name, value in given.items() if value is not None},
    )
    settings = apply_overrides(config.model_dump(mode="json"), overrides)
    return parse_config(SynthesisConfig, settings)


def verify(folder: Path | str, progress: Progress | None = None) -> VerificationReport:
    """Execute every example of a folder again, from its files alone.

    Raises:
        DataError: the folder cannot be read.
    """
    return verify_folder(Path(folder), progress)
