"""Check where a merge reads and writes, before it does either."""

from collections.abc import Sequence
from pathlib import Path

from longloom.errors import ModelError
from longloom.merging.partial_output import partial_path


def check_places(pivot: Path, models: Sequence[Path], output: Path) -> None:
    """Check that inputs are model folders and that the output is apart from them.

    Raises:
        ModelError: an input is no folder, or the output would lie in one or replace one.
    """
    for folder in (pivot, *models):
        if not folder.is_dir():
            raise ModelError(f"{str(folder)!r} is not a model folder; {_folder_advice(folder)}")
        inside = folder.resolve()
        if output.resolve().is_relative_to(inside):
            raise ModelError(
                f"the output {output} is or lies in {folder}, which is merged; choose a folder "
                "outside the models"
            )
        if inside.is_relative_to(partial_path(output).resolve()):
            raise ModelError(
                f"{folder} has the name that {output} has until it is whole; rename one of them"
            )


def _folder_advice(folder: Path) -> str:
    if "+" in folder.name:
        return "an adapter behind + is not merged; merge it into its model first"
    if len(folder.parts) == 2 and not folder.is_absolute() and not folder.parent.exists():
        return (
            "a name on a hub is not fetched; download it (hf download "
            f"{folder} --local-dir FOLDER) and give that folder"
        )
    return "give the path of a Hugging Face folder with config.json and safetensors"
