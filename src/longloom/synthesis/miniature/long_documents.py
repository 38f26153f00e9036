"""Held-out questions on documents of several windows, for the memory agent.

The context alone fills the asked number of tokens; evidence lies uniformly in depth, and the
statements of a chain stand in the order in which it uses them.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from longloom.records import Context, Example, Split, TaskType
from longloom.synthesis.miniature.config import MiniatureConfig
from longloom.synthesis.miniature.documents import Corpus
from longloom.synthesis.miniature.index import CorpusIndex, View
from longloom.synthesis.miniature.pipeline import write_examples_of
from longloom.synthesis.miniature.writer import ExampleWriter, LengthRange, Written
from longloom.synthesis.prompt_length import PromptMeter
from longloom.text.tokenizer import Tokenizer

LONG_TASKS = (TaskType.READING_COMPREHENSION, TaskType.MULTI_HOP, TaskType.NUMERICAL)
"""Tasks whose answers a memory of some tokens can carry."""

_MIN_FILLED_FRACTION = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class LongExamples:
    """Examples on long documents with their contexts."""

    examples: tuple[Example, ...]
    """Examples, tasks taking turns."""
    contexts: Mapping[str, Context]
    """Contexts by id."""


def synthesize_long(
    corpus: Corpus,
    config: MiniatureConfig,
    tokenizer: Tokenizer,
    *,
    num_tokens: int,
    num_examples: int,
    tasks: Sequence[TaskType] = LONG_TASKS,
    seed: int = 0,
    split: Split = Split.HELD_OUT,
) -> LongExamples:
    """Make examples whose contexts hold at most `num_tokens` tokens, and at least 95% of that.

    Fewer than `num_examples` come back if the corpus has too few facts for such contexts.

    Raises:
        ValueError: `tasks` is empty.
    """
    if not tasks:
        raise ValueError("tasks is empty; expected at least one task type")
    view = View(CorpusIndex(corpus, config, tokenizer=tokenizer), split)
    writer = ExampleWriter(
        view,
        PromptMeter(tokenizer, config.template),
        counts_context_alone=True,
        keeps_order=True,
    )
    lengths = LengthRange(min_tokens=int(num_tokens * _MIN_FILLED_FRACTION), max_tokens=num_tokens)
    refused: Counter[str] = Counter()
    by_task = [
        write_examples_of(
            writer,
            task,
            len(range(place, num_examples, len(tasks))),
            lengths,
            Random(f"{seed}/{split}/long {num_tokens}/{task}"),
            refused,
        )
        for place, task in enumerate(tasks)
    ]
    entries = list(_in_turns(by_task))
    return LongExamples(
        examples=tuple(entry.example for entry in entries),
        contexts={entry.context.context_id: entry.context for entry in entries},
    )


def _in_turns(by_task: Sequence[Sequence[Written]]) -> Iterator[Written]:
    for place in range(max(map(len, by_task))):
        for entries in by_task:
            if place < len(entries):
                yield entries[place]
