"""Find the model a recipe starts from."""

from importlib.resources import files
from pathlib import Path

from longloom.errors import ConfigError, ModelError
from longloom.runlog.digests import joined_digest, sampled_digest

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


def identity_of(folder: Path, yarn_factor: float | None = None) -> str:
    """Return a name for journals: of the folder, and a digest of settings and weights.

    2 MiB of each file of weights are read (see `sampled_digest`).

    Raises:
        DataError: a file cannot be read.
    """
    weights = sorted(folder.glob("*.safetensors"))
    digest = joined_digest(sampled_digest(path) for path in [folder / "config.json", *weights])
    return f"{folder.name}@{digest}" + (f"-yarn{yarn_factor:g}" if yarn_factor else "")


def check_yarn_factor(yarn_factor: float | None, model: str) -> None:
    """Refuse factors that mean nothing, before anything is loaded.

    Raises:
        ConfigError: the factor does not lengthen, or the model is an endpoint.
    """
    if yarn_factor is None:
        return
    if not 1 < yarn_factor < float("inf"):
        raise ConfigError(f"yarn_factor is {yarn_factor}; expected more than 1, as 4")
    if model.startswith(("http://", "https://")):
        raise ConfigError(
            f"yarn_factor is {yarn_factor:g}, but {model} is an endpoint; expected a model folder; "
            "set rotary scaling where the endpoint is served"
        )
