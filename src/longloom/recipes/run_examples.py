"""The questions of a run: made once, kept in the run folder, read again when they are needed."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from longloom.errors import ConfigError, DataError
from longloom.recipes.run_config import RunConfig, StageConfig
from longloom.recipes.worked_answers import write_worked_answers
from longloom.recipes.woven_questions import shortage_advice, take_woven_questions
from longloom.records import Context, Example, Split
from longloom.runlog import atomic_folder
from longloom.synthesis.miniature import Corpus, MiniatureConfig, read_corpus
from longloom.synthesis.miniature.long_documents import synthesize_long
from longloom.synthesis.miniature.pipeline import synthesize
from longloom.synthesis.storage import read_examples, write_examples
from longloom.text.tokenizer import Tokenizer
from longloom.training.stage_checks import check_stage

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""

QUESTIONS = "questions"
MEMORY_TRAINING = "memory"
_ANSWERS = "answers-"


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
    config: RunConfig,
    places: Mapping[str, Path],
    tokenizer: Tokenizer,
    *,
    progress: Progress,
) -> Iterator[str]:
    """Write sets of examples, each whole or not at all; yield the name of each when it is there.

    Args:
        config: the run.
        places: the new folder of each set.
        tokenizer: of the model that reads them.
        progress: is told how far the work is.

    Raises:
        DataError: the documents cannot be read, or too few questions can be made from them.
    """
    if not places:
        return
    others = dict(places)
    if config.woven is not None and QUESTIONS in others:
        take_woven_questions(config, others.pop(QUESTIONS), progress=progress)
        yield QUESTIONS
        if not others:
            return
    corpus = read_corpus(config.synthesis.documents, progress=progress)
    for name, target in others.items():
        with atomic_folder(target) as partial:
            stage = next((stage for stage in config.stages if answers_set(stage) == name), None)
            if stage is not None:
                write_worked_answers(
                    settings_of(config), stage, partial, corpus, tokenizer, progress=progress
                )
            elif name == QUESTIONS:
                _write_questions(config, partial, corpus, tokenizer, progress)
            else:
                progress(f"weaving {name}", 0, 1)
                _write_long(config, partial, corpus, tokenizer, name)
                progress(f"weaving {name}", 1, 1)
        yield name


def is_written(folder: Path) -> bool:
    """Return whether a set of examples is there."""
    return folder.is_dir()  # it takes its name when it is whole


def check_examples(
    config: RunConfig, places: Mapping[str, Path], *, stages: Collection[str]
) -> None:
    """Check that every stage and every suite has its examples before anything is trained.

    Args:
        config: the run.
        places: the folders of the sets that are read.
        stages: names of the stages that are trained.

    Raises:
        DataError: one has none, or too few for a batch or for validation; the message says which
            and what to change.
        ConfigError: the weight of a stage's task or category is missing, or of none there is.
    """
    advice = shortage_advice(config)
    found = {name: read_set(place) for name, place in places.items() if not _is_answers(name)}
    for split in Split:
        if QUESTIONS in found and not stage_examples(found[QUESTIONS], split):
            raise DataError(f"no question of the split {split} could be made: {advice}")
    for stage in config.stages:
        if stage.training is None or stage.name not in stages:
            continue
        examples = found[examples_of(stage)]
        low, high = stage.training.min_prompt_tokens, stage.training.max_prompt_tokens
        lengths = [example.num_prompt_tokens for example in stage_examples(examples, Split.TRAIN)]
        if not any(low < length <= high for length in lengths):
            raise DataError(
                f"no example with a prompt of {low + 1} to {high} tokens for stage "
                f"{stage.name!r}: {advice}"
            )
        _check_stage(config, stage, examples)
    for name, examples in found.items():
        if name not in (QUESTIONS, MEMORY_TRAINING) and not examples.examples:
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
    names = [name for stage in config.stages if (name := answers_set(stage))]
    names.append(QUESTIONS)
    if any(stage.kind == "memory" for stage in config.stages) and config.num_memory_examples:
        names.append(MEMORY_TRAINING)
    if config.evaluation.num_documents:
        names += [window_suite(windows) for windows in config.evaluation.windows]
    return tuple(names)


def examples_of(stage: StageConfig) -> str:
    """Return the name of the set of examples that a stage reads; empty if it reads none."""
    if stage.kind == "memory":
        return MEMORY_TRAINING
    return QUESTIONS if stage.kind == "full_context" else answers_set(stage)


def answers_set(stage: StageConfig) -> str:
    """Return the name of the set of worked answers of a stage; empty if it has none."""
    return f"{_ANSWERS}{stage.name}" if stage.num_worked_answers and not stage.sft_rows else ""


def settings_of(config: RunConfig) -> MiniatureConfig:
    """Return the settings of synthesis with the seed and the template of the run."""
    return config.synthesis.replace(seed=config.seed, template=config.template)


def read_set(folder: Path) -> RunExamples:
    """Return the set of examples in a folder.

    Raises:
        DataError: the set is missing or damaged.
    """
    examples, contexts = read_examples(folder)
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


def _is_answers(name: str) -> bool:
    return name.startswith(_ANSWERS)


def _write_questions(
    config: RunConfig, target: Path, corpus: Corpus, tokenizer: Tokenizer, progress: Progress
) -> None:
    made = synthesize(settings_of(config), tokenizer=tokenizer, corpus=corpus, progress=progress)
    write_examples(
        target,
        [*made.train, *made.held_out],
        made.contexts,
        asdict(made.summary),
        template=config.template,
    )


def _write_long(
    config: RunConfig, target: Path, corpus: Corpus, tokenizer: Tokenizer, name: str
) -> None:
    is_training = name == MEMORY_TRAINING
    windows = 0 if is_training else int(name.removeprefix("windows-"))
    made = synthesize_long(
        corpus,
        settings_of(config),
        tokenizer,
        num_tokens=config.memory_document_tokens
        if is_training
        else windows * window_tokens(config),
        num_examples=config.num_memory_examples if is_training else config.evaluation.num_documents,
        seed=config.seed + windows,
        split=Split.TRAIN if is_training else Split.HELD_OUT,
    )
    write_examples(target, made.examples, made.contexts, template=config.template)


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
