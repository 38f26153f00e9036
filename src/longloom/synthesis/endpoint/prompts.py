"""Fill the prompts of `prompts.yaml`, the one versioned file of synthesis prompts."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import yaml

from longloom.errors import ConfigError

# JSON examples in the prompts have braces too; only lower-case words in braces are slots.
_SLOT = re.compile(r"\{([a-z][a-z_]*)\}")


@cache
def load_prompts() -> Mapping[str, str]:
    """Return all prompts by name, and `version`."""
    text = files("longloom.synthesis.endpoint").joinpath("prompts.yaml").read_text("utf-8")
    loaded: dict[str, str] = yaml.safe_load(text)
    return loaded


def prompt_version() -> str:
    """Return the version of the prompt file; written beside what was made with it."""
    return load_prompts()["version"]


def fill_prompt(name: str, **slots: str) -> str:
    """Return prompt `name` with its slots filled; slot values are never scanned again.

    Raises:
        ConfigError: there is no such prompt, or a slot is missing or unknown.
    """
    prompts = load_prompts()
    if name not in prompts or name == "version":
        known = ", ".join(sorted(set(prompts) - {"version"}))
        raise ConfigError(f"prompt {name!r} is unknown; expected one of {known}")
    prompt = prompts[name]
    wanted = set(_SLOT.findall(prompt))
    if wanted != set(slots):
        raise ConfigError(f"prompt {name!r} needs slots {sorted(wanted)}, got {sorted(slots)}")
    return _SLOT.sub(lambda match: slots[match.group(1)], prompt)
