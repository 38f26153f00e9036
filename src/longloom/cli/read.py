"""`longloom read`: ask questions about documents of any length."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from longloom.cli.console import print_paragraph, shown_path
from longloom.cli.options import (
    Endpoint,
    Model,
    ModelName,
    ModelsRecipe,
    Overrides,
    Seed,
    TokenizerFolder,
    Window,
    YarnFactor,
)

if TYPE_CHECKING:
    from longloom.cli.read_console import ReadConsole
    from longloom.recipes.verbs.read_records import Reading

_TINY_BASE = "tiny-base"


def read(
    documents: Annotated[list[str], typer.Argument(help="Files or folders, in order.")],
    questions: Annotated[
        list[str] | None, typer.Option("--question", "-q", help="A question; may be repeated.")
    ] = None,
    question_file: Annotated[
        Path | None, typer.Option("--questions", help="File with a question on each line.")
    ] = None,
    model: Model = _TINY_BASE,
    endpoint: Endpoint = None,
    model_name: ModelName = None,
    tokenizer: TokenizerFolder = None,
    mode: Annotated[str, typer.Option(help="auto, single or memory.")] = "auto",
    window_tokens: Window = None,
    yarn_factor: YarnFactor = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Save answers and memories as JSON.")
    ] = None,
    has_journal: Annotated[
        bool, typer.Option("--journal/--no-journal", help="Go on where the same command stopped.")
    ] = True,
    recipe: ModelsRecipe = None,
    overrides: Overrides = None,
    seed: Seed = None,
) -> None:
    """Answer questions about documents, section by section if they exceed the window."""
    from longloom.cli.read_console import ReadConsole, questions_of
    from longloom.errors import ModelError
    from longloom.recipes.verbs.read import ReadModel, default_journal, read_all

    if model == _TINY_BASE and endpoint is None:
        print(
            "tiny-base reads outlines of statements only; give a real model with --model or "
            "--endpoint",
            flush=True,
        )
    asked = questions_of(questions or [], question_file)
    with ReadConsole(len(asked)) as console:
        readings = read_all(
            documents,
            asked,
            model=ReadModel(
                model=model,
                endpoint=endpoint,
                model_name=model_name,
                tokenizer=tokenizer,
                window_tokens=window_tokens,
                yarn_factor=yarn_factor,
            ),
            mode=mode,
            output=output,
            journal=default_journal() if has_journal else None,
            recipe=recipe,
            overrides=overrides or (),
            seed=seed,
            on_event=console.on_event,
            notify=console.on_message,
            on_answers=lambda found: _show(console, found),
        )
    if output:
        print(f"\nhistory: {shown_path(output)}")
    failed = [reading for reading in readings if reading.error]
    if failed:
        count = f"{len(failed)} of {len(readings)} questions have no answer: " * (len(asked) > 1)
        raise ModelError(f"the model could not answer: {count}{failed[0].error}")


def _show(console: "ReadConsole", readings: "Sequence[Reading]") -> None:
    """Print the answers, before they are saved: a full disk shall not take them along."""
    console.close()
    for reading in readings:
        _print_reading(reading, is_one_of_many=len(readings) > 1)
    sys.stdout.flush()


def _print_reading(reading: "Reading", *, is_one_of_many: bool) -> None:
    """Print the answer and where it stands."""
    if reading.error and not is_one_of_many:
        return
    if is_one_of_many:
        print_paragraph(f"question: {reading.question}")
    if reading.error:
        print(f"failed: {reading.error}")
        return
    way = "in one pass" if reading.mode == "single" else "section by section"
    print(f"read {reading.num_document_tokens} tokens {way}")
    print_paragraph(f"answer: {reading.answer or 'none was stated'}")
    if not reading.answer and (said := reading.response_text.strip()):
        print_paragraph(said)
    for place, citation in zip(reading.places, reading.citations, strict=True):
        quote = " ".join(citation.quote.split())
        sign = "" if citation.is_verified else " (not word for word)"
        print_paragraph(f'{place}{sign}: "{quote}"')
