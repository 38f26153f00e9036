"""The questions that all arms share: made once, kept in the run's folder.

Training questions have the skewed shares, held-out ones equal shares. Held-out questions are asked
about documents that no training question shows; a part of them serves the curves during training,
the rest is asked once at the end.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ablations.settings import POOL_WEIGHTS, TASKS, AblationSettings
from longloom.records import Context, Example
from longloom.synthesis.miniature import MiniatureConfig, read_corpus
from longloom.synthesis.miniature.pipeline import synthesize
from longloom.synthesis.storage import read_examples, write_examples
from longloom.text.tokenizer import Tokenizer

POOL_FILE = "pool.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Questions by what they serve."""

    train: tuple[Example, ...]
    """Trained on."""
    validation: tuple[Example, ...]
    """Asked during training."""
    held_out: tuple[Example, ...]
    """Asked at the end."""
    contexts: Mapping[str, Context]
    """Their contexts by id."""
    digest: str
    """Changes with any question."""


def make_pool(settings: AblationSettings, folder: Path, tokenizer: Tokenizer) -> None:
    """Write the questions into `folder`, unless they are there.

    Raises:
        DataError: no question can be made from the documents.
    """
    if (folder / POOL_FILE).is_file():
        return
    corpus = read_corpus(settings.documents)
    common = MiniatureConfig(
        documents=settings.documents,
        num_train_examples=0,
        num_held_out_examples=0,
        length_bands=(settings.short_prompt_tokens, settings.long_prompt_tokens),
        max_hops=settings.max_hops,
        max_choice_hops=settings.max_hops - 1,
        seed=settings.pool_seed,
    )
    skewed = common.replace(
        num_train_examples=settings.num_train_examples, task_weights=POOL_WEIGHTS
    )
    per_length = settings.num_held_out_examples + settings.num_validation_examples
    made = synthesize(skewed, tokenizer=tokenizer, corpus=corpus)
    asked = synthesize(
        common.replace(num_held_out_examples=per_length), tokenizer=tokenizer, corpus=corpus
    )
    validation, held_out = _parted(asked.held_out, settings)
    write_examples(
        folder / "questions",
        [*made.train, *validation, *held_out],
        {**made.contexts, **asked.contexts},
        template="plain",
    )
    parts = {
        "train": [example.example_id for example in made.train],
        "validation": [example.example_id for example in validation],
        "held_out": [example.example_id for example in held_out],
    }
    (folder / POOL_FILE).write_text(json.dumps(parts), "utf-8")


def read_pool(folder: Path) -> Pool:
    """Return what `make_pool` wrote.

    Raises:
        DataError: the folder is incomplete or damaged.
    """
    examples, contexts = read_examples(folder / "questions")
    by_id = {example.example_id: example for example in examples}
    parts = json.loads((folder / POOL_FILE).read_text("utf-8"))
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
    return Pool(
        train=tuple(by_id[name] for name in parts["train"]),
        validation=tuple(by_id[name] for name in parts["validation"]),
        held_out=tuple(by_id[name] for name in parts["held_out"]),
        contexts=contexts,
        digest=digest,
    )


def _parted(
    examples: Sequence[Example], settings: AblationSettings
) -> tuple[list[Example], list[Example]]:
    """Return validation and held-out questions: of every task and length the first are the former.

    Tasks take turns, so that the first of either have equal shares.
    """
    limits = (settings.short_prompt_tokens, settings.long_prompt_tokens)
    wanted = settings.num_validation_examples // len(TASKS)
    validation: list[Example] = []
    held_out: list[Example] = []
    for shortest, longest in zip((0, *limits), limits, strict=False):
        cells = [
            [
                example
                for example in examples
                if example.task_type == task and shortest < example.num_prompt_tokens <= longest
            ]
            for task in TASKS
        ]
        validation += _in_turn([cell[:wanted] for cell in cells])
        held_out += _in_turn([cell[wanted:] for cell in cells])
    return validation, held_out


def _in_turn(cells: Sequence[Sequence[Example]]) -> list[Example]:
    longest = max((len(cell) for cell in cells), default=0)
    return [cell[place] for place in range(longest) for cell in cells if place < len(cell)]
