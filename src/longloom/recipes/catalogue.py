"""The recipes by name, and configurations from names, files and overrides."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import yaml

from longloom.config import apply_overrides, nearest_key, parse_config, read_yaml
from longloom.engines.verl.cluster_config import ClusterConfig
from longloom.errors import ConfigError
from longloom.recipes.one_gpu_weekend import one_gpu_weekend
from longloom.recipes.qwenlong_l1 import qwenlong_l1, qwenlong_l1_120k
from longloom.recipes.qwenlong_l15 import qwenlong_l15
from longloom.recipes.run_config import RunConfig
from longloom.recipes.tiny_cpu import tiny_cpu
from longloom.recipes.tiny_cpu_l1 import tiny_cpu_l1
from longloom.recipes.tiny_cpu_table import tiny_cpu_table

RECIPES: Mapping[str, Callable[[], RunConfig]] = {
    "one-gpu-weekend": one_gpu_weekend,
    "qwenlong-l1": qwenlong_l1,
    "qwenlong-l1-120k": qwenlong_l1_120k,
    "qwenlong-l15": qwenlong_l15,
    "tiny-cpu": tiny_cpu,
    "tiny-cpu-table": tiny_cpu_table,
    "tiny-cpu-l1": tiny_cpu_l1,
}


EngineName = Literal["local", "verl"]
"""Where stages are trained."""


def load_config(
    name_or_file: str,
    *,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    engine: EngineName | None = None,
) -> RunConfig:
    """Return the configuration of a recipe or of a YAML file, with overrides applied.

    A run's own run.yaml is accepted as a file: it repeats the run. `engine` says where stages are
    trained: `verl` on a cluster (settings `cluster.`), `local` in this process; None leaves it.

    Raises:
        ConfigError: there is no such recipe or file, or a setting is refused.
    """
    if name_or_file in RECIPES:
        settings = RECIPES[name_or_file]().model_dump(mode="json")
    else:
        settings = _read_settings(name_or_file)
    if engine == "local":
        settings["cluster"] = None
    elif engine == "verl" and not settings.get("cluster"):
        settings["cluster"] = ClusterConfig().model_dump(mode="json")
    settings = apply_overrides(settings, overrides)
    if seed is not None:
        settings["seed"] = seed
    return parse_config(RunConfig, settings)


def _read_settings(name: str) -> dict[str, object]:
    path = Path(name)
    if not path.is_file():
        nearest = nearest_key(name, list(RECIPES))
        hint = f"did you mean {nearest!r}?" if nearest else f"recipes: {', '.join(RECIPES)}"
        raise ConfigError(f"{name!r} is neither a recipe nor a file; {hint}")
    try:
        loaded = read_yaml(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read as YAML: {error}") from None
    if not isinstance(loaded, dict):
        raise ConfigError(f"{path} holds {type(loaded).__name__}; expected settings by name")
    # run.yaml keeps the configuration beside what else describes the run
    settings = loaded.get("config", loaded)
    if not isinstance(settings, dict):
        raise ConfigError(f"{path}: `config` is {settings!r}; expected settings by name")
    return settings
