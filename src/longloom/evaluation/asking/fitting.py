"""Bring a prompt to the length that a single pass may have: its middle is cut out.

QwenLong-L1.5, section 5.1: the whole prompt keeps its head and its tail, as in LongBench. A chat
whose messages are the context is first put on paper as one message.
"""

from dataclasses import dataclass

from longloom.evaluation.questions import Asked
from longloom.evaluation.truncation import token_starts, truncate_middle
from longloom.models.protocols import ChatSampler
from longloom.records import ChatMessage
from longloom.text.token_starts import TokenStarts

_MOST_CHARACTERS_PER_TOKEN = 8
"""Hardly any text has more; longer ones are taken to be too long before they are counted."""
_MAX_ROUNDS = 8
"""Both sides of a cut may be other tokens together than apart; a few rounds settle it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedPrompt:
    """What a single pass sends."""

    message: str
    """The user message."""
    history: tuple[ChatMessage, ...]
    """Messages ahead of it."""
    num_tokens: int | None
    """Tokens of the whole prompt before the cut, exact where the model's tokenizer is at hand; None
    if nobody counted them, because it surely fits."""
    is_cut: bool
    """Whether the middle was cut out."""


def fit_prompt(asked: Asked, chat: ChatSampler, max_prompt_tokens: int) -> FittedPrompt:
    """Return the prompt of a single pass with at most `max_prompt_tokens` tokens."""
    overhead_tokens = chat.num_prompt_tokens("")
    message, history = asked.message, asked.history
    texts = (message, *(turn.content for turn in history))
    most_tokens = sum(_most_tokens(text) + overhead_tokens for text in texts)
    if most_tokens <= max_prompt_tokens:
        return FittedPrompt(message=message, history=history, num_tokens=None, is_cut=False)
    num_history = sum(chat.tokens.count(turn.content) + overhead_tokens for turn in history)
    starts: TokenStarts | None = None
    if len(message) > _MOST_CHARACTERS_PER_TOKEN * max_prompt_tokens:
        # Where the tokens begin, which the cut needs, says how many there are.
        starts = token_starts(message, chat.tokens)
    num_message = chat.tokens.count(message) if starts is None else len(starts)
    num_tokens = overhead_tokens + num_history + num_message
    if num_tokens <= max_prompt_tokens:
        return FittedPrompt(message=message, history=history, num_tokens=num_tokens, is_cut=False)
    if asked.is_chat:
        message, history, num_history = f"{asked.context}\n\n{message}", (), 0
        starts = None
    if starts is None:
        starts = token_starts(message, chat.tokens)
    budget_tokens = max(0, max_prompt_tokens - overhead_tokens - num_history)
    kept_tokens = budget_tokens
    for _ in range(_MAX_ROUNDS):
        shorter = truncate_middle(message, starts, kept_tokens)
        excess_tokens = chat.tokens.count(shorter) - budget_tokens
        if excess_tokens <= 0 or kept_tokens == 0:
            break
        kept_tokens = max(0, kept_tokens - excess_tokens)
    return FittedPrompt(message=shorter, history=history, num_tokens=num_tokens, is_cut=True)


def _most_tokens(text: str) -> int:
    """Return the most tokens that byte-level tokenizers, and the estimate, make of a text."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
