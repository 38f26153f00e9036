"""Fill the templates of the versioned prompt file `prompts.yaml`."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import yaml

from longloom.errors import ConfigError

_SLOT = re.compile(r"\{(\w+)\}")
_CLOSING = re.compile(r"</\w+>")

EMPTY_MEMORY = "none"
"""What a memory or plan reads before the first section."""


@cache
def load_templates() -> Mapping[str, str]:
    """Return all templates by name, and `version`."""
    text = files("longloom.text").joinpath("prompts.yaml").read_text("utf-8")
    loaded: dict[str, str] = yaml.safe_load(text)
    return loaded


def prompt_version() -> str:
    """Return the version of the prompt file; written into every record that used it."""
    return load_templates()["version"]


def fill_template(name: str, **slots: str) -> str:
    """Return template `name` with its slots filled.

    Slot values are never scanned again, so a document may contain `{question}`. A tag by which
    the template ends a part (`</text>`) is broken up in them, so that no document ends its frame.

    Raises:
        ConfigError: there is no such template, or a slot is missing or unknown.
    """
    templates = load_templates()
    if name not in templates or name == "version":
        known = ", ".join(sorted(set(templates) - {"version"}))
        raise ConfigError(f"prompt template {name!r} is unknown; expected one of {known}")
    template = templates[name]
    wanted = set(_SLOT.findall(template))
    if wanted != set(slots):
        raise ConfigError(f"template {name!r} needs slots {sorted(wanted)}, got {sorted(slots)}")
    kept = {slot: _within_frame(text, template) for slot, text in slots.items()}
    return _SLOT.sub(lambda match: kept[match.group(1)], template)


def split_template(name: str, slot: str, **slots: str) -> tuple[str, str]:
    """Return what template `name` says before and after one slot, its other slots filled.

    Raises:
        ConfigError: there is no such template, or a slot is missing, unknown or used twice.
    """
    parts = load_templates().get(name, "").split(f"{{{slot}}}")
    if len(parts) != 2:
        raise ConfigError(f"template {name!r} has {len(parts) - 1} slots {slot!r}; expected one")
    mark = "\0"
    before, _, after = fill_template(name, **{**slots, slot: mark}).partition(mark)
    return before, after


def _within_frame(text: str, template: str) -> str:
    """Return a text for a slot that ends no part of the template."""
    closing = re.compile("|".join(map(re.escape, sorted(set(_CLOSING.findall(template))))) or "$^")
    return closing.sub(_broken_tag, text)


def _broken_tag(match: re.Match[str]) -> str:
    return f"< {match[0][1:]}"


def single_pass_prompt(template: str, *, context: str, question: str) -> str:
    """Return the user message of a single-pass prompt."""
    return fill_template(template, context=context, question=question)
