"""Ask questions about documents of any length."""

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from longloom.config import overrides_of
from longloom.errors import ConfigError, DataError, ModelError
from longloom.memory.journal import Journal, NoJournal, SpareableJournal
from longloom.memory.journal_file import JournalFile
from longloom.models.protocols import ChatSampler
from longloom.recipes.model_source import TINY_BASE
from longloom.recipes.verbs.read_documents import LoadedDocuments, load_documents
from longloom.recipes.verbs.read_model import (
    ReadModel,
    answer_tokens,
    open_read_model,
    reading_memory,
)
from longloom.recipes.verbs.read_one import MODES, ReadingChat, ReadPlan, read_one
from longloom.recipes.verbs.read_records import Reading, SectionNote, write_readings
from longloom.rollout import Emit, Event
from longloom.rollout.call_limits import OldestFirst
from longloom.text.lone_surrogates import without_lone_surrogates

__all__ = ["ReadModel", "Reading", "SectionNote", "default_journal", "read", "read_all"]

EmitOfQuestion = Callable[[int, Event], None]
"""Receives the number of a question, from 0, and an event of its reading."""
Notify = Callable[[str], None]
"""Told what a person should read, in whole lines."""

MAX_CALLS = 32
"""Calls of the model at a time, over all questions; the oldest question goes first."""


def read(
    documents: Sequence[Path | str] | Path | str,
    question: str,
    *,
    model: Path | str = TINY_BASE,
    endpoint: str | None = None,
    model_name: str | None = None,
    tokenizer: Path | str | None = None,
    mode: str = "auto",
    window_tokens: int | None = None,
    yarn_factor: float | None = None,
    output: Path | str | None = None,
    journal: Path | str | None = None,
    recipe: str | None = None,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    on_event: Emit | None = None,
) -> Reading:
    """Answer a question about documents, in one pass or with the memory agent.

    Args:
        documents: files, folders or `builtin`; read in the order given.
        question: the question.
        model: a model folder or `tiny-base`, which reads outlines of Python files alone.
        endpoint: OpenAI-compatible address of a server that is asked in the place of `model`. Its
            key is read from the environment (`LONGLOOM_API_KEY`, `OPENAI_API_KEY`).
        model_name: the model's name as the server knows it.
        tokenizer: folder with that model's tokenizer; tokens are estimated without it.
        mode: `single` pass, section by section with a `memory`, or `auto`: a single pass if prompt
            and answer fit the window.
        window_tokens: the window; the model's own if not given, and of a folder never more.
        yarn_factor: lengthen the window of a folder so many times by YaRN.
        output: a JSON file for the answer with the memory after every section.
        journal: a file that keeps every step, so that the same call goes on after an interruption.
        recipe: whose settings are used; `tiny-cpu` for folders with small windows, else
            `qwenlong-l15`.
        overrides: changed settings as `memory.a=b`, `evaluation.a=b`, `endpoint.a=b`.
        seed: replaces the recipe's seed.
        on_event: is told of every section.

    Raises:
        ConfigError: a setting is refused, or the window is too small.
        DataError: a document cannot be read, or the output exists.
        ModelError: the model cannot be loaded or reached, or failed.
    """
    shown = on_event or _ignore
    (reading,) = read_all(
        documents,
        [question],
        model=ReadModel(
            model=str(model),
            endpoint=endpoint,
            model_name=model_name,
            tokenizer=None if tokenizer is None else str(tokenizer),
            window_tokens=window_tokens,
            yarn_factor=yarn_factor,
        ),
        mode=mode,
        output=output,
        journal=journal,
        recipe=recipe,
        overrides=overrides,
        seed=seed,
        on_event=lambda number, event: shown(event),
    )
    if reading.error:
        raise ModelError(f"the model could not answer: {reading.error}")
    return reading


def read_all(
    documents: Sequence[Path | str] | Path | str,
    questions: Sequence[str],
    *,
    model: ReadModel,
    mode: str = "auto",
    output: Path | str | None = None,
    journal: Path | str | None = None,
    recipe: str | None = None,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    on_event: EmitOfQuestion | None = None,
    notify: Notify = lambda message: None,
    on_answers: Callable[[Sequence[Reading]], None] = lambda readings: None,
) -> tuple[Reading, ...]:
    """Answer several questions about the same documents at once; see `read`.

    A question that the model cannot answer has a reading with `error`, which is written too.

    Args:
        documents: files, folders or `builtin`; read in the order given.
        questions: the questions.
        model: who reads.
        mode: `auto`, `single` or `memory`.
        output: a JSON file for answers and memories.
        journal: a file that keeps every step.
        recipe: whose settings are used.
        overrides: changed settings.
        seed: replaces the recipe's seed.
        on_event: is told of every section of every question.
        notify: is told which files of folders were left out.
        on_answers: is given the readings before they are written, which may fail.

    Raises:
        ConfigError: a setting is refused, or the window is too small.
        DataError: a document cannot be read, or the output exists or cannot be written.
        ModelError: the model cannot be loaded or reached.
    """
    model.check()
    questions = [without_lone_surrogates(question) for question in questions]
    _check(questions, mode, output)
    connecting, overrides = overrides_of("endpoint", overrides)
    connection = model.connection(connecting)
    config = model.config(recipe, overrides, seed)
    if model.endpoint is None:
        from longloom.recipes.sampler_source import prepare_torch  # loads torch

        prepare_torch(config.num_threads, config.engine)
    names = [documents] if isinstance(documents, Path | str) else documents
    is_small = model.endpoint is None and config.memory.wording == "compact"
    loaded = load_documents(names, as_outlines=is_small)
    _tell_left_out(loaded, notify)
    with ExitStack() as opened:
        steps: Journal = NoJournal()
        if journal is not None:
            steps = SpareableJournal(opened.enter_context(_opened_journal(Path(journal))))

        async def run() -> tuple[Reading, ...]:
            async with open_read_model(model, config, connection) as chat:
                window = min(chat.window_tokens, model.window_tokens or chat.window_tokens)
                plan = ReadPlan(
                    config=config,
                    memory=reading_memory(config, overrides, window),
                    answer_tokens=answer_tokens(config, window),
                    mode=mode,
                    documents=loaded,
                    journal=steps,
                )
                return await _readings(plan, questions, chat, model.window_tokens, on_event)

        found = asyncio.run(run())
    on_answers(found)
    if output is not None:
        write_readings(Path(output), found)
    return found


async def _readings(
    plan: ReadPlan,
    questions: Sequence[str],
    chat: ChatSampler,
    window_tokens: int | None,
    on_event: EmitOfQuestion | None,
) -> tuple[Reading, ...]:
    """Read for all questions at the same time, the first with precedence."""
    limits = OldestFirst(MAX_CALLS)
    readings = [
        read_one(
            plan,
            question,
            chat=ReadingChat(chat, limits, limits.next_age(), window_tokens),
            emit=_emit_of(number, on_event),
        )
        for number, question in enumerate(questions)
    ]
    return tuple(await asyncio.gather(*readings))


def default_journal() -> Path:
    """Return the journal's file in the user's cache folder."""
    stated = os.environ.get("XDG_CACHE_HOME", "")
    cache = Path(stated) if os.path.isabs(stated) else Path.home() / ".cache"
    return cache / "longloom" / "journal.sqlite"


def _opened_journal(path: Path) -> JournalFile:
    """Open the journal; one that never worked is the user's choice to do without."""
    try:
        return JournalFile(path)
    except DataError as error:
        raise DataError(f"{error}; or read without one (--no-journal)") from None


def _check(questions: Sequence[str], mode: str, output: Path | str | None) -> None:
    if mode not in MODES:
        raise ConfigError(f"mode {mode!r} is unknown; expected {', '.join(MODES[:-1])} or memory")
    if not questions or not all(question.strip() for question in questions):
        raise ConfigError("the question is empty; expected a question about the documents")
    if output is not None and Path(output).exists():
        raise DataError(f"{output} exists already; choose another file or remove it")
    if output is None:
        return
    folder = Path(output).resolve().parent
    if not folder.is_dir():
        raise DataError(f"{output} cannot be written: its folder does not exist; make it first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise DataError(
            f"{output} cannot be written: its folder is not writable; choose another file"
        )


def _tell_left_out(loaded: LoadedDocuments, notify: Notify) -> None:
    for reason in loaded.left_out[:5]:
        notify(f"left out: {reason}")
    if len(loaded.left_out) > 5:
        notify(f"left out: {len(loaded.left_out) - 5} more files that cannot be read")


def _emit_of(number: int, on_event: EmitOfQuestion | None) -> Emit:
    return _ignore if on_event is None else lambda event: on_event(number, event)


def _ignore(event: Event) -> None:
    """Receive an event that nobody shows."""
