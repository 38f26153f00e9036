"""Read a file of rows: check every row, render and encode every prompt once."""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from longloom.errors import DataError, ModelError
from longloom.records import Example, Split
from longloom.rewards.extraction import ANSWER_PHRASES
from longloom.runlog import atomic_path
from longloom.synthesis.prompt_length import CONTEXT_SLOT
from longloom.synthesis.published.data_sources import NO_PROGRAM
from longloom.synthesis.published.files import (
    count_plain_rows,
    parquet_schema_name,
    read_plain_rows,
)
from longloom.synthesis.published.places import RowPlace, checked_text
from longloom.synthesis.published.prompts import split_prompt
from longloom.synthesis.rows.checking import (
    COLUMNS,
    Message,
    RowsConfig,
    TrainingRow,
    check_chat,
    check_row,
    listed_errors,
)
from longloom.synthesis.rows.store import RowStore, RowStoreWriter
from longloom.synthesis.schemas import EXAMPLES_SCHEMA_NAME
from longloom.text.tokenizer import Tokenizer

logger = logging.getLogger(__name__)

MAX_LISTED_ROWS = 5
"""Rows that an error lists; all are counted."""

_SHOWN_EVERY_ROWS = 50
_SFT_COLUMNS = ("messages", "prompt", "response", "completion")

CheckedT = TypeVar("CheckedT")
Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""
SftChat = tuple[Message, ...]
"""A chat whose last message, the assistant's, is to be learned."""


def import_rows(
    path: Path, target: Path, tokenizer: Tokenizer, config: RowsConfig, *, progress: Progress
) -> RowStore:
    """Check the rows of a file and write them, with their prompts encoded, to `target`.

    A target that is there already is opened: its rows were checked when it was written.

    Raises:
        DataError: a row cannot be used (the first are listed), or a file cannot be read or written.
    """
    if not target.exists():
        files: list[tuple[Path, Split | None]] = [(path, None)]
        if config.validation_file:
            files.append((Path(config.validation_file), Split.HELD_OUT))
        with atomic_path(target) as partial, RowStoreWriter(partial) as writer:
            importer = _Importer(writer, tokenizer, config)
            for file, split in files:
                importer.read(file, split, progress)
            importer.warn_about_form()
    return RowStore(target)


def read_sft_chats(path: Path, *, progress: Progress) -> Iterator[SftChat]:
    """Yield the chats of a file for supervised fine-tuning.

    A row has `messages` that end with the assistant, or a `prompt` (text or a chat) with a
    `response` or `completion` (text, or a chat of one message).

    Raises:
        DataError: a row cannot be used; raised when all rows have been seen, the first listed.
    """
    for _, chat in _usable_rows(path, _SFT_COLUMNS, _check_sft_row, progress):
        yield chat


class _Importer:
    """Turns rows of one or more files into stored examples."""

    def __init__(self, writer: RowStoreWriter, tokenizer: Tokenizer, config: RowsConfig) -> None:
        self._writer = writer
        self._tokenizer = tokenizer
        self._config = config
        self._times: Counter[str] = Counter()
        self._num_rows = 0
        self._num_asking = 0

    def read(self, path: Path, split: Split | None, progress: Progress) -> None:
        """Add the rows of a file, all to one split if it is given."""
        if _lacks_documents(path):
            raise DataError(
                f"{path} is the examples.parquet of a folder, whose prompts lack their documents; "
                f"expected the folder: give {path.parent}"
            )

        def encode(plain: object, place: RowPlace) -> tuple[TrainingRow, str, list[int]]:
            row = check_row(plain, place, self._config)
            try:
                text = self._tokenizer.render_chat([dict(message) for message in row.messages])
            except ModelError as error:
                raise place.refuse("prompt", str(error), "a chat that the template takes") from None
            return row, text, self._tokenizer.encode(text)

        for number, (row, text, ids) in _usable_rows(path, COLUMNS, encode, progress):
            example = self._example(row, text, f"{path.name}/{number}", split, len(ids))
            self._writer.add(example, prompt_text=text, prompt_ids=ids)
            self._num_rows += 1
            self._num_asking += ANSWER_PHRASES[-1] in row.messages[-1]["content"].lower()

    def warn_about_form(self) -> None:
        """Say how many prompts do not ask for an answer that the rules can find."""
        num_silent = self._num_rows - self._num_asking
        if num_silent:
            logger.warning(
                "%d of %d prompts do not mention 'the answer is', which the reward rules look "
                "for; set rows.suffix to a sentence that asks for it",
                num_silent,
                self._num_rows,
            )

    def _example(
        self, row: TrainingRow, text: str, place: str, split: Split | None, num_tokens: int
    ) -> Example:
        context_id = _digest(text)
        key = json.dumps([context_id, row.answer])
        self._times[_digest(key)] += 1  # a file may ask the same twice; both are kept
        times = self._times[_digest(key)]
        return Example(
            example_id=_digest(f"{key}\0{times}"),
            task_type=row.source.task_type,
            ability=row.ability,
            context_id=context_id,
            question=row.question,
            answer=row.answer,
            reward_rule=row.source.reward_rule,
            program=NO_PROGRAM,
            evidence=(),
            num_context_tokens=num_tokens,
            num_prompt_tokens=num_tokens,
            split=split or row.split,
            licences=(),
            provenance=(place,),
            shape=NO_PROGRAM,
        )


def _usable_rows(
    path: Path,
    columns: Sequence[str],
    check: Callable[[object, RowPlace], CheckedT],
    progress: Progress,
) -> Iterator[tuple[int, CheckedT]]:
    """Yield the checked rows with their numbers.

    Raises:
        DataError: after the last row, if any could not be used; or the file holds none.
    """
    total = count_plain_rows(path)
    description = f"reading {path.name}"
    errors: list[DataError] = []
    num_bad = num_rows = 0
    for number, plain in enumerate(read_plain_rows(path, wanted=columns)):
        num_rows += 1
        try:
            checked = check(plain, RowPlace(path, number))
        except DataError as error:
            num_bad += 1
            errors += [error] if num_bad <= MAX_LISTED_ROWS else []
        else:
            if not num_bad:  # nothing of a file with a bad row is used
                yield number, checked
        if num_rows % _SHOWN_EVERY_ROWS == 0:
            progress(description, num_rows, max(total, num_rows + 1))
    if errors:
        raise listed_errors(path, errors, num_bad)
    if not num_rows:
        raise DataError(f"{path} holds no rows; expected at least one")
    progress(description, num_rows, num_rows)


def _lacks_documents(path: Path) -> bool:
    """Return whether this is the examples.parquet of a folder.

    `export --for verl` writes the same columns under the same name, with the documents in them.
    """
    if parquet_schema_name(path) != EXAMPLES_SCHEMA_NAME:
        return False
    first = next(iter(read_plain_rows(path, wanted=("prompt",))), None)
    chat = first.get("prompt") if isinstance(first, dict) else None
    contents = [str(message.get("content")) for message in chat] if isinstance(chat, list) else []
    return any(split_prompt(content)[0].strip() == CONTEXT_SLOT for content in contents)


def _check_sft_row(plain: object, place: RowPlace) -> SftChat:
    if not isinstance(plain, dict):
        raise place.refuse("all", plain, "a JSON object")
    if plain.get("messages") is not None:
        return tuple(check_chat(plain["messages"], "messages", place, last="assistant"))
    prompt = plain.get("prompt")
    if isinstance(prompt, str):
        prompt = [{"role": "user", "content": prompt}]
    column = "response" if plain.get("response") is not None else "completion"
    response = plain.get(column)
    if isinstance(response, list) and len(response) == 1:
        response = check_chat(response, column, place, last="assistant")[0]["content"]
    messages = check_chat(prompt, "prompt", place, last="user")
    answer = checked_text(response, column, place)
    return (*messages, {"role": "assistant", "content": answer})


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
