"""The model of `longloom read`, and the settings that suit its window.

A server is asked without loading torch.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from longloom.config import apply_overrides, parse_config
from longloom.errors import ConfigError
from longloom.memory import MemoryConfig
from longloom.models.endpoint.chat import open_endpoint_chat
from longloom.models.endpoint.config import EndpointConfig
from longloom.models.protocols import ChatSampler
from longloom.recipes.catalogue import load_config
from longloom.recipes.model_source import (
    TINY_BASE,
    check_yarn_factor,
    identity_of,
    resolve_model,
)
from longloom.recipes.run_config import RunConfig
from longloom.recipes.verbs.lengths import longest_stage
from longloom.rollout import TokenChat
from longloom.text.tokenizer import FolderTokenizer

SMALL_RECIPE = "tiny-cpu"
LARGE_RECIPE = "qwenlong-l15"
_SMALL_WINDOW_TOKENS = 4_096
_SMALL_WIDTH = 512
"""Model folders with a window or a hidden size below these are read with the small recipe: the full
wording would leave little of the window, and models that narrow follow no instructions."""
_WINDOW_PER_MEMORY = 8
_WINDOW_PER_SECTION = 2
_WINDOW_PER_ANSWER = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadModel:
    """The model that reads."""

    model: str = TINY_BASE
    """A model folder or `tiny-base`; not looked at where there is an endpoint."""
    endpoint: str | None = None
    """OpenAI-compatible address of a server."""
    model_name: str | None = None
    """The model's name at the server."""
    tokenizer: str | None = None
    """Folder with the tokenizer of the model at the server; without it tokens are estimated."""
    window_tokens: int | None = None
    """The window; the model's own if not given."""
    yarn_factor: float | None = None
    """Lengthens the window of a folder by YaRN."""

    def check(self) -> None:
        """Refuse what contradicts itself, before anything is read.

        Raises:
            ConfigError: two of the settings contradict each other.
        """
        if (self.endpoint is None) != (self.model_name is None):
            raise ConfigError(
                f"endpoint is {self.endpoint!r} and the model name {self.model_name!r}; expected "
                "both or neither (--endpoint URL --model-name NAME)"
            )
        if self.endpoint is None and self.tokenizer is not None:
            raise ConfigError(
                f"tokenizer is {self.tokenizer!r}, but a model folder has its own; leave it out or "
                "give an endpoint"
            )
        if self.window_tokens is not None and self.window_tokens < 1:
            raise ConfigError(f"window is {self.window_tokens} tokens; expected at least 1")
        check_yarn_factor(self.yarn_factor, self.endpoint or self.model)

    def connection(self, overrides: Sequence[str]) -> EndpointConfig | None:
        """Return how the server is asked; None for a model in this process.

        Args:
            overrides: changed settings of `EndpointConfig` as `a=b`.

        Raises:
            ConfigError: a setting is refused, or there is no server.
        """
        if self.endpoint is None:
            if overrides:
                raise ConfigError(
                    f"endpoint.{overrides[0]} is set, but no endpoint is given; give one or leave "
                    "the setting out"
                )
            return None
        plain = parse_config(EndpointConfig, {"url": self.endpoint, "model": self.model_name})
        return parse_config(EndpointConfig, apply_overrides(plain.model_dump(), overrides))

    def config(self, recipe: str | None, overrides: Sequence[str], seed: int | None) -> RunConfig:
        """Return the settings: of `recipe`, or of the one that suits the model's size.

        Raises:
            ConfigError: a setting is refused.
            EngineError: the device is not there.
            ModelError: there is no such model folder.
        """
        if recipe is None:
            # What is wrong with the settings is said before the model is looked for.
            small = load_config(SMALL_RECIPE, overrides=overrides, seed=seed)
            if self.endpoint is None:
                from longloom.engines.machine import resolve  # loads torch

                resolve(small.engine)
            recipe = SMALL_RECIPE if self._is_small() else LARGE_RECIPE
        return load_config(recipe, overrides=overrides, seed=seed)

    def _is_small(self) -> bool:
        if self.endpoint is not None:
            return False
        from longloom.models.folder import read_settings  # loads torch

        settings = read_settings(resolve_model(self.model))
        sizes = (
            (settings.get("max_position_embeddings"), _SMALL_WINDOW_TOKENS),
            (settings.get("hidden_size"), _SMALL_WIDTH),
        )
        return any(isinstance(size, int) and size < least for size, least in sizes)


@asynccontextmanager
async def open_read_model(
    model: ReadModel, config: RunConfig, connection: EndpointConfig | None
) -> AsyncIterator[ChatSampler]:
    """Open the model, and close it at the end.

    Raises:
        ConfigError: the window is refused, or the server does not say it.
        ModelError: the model cannot be loaded or reached.
    """
    if connection is None:
        yield _local_chat(model, config)
        return
    tokenizer = FolderTokenizer(Path(model.tokenizer).expanduser()) if model.tokenizer else None
    async with open_endpoint_chat(
        connection, window_tokens=model.window_tokens, tokenizer=tokenizer
    ) as chat:
        yield chat


def _local_chat(model: ReadModel, config: RunConfig) -> ChatSampler:
    from longloom.recipes.sampler_source import open_sampler  # loads torch

    folder = resolve_model(model.model)
    sampler = open_sampler(folder, yarn_factor=model.yarn_factor, config=config.engine)
    window = model.window_tokens
    if window is not None and window > sampler.window_tokens:
        raise ConfigError(
            f"window is {window} tokens; expected 1 to {sampler.window_tokens}, the model's own"
        )
    return TokenChat(sampler, name=identity_of(folder, model.yarn_factor))


def reading_memory(config: RunConfig, overrides: Sequence[str], window_tokens: int) -> MemoryConfig:
    """Return how the memory agent reads for a user.

    The answer is traced back, and a reply that cannot be used is asked for again, which training
    does not do. Where the window is smaller than those of the paper, sections take
    half of it, the memory an eighth, and thinking as much again, unless the settings say otherwise.
    """
    stated = {override.partition("=")[0] for override in overrides}
    memory = config.memory
    if "memory.citations" not in stated:
        memory = memory.replace(citations=True)
    if memory.wording == "compact":
        return memory
    for setting, value in (("num_repairs", 1), ("overflow", "compress")):
        if f"memory.{setting}" not in stated:
            memory = memory.replace(**{setting: value})
    for name, share in (("chunk", _WINDOW_PER_SECTION), ("memory", _WINDOW_PER_MEMORY)):
        most = max(1, window_tokens // share)
        setting = f"{name}_tokens"
        if f"memory.{setting}" not in stated:
            memory = memory.replace(**{setting: min(getattr(memory, setting), most)})
    if "memory.thinking_tokens" not in stated:
        memory = memory.replace(thinking_tokens=memory.memory_tokens)
    return memory


def answer_tokens(config: RunConfig, window_tokens: int) -> int:
    """Return the most tokens of an answer: those of training, at most a quarter of the window."""
    return min(
        longest_stage(config).max_response_tokens, max(1, window_tokens // _WINDOW_PER_ANSWER)
    )
