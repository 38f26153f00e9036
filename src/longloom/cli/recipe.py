"""`longloom recipe`: list the recipes, or print one."""

from typing import Annotated

import typer

from longloom.cli.console import print_table
from longloom.cli.options import Overrides, Seed


def recipe(
    name_or_file: Annotated[
        str | None, typer.Argument(help="A recipe or a YAML file; without it, the list.")
    ] = None,
    overrides: Overrides = None,
    seed: Seed = None,
    is_bare: Annotated[bool, typer.Option("--bare", help="Leave out the explanations.")] = False,
) -> None:
    """List the recipes, or print one as YAML with every setting explained."""
    from longloom.recipes.catalogue import RECIPES, load_config
    from longloom.recipes.recipe_yaml import recipe_yaml

    if name_or_file is None:
        purposes = [
            (name, (make.__doc__ or "").splitlines()[0].removeprefix("Return "))
            for name, make in RECIPES.items()
        ]
        print_table([("recipe", "what it is"), *purposes])
        return
    config = load_config(name_or_file, overrides=overrides or (), seed=seed)
    print(recipe_yaml(config, is_commented=not is_bare), end="")
