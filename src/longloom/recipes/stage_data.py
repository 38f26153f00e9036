"""What a stage by hand is trained on: a folder of examples, or somebody's own file of rows."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from longloom.errors import ConfigError, DataError
from longloom.recipes.inputs import tokenizer_digest
from longloom.records import Context, Example, Split
from longloom.rollout import Agent, GivenPromptAgent
from longloom.runlog.digests import file_digest, joined_digest
from longloom.synthesis.rows import RowsConfig, RowStore, import_rows, read_sft_chats
from longloom.synthesis.rows.store import STORE_VERSION
from longloom.synthesis.storage import read_examples
from longloom.text.tokenizer import Tokenizer
from longloom.training.sft_rows import SftExample, encode_messages

ROWS_FOLDER = "rows"
"""In a run folder: the rows of somebody's own file, checked and encoded."""

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageData:
    """Examples with their contexts, and the agent they ask for."""

    examples: Sequence[Example]
    """For training."""
    validation: Sequence[Example]
    """Held out."""
    contexts: Mapping[str, Context]
    """The contexts of both."""
    agent: Agent | None
    """Who answers rows of a file; None leaves the choice to the stage."""


def is_own_file(source: Path) -> bool:
    """Return whether training data are a file of rows rather than a folder of examples."""
    return source.is_file()


def read_folder(source: Path) -> StageData:
    """Return the examples of a folder written by `synthesize` or `import`.

    Raises:
        DataError: the folder cannot be read, or holds no training examples.
    """
    examples, contexts = read_examples(source)
    return _split(source, examples, contexts, agent=None)


def read_own_rows(
    source: Path,
    config: RowsConfig,
    *,
    run_folder: Path,
    model: Path,
    tokenizer: Tokenizer,
    progress: Progress,
) -> StageData:
    """Return the rows of a file, checked and encoded once and kept in the run folder.

    Raises:
        DataError: a row cannot be used, or there is none for training.
    """
    target = rows_file(source, config, run_folder=run_folder, model=model)
    forget_other_rows(target)
    store: RowStore = import_rows(source, target, tokenizer, config, progress=progress)
    return _split(source, store.examples, store.contexts, agent=GivenPromptAgent(store.prompt_ids))


def rows_file(source: Path, config: RowsConfig, *, run_folder: Path, model: Path) -> Path:
    """Return where the rows of a file are kept: by what they were made from, not by its place.

    Raises:
        DataError: a file cannot be read.
    """
    settings = config.model_dump(mode="json", exclude={"validation_file"})
    files = [source, *([Path(config.validation_file)] if config.validation_file else [])]
    read = [json.dumps([file.name, file_digest(file)]) for file in files]
    made_by = [json.dumps(settings, sort_keys=True), str(STORE_VERSION), tokenizer_digest(model)]
    return run_folder / ROWS_FOLDER / f"{joined_digest([*read, *made_by])[:16]}.arrow"


def forget_other_rows(kept: Path) -> None:
    """Remove the rows beside those in `kept`: they were read from other files or otherwise."""
    for path in kept.parent.glob("*.arrow"):
        if path != kept:
            path.unlink()


def read_sft_rows(
    source: Path, tokenizer: Tokenizer, *, progress: Progress
) -> tuple[SftExample, ...]:
    """Return the chats of a file as supervised fine-tuning learns them.

    Raises:
        DataError: a row cannot be used.
        ModelError: the chat template refuses a chat.
    """
    return tuple(
        encode_messages(chat, tokenizer) for chat in read_sft_chats(source, progress=progress)
    )


def check_source(source: Path, *, needs_documents: bool, needs_worked_answers: bool) -> None:
    """Refuse data that a stage cannot use, before anything is loaded.

    Raises:
        ConfigError: the memory agent is given a file of whole prompts.
        DataError: there is no such file or folder, or fine-tuning is given a folder.
    """
    if not source.exists():
        raise DataError(
            f"{source} does not exist; expected a folder written by `longloom synthesize`, or a "
            "file of rows (Parquet, JSON Lines, JSON)"
        )
    if needs_worked_answers and not is_own_file(source):
        raise DataError(
            f"{source} is a folder of questions with their bare answers, but fine-tuning learns "
            "worked answers; expected a file of rows (Parquet, JSON Lines, JSON) with `messages` "
            "that end with the assistant, or with `prompt` and `response`"
        )
    if needs_documents and is_own_file(source):
        raise ConfigError(
            f"{source} is a file of whole prompts, but the memory agent reads documents apart from "
            f"their questions; take them apart with `longloom import {source} -o FOLDER` and train "
            "on that folder"
        )


def _split(
    source: Path,
    examples: Sequence[Example],
    contexts: Mapping[str, Context],
    *,
    agent: Agent | None,
) -> StageData:
    training = [example for example in examples if example.split is Split.TRAIN]
    if not training:
        found = f"all {len(examples)} are held out" if examples else "it is empty"
        fix = "synthesise some"
        if is_own_file(source):
            fix = (
                "rows whose split is test or validation are for validation alone: give a file with "
                "others, and this one as rows.validation_file"
            )
        raise DataError(f"{source} holds no training examples ({found}); {fix}")
    held_out = [example for example in examples if example.split is Split.HELD_OUT]
    return StageData(examples=training, validation=held_out, contexts=contexts, agent=agent)
