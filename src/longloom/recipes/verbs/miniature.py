"""Make questions for prompts of a few hundred tokens."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from longloom.errors import ConfigError, DataError
from longloom.recipes.catalogue import load_config
from longloom.recipes.model_source import TINY_BASE, resolve_model
from longloom.recipes.run_config import RunConfig
from longloom.records import Example, Split, TaskType
from longloom.runlog import atomic_folder
from longloom.synthesis.miniature import pipeline
from longloom.synthesis.miniature.config import MiniatureConfig
from longloom.synthesis.miniature.documents import read_corpus
from longloom.synthesis.miniature.long_documents import synthesize_long
from longloom.synthesis.miniature.pipeline import MiniatureSummary
from longloom.synthesis.storage import write_examples
from longloom.text.tokenizer import FolderTokenizer, Tokenizer

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MiniatureOutcome:
    """What was written."""

    folder: Path
    """Holds examples.parquet and contexts.parquet."""
    num_by_task: Mapping[TaskType, int]
    """Examples of each task, both splits together."""
    num_train: int
    """Training examples."""
    num_held_out: int
    """Held-out examples."""
    summary: MiniatureSummary | None
    """What was read, made and refused; None for long documents."""


def synthesize_miniature(
    documents: Path | str = "builtin",
    *,
    output: Path | str,
    model: Path | str = TINY_BASE,
    recipe: str = "tiny-cpu",
    overrides: Sequence[str] = (),
    seed: int | None = None,
    num_train: int | None = None,
    num_held_out: int | None = None,
    document_tokens: int | None = None,
    progress: Progress | None = None,
) -> MiniatureOutcome:
    """Make verified questions from documents and write them into a new folder.

    Args:
        documents: a folder, a file, or `builtin`.
        output: the new folder.
        model: the model whose tokens are counted: a model folder or `tiny-base`.
        recipe: whose settings are used.
        overrides: changed settings as `synthesis.a=b`.
        seed: replaces the recipe's seed.
        num_train: training examples per length, all tasks together.
        num_held_out: held-out examples per length, all tasks together.
        document_tokens: make questions on documents of so many tokens, for the memory agent,
            instead of prompts of the lengths `synthesis.length_bands`.
        progress: is told how far the work is.

    Raises:
        ConfigError: a setting is refused, or prompts are shorter than their template.
        DataError: the documents cannot be used, a split that was asked for gets no example, or
            the folder exists or cannot be written.
        ModelError: the model's tokenizer cannot be read.
    """
    config = load_config(recipe, overrides=overrides, seed=seed)
    counts = {"num_train_examples": num_train, "num_held_out_examples": num_held_out}
    settings = config.synthesis.replace(
        documents=str(documents),
        seed=config.seed,
        template=config.template,
        **{name: count for name, count in counts.items() if count is not None},
    )
    tokenizer = FolderTokenizer(resolve_model(str(model)))
    folder = Path(output)
    with atomic_folder(folder) as partial:
        if document_tokens is None:
            return _write_questions(settings, tokenizer, folder, partial, progress)
        return _write_long(settings, config, tokenizer, document_tokens, folder, partial, progress)


def _write_questions(
    settings: MiniatureConfig,
    tokenizer: Tokenizer,
    folder: Path,
    partial: Path,
    progress: Progress | None,
) -> MiniatureOutcome:
    made = pipeline.synthesize(settings, tokenizer=tokenizer, progress=progress)
    _check_splits(settings, {Split.TRAIN: made.train, Split.HELD_OUT: made.held_out})
    examples = [*made.train, *made.held_out]
    write_examples(
        partial, examples, made.contexts, asdict(made.summary), template=settings.template
    )
    return MiniatureOutcome(
        folder=folder,
        num_by_task=_count([example.task_type for example in examples]),
        num_train=len(made.train),
        num_held_out=len(made.held_out),
        summary=made.summary,
    )


def _write_long(
    settings: MiniatureConfig,
    config: RunConfig,
    tokenizer: Tokenizer,
    document_tokens: int,
    folder: Path,
    partial: Path,
    progress: Progress | None,
) -> MiniatureOutcome:
    if document_tokens < 1:
        raise ConfigError(f"document_tokens is {document_tokens}; expected at least 1")
    corpus = read_corpus(settings.documents, progress=progress)
    made = {
        split: synthesize_long(
            corpus,
            settings,
            tokenizer,
            num_tokens=document_tokens,
            num_examples=count,
            seed=config.seed,
            split=split,
        )
        for split, count in (
            (Split.TRAIN, settings.num_train_examples),
            (Split.HELD_OUT, settings.num_held_out_examples),
        )
    }
    _check_splits(settings, {split: part.examples for split, part in made.items()}, document_tokens)
    examples = [example for part in made.values() for example in part.examples]
    contexts = {key: context for part in made.values() for key, context in part.contexts.items()}
    write_examples(partial, examples, contexts, template=settings.template)
    return MiniatureOutcome(
        folder=folder,
        num_by_task=_count([example.task_type for example in examples]),
        num_train=len(made[Split.TRAIN].examples),
        num_held_out=len(made[Split.HELD_OUT].examples),
        summary=None,
    )


def _check_splits(
    settings: MiniatureConfig,
    made: Mapping[Split, Sequence[Example]],
    document_tokens: int | None = None,
) -> None:
    """Refuse a split that was asked for and got no example."""
    asked = {
        Split.TRAIN: settings.num_train_examples,
        Split.HELD_OUT: settings.num_held_out_examples,
    }
    empty = [str(split) for split in asked if asked[split] and not made[split]]
    if not empty:
        return
    size = "" if document_tokens is None else f" with contexts of {document_tokens} tokens"
    change = "" if document_tokens is None else ", change document_tokens"
    raise DataError(
        f"no {' and no '.join(empty)} example{size} could be made from {settings.documents!r}; "
        f"give more documents{change}, raise synthesis.max_name_tokens "
        f"({settings.longest_name_tokens} now) or ask for no {' and no '.join(empty)} examples"
    )


def _count(tasks: Sequence[TaskType]) -> dict[TaskType, int]:
    return {task: tasks.count(task) for task in TaskType if task in tasks}
