"""A model folder with a longer window, for programs that read it from config.json alone.

verl 0.9.1 cannot be told YaRN by a setting: its `override_config` sets attributes, and rotary
parameters are a mapping in transformers 5; the sampling servers read the folder themselves. So the
folder a stage starts from says it, and its weights are links to those of the original.
"""

import json
from pathlib import Path

from longloom.errors import ModelError
from longloom.models.folder import read_settings
from longloom.models.rotary import with_yarn
from longloom.models.yarn_config import YarnConfig
from longloom.runlog import atomic_folder

_CONFIG = "config.json"


def write_longer_folder(folder: Path, yarn: YarnConfig, target: Path) -> Path:
    """Write `target`: the model of `folder` under YaRN; return it.

    A finished one is left as it is.

    Raises:
        ModelError: the folder cannot be read or written, or YaRN does not fit the model.
    """
    if target.exists():
        return target
    settings = with_yarn(read_settings(folder), yarn)
    with atomic_folder(target, error_class=ModelError) as partial:
        (partial / _CONFIG).write_text(json.dumps(settings, indent=1), "utf-8")
        for path in folder.iterdir():
            if path.name != _CONFIG:
                (partial / path.name).symlink_to(path.resolve())
    return target
