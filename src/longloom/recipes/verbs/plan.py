"""Plan a recipe: tokens, memory, time and what binds, before anything is run."""

from collections.abc import Sequence

from longloom.config import apply_overrides, parse_config
from longloom.errors import ConfigError
from longloom.recipes.catalogue import load_config
from longloom.recipes.planning.assumptions import PlanAssumptions
from longloom.recipes.planning.machines import gpus as gpus_of
from longloom.recipes.planning.machines import this_cpu
from longloom.recipes.planning.operations import Number
from longloom.recipes.planning.recipe_plan import RecipePlan, plan_recipe

DEFAULT_GPU = "h100"
"""What is planned for if nothing is said."""


def plan(
    recipe: str,
    *,
    gpu: str | None = None,
    gpus: int | None = None,
    gpu_memory: Number | None = None,
    cpu: bool = False,
    model: str | None = None,
    price: Number | None = None,
    assume: Sequence[str] = (),
    overrides: Sequence[str] = (),
    seed: int | None = None,
) -> RecipePlan:
    """Return what a recipe costs on GPUs as stated by their maker, or on the CPU at hand.

    Nothing is loaded, written or downloaded; a CPU is measured for some seconds.

    Args:
        recipe: name of a recipe or a YAML file of settings.
        gpu: which GPU, `h100` if not given; see `planning/devices.py`.
        gpus: how many; 1 if not given.
        gpu_memory: memory of one in 10^9 bytes, if not what its maker states.
        cpu: plan for this machine's CPU instead.
        model: whose sizes are taken, a folder or a known name; the recipe's if not given.
        price: of one GPU and hour, in any currency.
        assume: changed assumptions as `answer_fraction=0.4`.
        overrides: changed settings of the recipe as `a.b=c`.
        seed: replaces the recipe's seed.

    Raises:
        ConfigError: a setting is refused, or the GPU is unknown.
        ModelError: the model is neither a folder nor known by name.
        EngineError: the system does not say how much memory is free.
    """
    if cpu and (gpu is not None or gpus is not None or gpu_memory is not None):
        raise ConfigError("cpu and GPUs are both given; expected one of them: leave the other out")
    if price is not None and not 0 <= price < float("inf"):
        raise ConfigError(f"price is {price}; expected 0 or more, as 2.5")
    config = load_config(recipe, overrides=overrides, seed=seed)
    assumed = parse_config(
        PlanAssumptions, apply_overrides(PlanAssumptions().model_dump(mode="json"), assume)
    )
    count = 1 if gpus is None else gpus
    machine = this_cpu() if cpu else gpus_of(gpu or DEFAULT_GPU, count, gpu_memory, assumed)
    return plan_recipe(config, machine, assumed=assumed, model=model, price=price)
