"""Find the model a recipe starts from."""

from importlib.resources import files
from pathlib import Path

from longloom.errors import ModelError

TINY_BASE = "tiny-base"


def resolve_model(name: str) -> Path:
    """Return the folder of `tiny-base`, which ships with the package, or of a path.

    Raises:
        ModelError: there is no such folder, or it holds no config.json.
    """
    if name == TINY_BASE:
        folder = Path(str(files("longloom.recipes"))) / "assets" / "tiny_base"
    else:
        folder = Path(name).expanduser()
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"model {name!r} is not a model folder ({folder} has no config.json); give "
            f"{TINY_BASE!r} or the path of a downloaded Hugging Face folder"
        )
    return folder
