"""Ask a question about documents of any length."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from longloom.errors import ConfigError, DataError, ModelError
from longloom.memory import MemoryAgent
from longloom.models.local_sampler import LocalSampler
from longloom.recipes.catalogue import load_config
from longloom.recipes.model_source import TINY_BASE, resolve_model
from longloom.recipes.run_config import RunConfig
from longloom.recipes.sampler_source import check_yarn_factor, open_sampler, prepare_torch
from longloom.recipes.verbs.lengths import check_sections_fit, longest_stage, prompt_tokens
from longloom.records import (
    Context,
    Example,
    RewardRule,
    Rollout,
    SamplingParams,
    Split,
    TaskType,
)
from longloom.rewards.extraction import extract_answer
from longloom.rollout import (
    Agent,
    Attempt,
    Emit,
    Event,
    EventKind,
    SinglePassAgent,
    TokenChat,
    run_attempts,
)
from longloom.runlog import atomic_write_text
from longloom.synthesis.miniature.documents import read_corpus
from longloom.text.prompts import single_pass_prompt
from longloom.text.tokenizer import Tokenizer

READING_SCHEMA = {"schema": "longloom.reading", "version": 1}
"""Written into every file of `write_reading`."""

ReadingMode = Literal["single", "memory"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionNote:
    """The state of the memory after one section."""

    section_index: int
    """1 .. number of sections."""
    memory: str
    """The memory."""
    plan: str
    """What to look for next."""
    is_usable: bool
    """False if the update could not be used and the memory stayed as it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A question, how the documents were read, and the answer."""

    question: str
    """The question."""
    documents: tuple[str, ...]
    """Titles of the documents."""
    model: str
    """Name of the model folder."""
    mode: ReadingMode
    """In one pass, or section by section."""
    num_document_tokens: int
    """Tokens of all documents."""
    sections: tuple[SectionNote, ...]
    """The memory after each section; empty for a single pass."""
    answer: str
    """The stated answer; empty if the model stated none."""
    response_text: str
    """The whole last response, thinking included."""


def read(
    documents: Sequence[Path | str] | Path | str,
    question: str,
    *,
    model: Path | str = TINY_BASE,
    mode: str = "auto",
    window_tokens: int | None = None,
    yarn_factor: float | None = None,
    output: Path | str | None = None,
    recipe: str = "tiny-cpu",
    overrides: Sequence[str] = (),
    seed: int | None = None,
    on_event: Emit | None = None,
) -> Reading:
    """Answer a question about documents, in one pass or with the memory agent.

    Documents are rendered as in training: Python files become outlines of short statements.

    Args:
        documents: files, folders or `builtin`; read in the order given.
        question: the question.
        model: a model folder or `tiny-base`.
        mode: `single` pass, section by section with a `memory`, or `auto`: a single pass if prompt
            and answer fit the window.
        window_tokens: the window; the model's own if not given, and never more than that.
        yarn_factor: lengthen the model's own window so many times by YaRN.
        output: a JSON file for the reading with the memory after every section.
        recipe: whose settings are used.
        overrides: changed settings as `memory.a=b`, `evaluation.a=b`.
        seed: replaces the recipe's seed.
        on_event: is told of every section.

    Raises:
        ConfigError: a setting is refused, or the window is too small.
        DataError: a document cannot be read, or the output exists.
        ModelError: the model cannot be loaded, or failed.
    """
    config = load_config(recipe, overrides=overrides, seed=seed)
    if not question.strip():
        raise ConfigError("the question is empty; expected a question about the documents")
    if output is not None and Path(output).exists():
        raise DataError(f"{output} exists already; choose another file or remove it")
    titles, text = _read_documents([documents] if isinstance(documents, Path | str) else documents)
    prepare_torch(config.num_threads, config.engine)
    check_yarn_factor(yarn_factor, str(model))
    folder = resolve_model(str(model))
    sampler = open_sampler(folder, yarn_factor=yarn_factor, config=config.engine)
    tokenizer = sampler.tokenizer
    chosen = _mode(mode, config, tokenizer, text, question, _window(window_tokens, sampler))
    agent: Agent = (
        SinglePassAgent(config.template) if chosen == "single" else MemoryAgent(config.memory)
    )
    events: list[Event] = []

    def emit(event: Event) -> None:
        events.append(event)
        if on_event:
            on_event(event)

    attempt = _attempt(config, text, question)
    rollout = run_attempts(agent, [attempt], sampler=TokenChat(sampler), emit=emit)[0]
    if rollout.error:
        raise ModelError(f"the model could not answer: {rollout.error}")
    reading = Reading(
        question=question,
        documents=titles,
        model=folder.name,
        mode=chosen,
        num_document_tokens=len(tokenizer.encode(text)),
        sections=_sections(events),
        answer=_answer(rollout),
        response_text=rollout.final_text,
    )
    if output is not None:
        write_reading(Path(output), reading)
    return reading


def write_reading(path: Path, reading: Reading) -> None:
    """Write a reading as JSON.

    Raises:
        DataError: the file cannot be written.
    """
    content = {**READING_SCHEMA, **asdict(reading)}
    atomic_write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def _read_documents(documents: Sequence[Path | str]) -> tuple[tuple[str, ...], str]:
    if not documents:
        raise DataError("no documents given; expected at least one file or folder")
    found = [document for name in documents for document in read_corpus(str(name)).documents]
    text = "\n\n".join(document.text for document in found)
    if not text.strip():
        raise DataError(f"documents {', '.join(map(str, documents))} hold no text")
    return tuple(document.title for document in found), text


def _window(window_tokens: int | None, sampler: LocalSampler) -> int:
    if window_tokens is None:
        return sampler.window_tokens
    if not 1 <= window_tokens <= sampler.window_tokens:
        raise ConfigError(
            f"window is {window_tokens} tokens; expected 1 to {sampler.window_tokens}, the model's "
            "own"
        )
    return window_tokens


def _mode(
    mode: str,
    config: RunConfig,
    tokenizer: Tokenizer,
    text: str,
    question: str,
    window_tokens: int,
) -> ReadingMode:
    if mode not in ("auto", "single", "memory"):
        raise ConfigError(f"mode {mode!r} is unknown; expected auto, single or memory")
    answer_tokens = longest_stage(config).max_response_tokens
    message = single_pass_prompt(config.template, context=text, question=question)
    needed = prompt_tokens(tokenizer, message) + answer_tokens
    if mode != "memory" and needed <= window_tokens:
        return "single"
    if mode == "single":
        raise ConfigError(
            f"prompt and answer take {needed} tokens, but the window is {window_tokens}; read with "
            "mode memory or auto, or use a larger window"
        )
    check_sections_fit(config.memory, tokenizer, question, window_tokens)
    return "memory"


def _attempt(config: RunConfig, text: str, question: str) -> Attempt:
    example = Example(
        example_id="read",
        task_type=TaskType.READING_COMPREHENSION,
        ability="",
        context_id="read",
        question=question,
        answer="",
        reward_rule=RewardRule.COVER_EXACT_MATCH,
        program="",
        evidence=(),
        num_context_tokens=0,
        num_prompt_tokens=0,
        split=Split.HELD_OUT,
        licences=(),
        provenance=(),
    )
    return Attempt(
        example=example,
        context=Context(context_id="read", text=text, parts=()),
        rollout_index=0,
        policy_version=0,
        params=SamplingParams(
            temperature=config.evaluation.temperature,
            top_p=config.evaluation.top_p,
            max_new_tokens=longest_stage(config).max_response_tokens,
        ),
        key=f"{config.seed}/read",
    )


def _sections(events: Sequence[Event]) -> tuple[SectionNote, ...]:
    return tuple(
        SectionNote(
            section_index=event.section_index,
            memory=event.memory,
            plan=event.plan,
            is_usable=event.kind is EventKind.SECTION_READ,
        )
        for event in events
        if event.kind in (EventKind.SECTION_READ, EventKind.SECTION_FAILED)
    )


def _answer(rollout: Rollout) -> str:
    return extract_answer(rollout.final_text) or ""
