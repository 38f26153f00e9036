"""The questions of a run: made once, kept in the run folder, read again on resume."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from longloom.errors import ConfigError, DataError
from longloom.recipes.run_config import RunConfig, StageConfig
from longloom.recipes.woven_config import QUESTION_FILES
from longloom.recipes.woven_questions import shortage_advice, take_woven_questions
from longloom.records import Context, Example, Split
from longloom.synthesis.miniature import Corpus, read_corpus
from longloom.synthesis.miniature.long_documents import synthesize_long
from longloom.synthesis.miniature.pipeline import synthesize
from longloom.synthesis.storage import read_examples, write_examples
from longloom.text.tokenizer import Tokenizer
from longloom.training.stage_checks import check_stage

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""

QUESTIONS = "questions"
MEMORY_TRAINING = "memory"


def window_suite(num_windows: int) -> str:
    """Return the name of the long documents of `num_windows` windows."""
    return f"windows-{num_windows}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunExamples:
    """One set of examples with its contexts."""

    examples: tuple[Example, ...]
    """The examples."""
    contexts: Mapping[str, Context]
    """Their contexts by id."""


def prepare_examples(
    config: RunConfig, folder: Path, tokenizer: Tokenizer, *, progress: Progress
) -> None:
    """Write every set of examples that the run needs and that is not there yet.

    Raises:
        DataError: the documents cannot be read, or too few questions can be made from them.
    """
    missing = [name for name in set_names(config) if not _is_written(folder / name)]
    if not missing:
        return
    if QUESTIONS in missing and config.woven is not None:
        take_woven_questions(config, folder / QUESTIONS, progress=progress)
        missing.remove(QUESTIONS)
        if not missing:
            return
    corpus = read_corpus(config.synthesis.documents, progress=progress)
    settings = config.synthesis.replace(seed=config.seed, template=config.template)
    for name in missing:
        if name == QUESTIONS:
            made = synthesize(settings, tokenizer=tokenizer, corpus=corpus, progress=progress)
            write_examples(
                folder / name,
                [*made.train, *made.held_out],
                made.contexts,
                asdict(made.summary),
                template=config.template,
            )
        else:
            progress(f"weaving {name}", 0, 1)
            _write_long(config, folder / name, corpus, tokenizer, name)
            progress(f"weaving {name}", 1, 1)


def check_examples(config: RunConfig, folder: Path) -> None:
    """Check that every stage and every suite has its examples before anything is trained.

    Raises:
        DataError: one has none, or too few for a batch or for validation; the message says which
            and what to change.
        ConfigError: the weight of a stage's task or category is missing, or of none there is.
    """
    advice = shortage_advice(config)
    questions = read_set(folder, QUESTIONS)
    for split in Split:
        if not stage_examples(questions, split):
            raise DataError(f"no question of the split {split} could be made: {advice}")
    memory = read_set(folder, MEMORY_TRAINING) if MEMORY_TRAINING in set_names(config) else None
    for stage in config.stages:
        found = memory if stage.kind == "memory" else questions
        if stage.training is None or found is None:
            continue
        low, high = stage.training.min_prompt_tokens, stage.training.max_prompt_tokens
        lengths = [example.num_prompt_tokens for example in stage_examples(found, Split.TRAIN)]
        if not any(low < length <= high for length in lengths):
            raise DataError(
                f"no example with a prompt of {low + 1} to {high} tokens for stage "
                f"{stage.name!r}: {advice}"
            )
        _check_stage(config, stage, found)
    for name in set_names(config):
        if name not in (QUESTIONS, MEMORY_TRAINING) and not read_set(folder, name).examples:
            raise DataError(f"no long document for the suite {name}: {advice}")


def _check_stage(config: RunConfig, stage: StageConfig, found: RunExamples) -> None:
    assert stage.training is not None
    try:
        check_stage(
            stage.training,
            stage_examples(found, Split.TRAIN),
            stage_examples(found, Split.HELD_OUT),
            seed=config.seed,
        )
    except (ConfigError, DataError) as error:
        raise type(error)(f"stage {stage.name!r}: {error}") from None


def set_names(config: RunConfig) -> tuple[str, ...]:
    """Return the names of the example sets of a run."""
    names = [QUESTIONS]
    if any(stage.kind == "memory" for stage in config.stages) and config.num_memory_examples:
        names.append(MEMORY_TRAINING)
    if config.evaluation.num_documents:
        names += [window_suite(windows) for windows in config.evaluation.windows]
    return tuple(names)


def read_set(folder: Path, name: str) -> RunExamples:
    """Return one set of examples.

    Raises:
        DataError: the set is missing or damaged.
    """
    examples, contexts = read_examples(folder / name)
    return RunExamples(examples=examples, contexts=contexts)


def window_tokens(config: RunConfig) -> int:
    """Return the tokens of one window: prompt and answer of the longest full-context stage."""
    return max(
        stage.training.max_prompt_tokens + stage.training.max_response_tokens
        for stage in config.stages
        if stage.kind == "full_context" and stage.training is not None
    )


def stage_examples(found: RunExamples, split: Split) -> list[Example]:
    """Return the examples of one split."""
    return [example for example in found.examples if example.split is split]


def _write_long(
    config: RunConfig, target: Path, corpus: Corpus, tokenizer: Tokenizer, name: str
) -> None:
    is_training = name == MEMORY_TRAINING
    windows = 0 if is_training else int(name.removeprefix("windows-"))
    made = synthesize_long(
        corpus,
        config.synthesis.replace(seed=config.seed, template=config.template),
        tokenizer,
        num_tokens=config.memory_document_tokens
        if is_training
        else windows * window_tokens(config),
        num_examples=config.num_memory_examples if is_training else config.evaluation.num_documents,
        seed=config.seed + windows,
        split=Split.TRAIN if is_training else Split.HELD_OUT,
    )
    write_examples(target, made.examples, made.contexts, template=config.template)


def _is_written(folder: Path) -> bool:
    return all((folder / file).is_file() for file in QUESTION_FILES)


def limited(examples: Sequence[Example], count: int) -> list[Example]:
    """Return the first `count` examples, tasks taking turns, in a fixed order."""
    by_task: dict[str, list[Example]] = {}
    for example in examples:
        by_task.setdefault(example.task_type, []).append(example)
    queues = [by_task[task] for task in sorted(by_task)]
    chosen: list[Example] = []
    place = 0
    while len(chosen) < count and any(place < len(queue) for queue in queues):
        chosen += [queue[place] for queue in queues if place < len(queue)]
        place += 1
    return chosen[:count]
