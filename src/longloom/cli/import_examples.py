"""`longloom import`: somebody else's training file as examples."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from longloom.cli.console import print_table, shown_path
from longloom.cli.options import NewFolder

_SHOWN_ROWS = 5


def import_examples(
    source: Annotated[
        Path, typer.Argument(metavar="FILE", help="Parquet or JSON Lines in verl's columns.")
    ],
    output: NewFolder,
    model: Annotated[
        str, typer.Option(help="Model folder whose tokens count; `estimate`: about Qwen3's.")
    ] = "estimate",
    split: Annotated[
        str | None, typer.Option(help="train or held_out for all; else what each row states.")
    ] = None,
    licence: Annotated[str, typer.Option(help="Licence of the set, as published.")] = "",
    keeps_usable: Annotated[
        bool, typer.Option("--keep-usable", help="Leave out rows that cannot be used.")
    ] = False,
) -> None:
    """Read a published training file, such as DocQA-RL-1.6K, as examples."""
    from longloom.recipes import api

    found = api.import_examples(
        source,
        output=output,
        model=model,
        split=split,
        licence=licence,
        keeps_usable=keeps_usable,
    )
    by_task = Counter(example.task_type.value for example in found.examples)
    print_table([("task", "questions"), *((task, f"{n}") for task, n in sorted(by_task.items()))])
    print(f"\n{len(found.examples)} questions on {len(found.contexts)} contexts, without programs")
    if found.num_whole:
        print(f"{found.num_whole} prompts could not be taken apart and stand whole")
    for reason in found.refused[:_SHOWN_ROWS]:
        print(f"left out: {reason}")
    if num_more := max(0, len(found.refused) - _SHOWN_ROWS):
        print(f"... and {num_more} more rows")
    print(f"examples: {shown_path(output)}")
