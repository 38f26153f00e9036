"""`longloom read`: ask a question about documents of any length."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from longloom.cli.console import CONSOLE_WIDTH, print_paragraph, shown_path
from longloom.cli.options import Model, Overrides, Recipe, Seed, YarnFactor

if TYPE_CHECKING:
    from longloom.rollout import Event

_TINY_BASE = "tiny-base"


def read(
    documents: Annotated[list[str], typer.Argument(help="Files or folders, in order.")],
    question: Annotated[str, typer.Option("--question", "-q", help="The question.")],
    model: Model = _TINY_BASE,
    mode: Annotated[str, typer.Option(help="auto, single or memory.")] = "auto",
    window_tokens: Annotated[
        int | None, typer.Option("--window", help="Tokens of the window; default the model's.")
    ] = None,
    yarn_factor: YarnFactor = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Save answer and memories as JSON.")
    ] = None,
    recipe: Recipe = "tiny-cpu",
    overrides: Overrides = None,
    seed: Seed = None,
) -> None:
    """Answer a question about documents, section by section if they exceed the window."""
    from longloom.recipes import api

    if model == _TINY_BASE:
        print(
            "tiny-base reads outlines of statements only; give a real model with --model",
            flush=True,
        )
    reading = api.read(
        documents,
        question,
        model=model,
        mode=mode,
        window_tokens=window_tokens,
        yarn_factor=yarn_factor,
        output=output,
        recipe=recipe,
        overrides=overrides or (),
        seed=seed,
        on_event=_show,
    )
    pass_name = "in one pass" if reading.mode == "single" else "section by section"
    print(f"read {reading.num_document_tokens} tokens {pass_name}")
    print_paragraph(f"answer: {reading.answer or 'none was stated'}")
    if not reading.answer:
        print_paragraph(reading.response_text.strip())
    if output:
        print(f"\nhistory: {shown_path(output)}")


def _show(event: "Event") -> None:
    if event.kind == "started" and event.num_sections:
        print(f"sections to read: {event.num_sections}", flush=True)
    if not event.section_index:
        return
    note = (
        "(no usable update; the memory stays as it was)"
        if event.kind == "section_failed"
        else event.memory
    )
    line = f"section {event.section_index} of {event.num_sections}  {' '.join(note.split())}"
    print(line if len(line) <= CONSOLE_WIDTH else f"{line[: CONSOLE_WIDTH - 3]}...", flush=True)
