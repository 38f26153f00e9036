"""Questions of the full-size synthesis as a recipe's own: where they come from, and its checks."""

from pathlib import Path

from longloom.config import FrozenConfig
from longloom.errors import ConfigError, DataError
from longloom.synthesis.config import SynthesisConfig
from longloom.synthesis.documents.files import find_files

QUESTION_FILES = ("examples.parquet", "contexts.parquet")
"""What a finished folder of questions has."""


class WovenConfig(FrozenConfig):
    """Questions of the full-size synthesis: long contexts woven from whole documents."""

    folder: str = ""
    """A folder that `longloom synthesize` wrote; empty weaves at the start of the run."""
    synthesis: SynthesisConfig = SynthesisConfig(documents=())
    """How they are woven; tokens are the model's, seed and template the run's."""


def check_woven_source(woven: WovenConfig) -> None:
    """Check that woven questions have a folder, or documents to be woven from.

    Raises:
        ConfigError: there is no such folder or document, or none is named, or a model would have
            to be asked.
    """
    if woven.folder:
        missing = [name for name in QUESTION_FILES if not (Path(woven.folder) / name).is_file()]
        if missing:
            raise ConfigError(
                f"woven.folder is {woven.folder!r}, which has no {missing[0]}; expected a folder "
                "that `longloom synthesize` has finished"
            )
        return
    if woven.synthesis.endpoint is not None:
        raise ConfigError(
            "woven.synthesis.endpoint is set, but a run asks no model while it weaves; expected "
            "null; weave with `longloom synthesize --endpoint` and give the folder as woven.folder"
        )
    if not woven.synthesis.documents:
        raise ConfigError(
            "woven.synthesis.documents is empty; expected folders or files to weave questions "
            "from; give them with --set 'woven.synthesis.documents=[my_documents]', or woven "
            "questions with --set woven.folder=my_questions"
        )
    try:
        for source in woven.synthesis.documents:
            find_files(source)
    except DataError as error:
        raise ConfigError(f"woven.synthesis.documents: {error}") from None


def check_woven_lengths(woven: WovenConfig, stage: str, low: int, high: int) -> None:
    """Check that contexts of some woven length lie within a stage's limits.

    The examples of a folder are looked at when they are read.

    Raises:
        ConfigError: none does; names both settings.
    """
    shortest, longest = woven.synthesis.min_context_tokens, woven.synthesis.max_context_tokens
    if not woven.folder and not (low < longest and shortest <= high):
        raise ConfigError(
            f"stage {stage!r} takes prompts of {low + 1} to {high} tokens, but "
            f"woven.synthesis.min_context_tokens is {shortest} and max_context_tokens {longest}; "
            "expected lengths within the stage's limits"
        )
