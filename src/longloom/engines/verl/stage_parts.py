"""What a process of verl needs of a stage: its settings, examples and tokenizer, read once."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from longloom.engines.verl.stage_settings import VerlStageSettings, stage_settings_of
from longloom.errors import DataError
from longloom.memory import MemoryAgent
from longloom.records import Context, Example, Split
from longloom.rollout import Agent, SinglePassAgent
from longloom.synthesis.storage import read_examples
from longloom.text.tokenizer import FolderTokenizer


@dataclass(frozen=True, slots=True, kw_only=True)
class StageParts:
    """The parts of one stage."""

    settings: VerlStageSettings
    """What it was told."""
    example_by_id: Mapping[str, Example]
    """All examples of its folder, in order."""
    tokenizer: FolderTokenizer
    """Of the model it starts from."""
    agent: Agent
    """How the model answers."""

    @property
    def contexts(self) -> Mapping[str, Context]:
        """Their contexts by id; read when they are first asked for, and kept."""
        return _read_contexts(self.settings.examples)

    def example(self, example_id: str) -> Example:
        """Return an example.

        Raises:
            DataError: there is none of this id.
        """
        found = self.example_by_id.get(example_id)
        if found is None:
            raise DataError(
                f"example {example_id!r} is not among the {len(self.example_by_id)} of "
                f"{self.settings.examples}; expected the folder the run was started with"
            )
        return found

    def answer_text(self, response_ids: Sequence[int]) -> str:
        """Return the text of a response without its end token, as `rollout.TokenChat` does."""
        if response_ids and response_ids[-1] in self.tokenizer.end_ids:
            response_ids = response_ids[:-1]
        return self.tokenizer.decode(response_ids)

    def of_split(self, split: Split) -> list[Example]:
        """Return the examples of one split."""
        return [example for example in self.example_by_id.values() if example.split is split]


def stage_parts(section: Any) -> StageParts:
    """Return the parts of the stage that a section of verl's configuration describes.

    Args:
        section: the section, as verl has it or as plain values.

    Raises:
        ConfigError: a setting is refused.
        DataError: the examples cannot be read.
        ModelError: the model's tokenizer cannot be read.
    """
    from omegaconf import OmegaConf

    plain = OmegaConf.to_container(section, resolve=True) if OmegaConf.is_config(section) else None
    return _read_parts(json.dumps(plain if plain is not None else section, sort_keys=True))


@lru_cache(maxsize=2)
def _read_parts(section: str) -> StageParts:
    settings = stage_settings_of(json.loads(section))
    examples, _ = read_examples(Path(settings.examples))
    is_memory = settings.agent == "memory"
    return StageParts(
        settings=settings,
        example_by_id={example.example_id: example for example in examples},
        tokenizer=FolderTokenizer(Path(settings.model)),
        agent=MemoryAgent(settings.memory) if is_memory else SinglePassAgent(settings.template),
    )


@lru_cache(maxsize=2)
def _read_contexts(folder: str) -> Mapping[str, Context]:
    """Read contexts apart from examples: workers that score need none, and there are many."""
    return read_examples(Path(folder))[1]
