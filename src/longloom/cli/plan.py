"""`longloom plan`: what a recipe costs, before it is run."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from longloom.cli.console import print_table
from longloom.cli.options import Overrides, Seed

if TYPE_CHECKING:
    from longloom.recipes.planning.recipe_plan import RecipePlan


def plan(
    name_or_file: Annotated[str, typer.Argument(help="A recipe, or a YAML file of settings.")],
    gpu: Annotated[
        str | None, typer.Option(help="h200, h100 (default), b200, a100-80g, l40s, 4090, ...")
    ] = None,
    gpus: Annotated[int | None, typer.Option(help="How many; default 1.")] = None,
    gpu_memory: Annotated[
        float | None, typer.Option(metavar="GB", help="Memory of one, if not its maker's.")
    ] = None,
    is_cpu: Annotated[
        bool, typer.Option("--cpu", help="This machine's CPU, measured for a few seconds.")
    ] = False,
    model: Annotated[
        str | None, typer.Option(help="Whose sizes: a folder or a name as Qwen/Qwen3-4B.")
    ] = None,
    price: Annotated[float | None, typer.Option(help="Of one GPU and hour.")] = None,
    assume: Annotated[
        list[str] | None,
        typer.Option(metavar="A=B", help="Change an assumption; may be repeated."),
    ] = None,
    overrides: Overrides = None,
    seed: Seed = None,
    is_json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON.")] = False,
) -> None:
    """Estimate tokens, memory, GPU-hours and what binds, per stage, from stated formulas."""
    from longloom.recipes import api
    from longloom.recipes.planning.tables import plain_plan

    planned = api.plan(
        name_or_file,
        gpu=gpu,
        gpus=gpus,
        gpu_memory=gpu_memory,
        cpu=is_cpu,
        model=model,
        price=price,
        assume=assume or (),
        overrides=overrides or (),
        seed=seed,
    )
    if is_json:
        print(json.dumps(plain_plan(planned), indent=2))
        return
    _print_plan(planned)


def _print_plan(planned: "RecipePlan") -> None:
    from longloom.recipes.planning import tables

    weights = planned.sizes.num_weights / 1e9
    print(f"{planned.recipe}: {planned.model}, {weights:.3g}B weights")
    print(f"on {planned.machine.description}\n")
    for make_rows in (
        tables.token_rows, tables.operation_rows, tables.memory_rows, tables.time_rows,
    ):  # fmt: skip
        print_table(make_rows(planned))
        print()
    for line in tables.advice_lines(planned):
        print(line)
    print("assumed (change with --assume A=B):", *tables.assumption_lines(planned), sep="\n  ")
    print("note:", *planned.notes, sep="\n  ")
