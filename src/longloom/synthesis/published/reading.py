"""Read a published set: every usable row as an example, every document once."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from longloom.errors import DataError
from longloom.records import Context, Example, Split, TaskType
from longloom.synthesis.prompt_length import user_message
from longloom.synthesis.published.data_sources import NO_PROGRAM
from longloom.synthesis.published.prompts import QUESTION_IN_TEXT, split_prompt
from longloom.synthesis.published.rows import VerlRow, read_rows
from longloom.text.token_counts import TokenCounter, count_tokens

TEMPLATE = "l1"
"""The template these prompts were written with; prompts are written with it again."""

_CHAT_TOKENS = 12
"""What a chat template adds around one message, about."""
HELD_OUT_NAMES = frozenset({"dev", "eval", "held_out", "test", "val", "valid", "validation"})
"""What files call a split that is not for training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedSet:
    """What a file holds."""

    examples: tuple[Example, ...]
    """The usable rows, in the order of the file."""
    contexts: Mapping[str, Context]
    """Their documents."""
    refused: tuple[str, ...]
    """Why the other rows cannot be used."""
    num_whole: int
    """Examples whose prompt could not be taken apart and is the context as a whole."""


@dataclass(slots=True, kw_only=True)
class _Asked:
    """What holds for every row, and what was counted so far."""

    split: Split | None
    licence: str
    file_name: str
    times: Counter[str] = field(default_factory=Counter)
    tokens: dict[str, int] = field(default_factory=dict)

    def context_tokens(self, context: Context, counter: TokenCounter) -> int:
        """Count a context once, however many questions it has."""
        if context.context_id not in self.tokens:
            self.tokens[context.context_id] = count_tokens(counter, context.text)
        return self.tokens[context.context_id]

    def fixed_tokens(self, task: TaskType, counter: TokenCounter) -> int:
        """Count a prompt of the task without context and question."""
        if task.value not in self.tokens:
            empty = user_message(TEMPLATE, task, context="", question="")
            self.tokens[task.value] = _CHAT_TOKENS + int(counter.measure(empty))
        return self.tokens[task.value]


def read_published(
    path: Path,
    counter: TokenCounter,
    *,
    split: Split | None = None,
    licence: str = "",
    keeps_usable: bool = False,
) -> PublishedSet:
    """Read a verl file of published or exported examples.

    Args:
        path: Parquet or JSON Lines in verl's columns.
        counter: counts tokens.
        split: of all its examples; what each row states if not given, else training.
        licence: of the set, as its publisher states it.
        keeps_usable: leave out rows that cannot be used instead of refusing the file.

    Raises:
        DataError: the file or a row cannot be used; the message names row, column and value.
    """
    examples: list[Example] = []
    contexts: dict[str, Context] = {}
    refused: list[str] = []
    asked = _Asked(split=split, licence=licence, file_name=path.name)
    for row in read_rows(path):
        if isinstance(row, DataError):
            if not keeps_usable:
                raise row
            refused.append(str(row))
            continue
        document, question = split_prompt(row.prompt)
        context = _context(document)
        context = contexts.setdefault(context.context_id, context)
        examples.append(_example(row, context, question, counter, asked))
    if not examples:
        raise DataError(f"{path} holds no row that can be used ({len(refused)} cannot)")
    return PublishedSet(
        examples=tuple(examples),
        contexts=contexts,
        refused=tuple(refused),
        num_whole=sum(example.question == QUESTION_IN_TEXT for example in examples),
    )


def _context(document: str) -> Context:
    context_id = hashlib.sha256(document.encode()).hexdigest()[:32]
    return Context(context_id=context_id, text=document, parts=())


def _example(
    row: VerlRow, context: Context, question: str, counter: TokenCounter, asked: _Asked
) -> Example:
    task = row.source.task_type
    key = "\0".join([context.context_id, question, row.answer])
    asked.times[key] += 1  # a set may ask the same twice; both are kept, under two ids
    example_key = f"{key}\0{asked.times[key]}".encode()
    num_context_tokens = asked.context_tokens(context, counter)
    num_other_tokens = asked.fixed_tokens(task, counter) + int(counter.measure(question)) + 1
    return Example(
        example_id=hashlib.sha256(example_key).hexdigest()[:32],
        task_type=task,
        ability=row.ability or task.value,
        context_id=context.context_id,
        question=question,
        answer=row.answer,
        reward_rule=row.source.reward_rule,
        program=NO_PROGRAM,
        evidence=(),
        num_context_tokens=num_context_tokens,
        num_prompt_tokens=num_context_tokens + num_other_tokens,
        split=asked.split or _stated_split(row.split),
        licences=(asked.licence,),
        provenance=(f"{asked.file_name}/{row.name}",),
        num_hops=row.num_hops,
        shape=NO_PROGRAM,
    )


def _stated_split(name: str) -> Split:
    return Split.HELD_OUT if name.lower() in HELD_OUT_NAMES else Split.TRAIN
