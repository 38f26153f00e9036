"""What a training reads, told apart by content: its examples and the model it starts from.

A resumed training must go on with both, and files at the same place may be others by then.
"""

from collections.abc import Mapping
from pathlib import Path

from longloom.errors import ConfigError
from longloom.recipes.stage_settings import StageSettings
from longloom.runlog import RunFolder, read_manifest
from longloom.runlog.digests import file_digest, joined_digest, sampled_digest
from longloom.synthesis.storage import CONTEXTS_FILE, EXAMPLES_FILE

_TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json",
)  # fmt: skip
_CONFIG_FILE = "config.json"


def input_digests(settings: StageSettings) -> dict[str, str]:
    """Return a digest of each thing that a training reads, by the name of its setting.

    Weights are read in part: see `sampled_digest`.

    Raises:
        DataError: a file is missing or cannot be read.
    """
    digests = {
        "examples": examples_digest(Path(settings.examples)),
        "model": model_digest(Path(settings.model)),
    }
    if settings.rows.validation_file:
        digests["rows.validation_file"] = file_digest(Path(settings.rows.validation_file))
    return digests


def model_digest(model: Path) -> str:
    """Return the digest of a model folder, its weights read in part.

    Raises:
        DataError: a file cannot be read.
    """
    weights = [sampled_digest(file) for file in sorted(model.glob("*.safetensors"))]
    described = _digests_of_present(model, (_CONFIG_FILE,))
    return joined_digest([*described, tokenizer_digest(model), *weights])


def examples_digest(source: Path) -> str:
    """Return the digest of a file of rows, or of the examples and contexts of a folder.

    Raises:
        DataError: a file is missing or cannot be read.
    """
    if source.is_file():
        return file_digest(source)
    return joined_digest(file_digest(source / name) for name in (EXAMPLES_FILE, CONTEXTS_FILE))


def tokenizer_digest(model: Path) -> str:
    """Return the digest of the files that make tokens of a chat.

    Raises:
        DataError: one cannot be read.
    """
    return joined_digest(_digests_of_present(model, _TOKENIZER_FILES))


def check_inputs(folder: RunFolder, settings: StageSettings, found: Mapping[str, str]) -> None:
    """Refuse to go on with other examples or from another model than a training began with.

    Args:
        folder: a run folder with a run.yaml.
        settings: say where the inputs are.
        found: their digests, see `input_digests`.

    Raises:
        ConfigError: one has changed.
        DataError: run.yaml is damaged.
    """
    begun_with = read_manifest(folder.run_file).inputs
    changed = [name for name, digest in begun_with.items() if found.get(name) != digest]
    if changed:
        places = {
            "examples": settings.examples,
            "model": settings.model,
            "rows.validation_file": settings.rows.validation_file,
        }
        named = " and ".join(f"{name} ({places.get(name, '')})" for name in changed)
        raise ConfigError(
            f"run folder {folder.path} holds a training on other content of {named}: it was "
            "changed since; put it back as it was, choose another folder, or start it again with "
            "--fresh"
        )


def _digests_of_present(folder: Path, names: tuple[str, ...]) -> list[str]:
    """Return the digests of files with their names; those that are absent count as such."""
    return [
        f"{name} {file_digest(folder / name) if (folder / name).is_file() else ''}"
        for name in names
    ]
