"""Print what a run will do: settings, graph with states, sizes, evaluation, memory."""

import sys
from typing import TYPE_CHECKING

from longloom.cli.console import print_table

if TYPE_CHECKING:
    from longloom.recipes.run_config import RunConfig
    from longloom.recipes.verbs.run_plan import RunPlan


def print_plan(config: "RunConfig", planned: "RunPlan") -> None:
    """Print the plan of a run."""
    from longloom.recipes.planning.stage_limits import plan_evaluation, plan_stages
    from longloom.recipes.recipe_yaml import recipe_yaml

    print(recipe_yaml(config, is_commented=False))
    for line in planned.graph_lines(is_unicode=draws_boxes()):
        print(line)
    print()
    heading = ("stage", "kind", "from", "steps", "rollouts", "prompt", "answer", "sampled at most")
    stages = [
        (
            stage.name, stage.kind, stage.start, f"{stage.num_steps}", f"{stage.num_rollouts:,}",
            f"{stage.max_prompt_tokens:,}", f"{stage.max_response_tokens:,}",
            f"{stage.max_sampled_tokens:,} tokens",
        )
        for stage in plan_stages(config)
    ]  # fmt: skip
    print_table([heading, *stages])
    suites = [
        (
            suite.name, suite.agent, f"{suite.num_questions:,}", f"{suite.num_samples}",
            " ".join(suite.checkpoints),
        )
        for suite in plan_evaluation(config)
    ]  # fmt: skip
    print()
    print_table([("evaluation", "by", "questions", "tries", "of"), *suites])
    print()
    if config.cluster is None:
        _print_memory(config)
    else:
        _print_files(config)


def _print_files(config: "RunConfig") -> None:
    from longloom.errors import ModelError
    from longloom.recipes.cluster.planned import planned_files

    try:
        for name, text in planned_files(config):
            print(f"# ---- verl's file of {name}\n{text}")
    except ModelError as error:
        print(f"verl's files: not known ({error})")


def draws_boxes() -> bool:
    """Return whether what reads the output understands box characters."""
    return (sys.stdout.encoding or "").lower().replace("-", "") in ("utf8", "utf16", "utf32")


def _print_memory(config: "RunConfig") -> None:
    from longloom.errors import EngineError, ModelError
    from longloom.recipes.planning.stage_layouts import stages_here
    from longloom.recipes.planning.tables import here_rows

    try:
        print_table(here_rows(stages_here(config)))
    except (EngineError, ModelError) as error:
        print(f"memory: not known ({error})")
