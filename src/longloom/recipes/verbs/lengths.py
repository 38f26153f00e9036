"""Lengths that the verbs take from a recipe, and whether they fit a model's window."""

from collections.abc import Callable

from longloom.errors import ConfigError
from longloom.memory import MemoryConfig
from longloom.recipes.run_config import RunConfig
from longloom.text.prompts import fill_template
from longloom.text.tokenizer import Tokenizer
from longloom.training.stage import TrainingConfig


def longest_stage(config: RunConfig) -> TrainingConfig:
    """Return the full-context stage with the longest prompts.

    Raises:
        ConfigError: the recipe has no such stage.
    """
    found = [
        stage.training
        for stage in config.stages
        if stage.kind == "full_context" and stage.training is not None
    ]
    if not found:
        raise ConfigError(f"recipe {config.recipe!r} has no full_context stage; take another one")
    return max(found, key=lambda training: training.max_prompt_tokens)


def prompt_tokens(tokenizer: Tokenizer, message: str) -> int:
    """Return the tokens of a prompt that holds one user message."""
    return len(tokenizer.encode(tokenizer.render_chat([{"role": "user", "content": message}])))


def check_prompt_fits(max_prompt_tokens: int, max_response_tokens: int, window_tokens: int) -> None:
    """Refuse prompts whose answer would not fit behind them.

    Raises:
        ConfigError: prompt and answer exceed the window.
    """
    if max_prompt_tokens + max_response_tokens > window_tokens:
        raise ConfigError(
            f"max_prompt_tokens is {max_prompt_tokens} and max_response_tokens is "
            f"{max_response_tokens}, but the model's window is {window_tokens} tokens; lower one "
            "of them"
        )


def check_sections_fit(
    memory: MemoryConfig,
    num_prompt_tokens: Callable[[str], int],
    question: str,
    window_tokens: int,
) -> None:
    """Refuse sections that would not fit the window with the memory and its update.

    Args:
        memory: the sizes.
        num_prompt_tokens: counts the tokens of the prompt of one message.
        question: the question.
        window_tokens: the model's window.

    Raises:
        ConfigError: an update exceeds the window.
    """
    form = "memory_update_compact" if memory.wording == "compact" else "memory_update"
    empty = fill_template(form, question=question, memory="", plan="", section="")
    template_tokens = num_prompt_tokens(empty)
    # The earlier memory stands in the prompt, the new one is written after it.
    written = memory.memory_tokens + memory.update_tokens
    needed = template_tokens + memory.chunk_tokens + written
    if needed > window_tokens:
        thinking = ""
        if memory.thinking_tokens:
            thinking = f", memory.thinking_tokens={memory.thinking_tokens}"
        raise ConfigError(
            f"one section takes up to {needed} tokens (template and question {template_tokens}, "
            f"memory.chunk_tokens={memory.chunk_tokens}, twice memory.memory_tokens="
            f"{memory.memory_tokens}{thinking}), but the window is {window_tokens}; lower "
            "memory.chunk_tokens or use a larger window"
        )
