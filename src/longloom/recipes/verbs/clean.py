"""Remove the results in a run folder that the current settings do not use."""

from pathlib import Path

from longloom.errors import ConfigError
from longloom.recipes.graph.places import UnusedResult, remove_results, unused_results
from longloom.recipes.pipeline import check_layout, default_folder, graph_of
from longloom.recipes.run_config import RunConfig
from longloom.recipes.verbs.run_folders import check_run_folder
from longloom.runlog import RunFolder


def clean(
    config: RunConfig, *, output: Path | None = None, is_dry: bool = False
) -> list[UnusedResult]:
    """Remove what a run folder holds for other settings than `config`; return what that is.

    Args:
        config: the settings whose results stay.
        output: the run folder; that of the recipe if not given.
        is_dry: only find it.

    Raises:
        ConfigError: there is no such run folder, or another process works in it.
    """
    folder = RunFolder(output or default_folder(config))
    if not folder.run_file.is_file():
        raise ConfigError(f"{folder.path} is no run folder; expected one that `run` has written")
    check_run_folder(folder)
    check_layout(folder)
    graph = graph_of(config)
    with folder.lock():
        found = unused_results(folder.path, graph)
        if not is_dry:
            remove_results(folder.path, found)
    return found
