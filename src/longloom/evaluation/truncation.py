"""Middle truncation: what a single pass over a text beyond the window gets to see.

QwenLong-L1.5, section 5.1: over-long inputs keep their head and their tail, as in LongBench. It
works on where the tokens of one tokenisation begin and never decodes slices of tokens, which breaks
characters that take several.
"""

from collections.abc import Sequence

import numpy as np

from longloom.errors import ConfigError
from longloom.text.token_starts import TextTokens, TokenStarts


def truncate_middle(text: str, starts: Sequence[int] | TokenStarts, max_tokens: int) -> str:
    """Return `text` with its middle cut out so that `max_tokens` tokens are left.

    Half the budget goes to the head, the rest to the tail (the larger half if it is odd). A text
    within the budget is returned as it is.

    Args:
        text: the whole text.
        starts: first character of each token, in order; equal ones belong to one character.
        max_tokens: at least 0. Fewer are kept only where a character of several tokens would be
            split.

    Raises:
        ConfigError: `max_tokens` is negative.
    """
    start, end = middle_span(text, starts, max_tokens)
    return text[:start] + text[end:]


def middle_span(text: str, starts: Sequence[int] | TokenStarts, max_tokens: int) -> tuple[int, int]:
    """Return the half-open character span that `truncate_middle` removes; empty at the end if none.

    White space between tokens stays on the side of the head, so that words on both sides of the
    cut do not grow together.

    Raises:
        ConfigError: `max_tokens` is negative.
    """
    if max_tokens < 0:
        raise ConfigError(f"max_tokens is {max_tokens}; expected 0 or more")
    num_tokens = len(starts)
    if num_tokens <= max_tokens:
        return len(text), len(text)
    if max_tokens == 0:
        return 0, len(text)
    head = max_tokens // 2
    tail = num_tokens - (max_tokens - head)
    while head > 0 and starts[head] == starts[head - 1]:
        head -= 1
    while tail < num_tokens and starts[tail] == starts[tail - 1]:
        tail += 1
    start = int(starts[head]) if head else 0
    end = int(starts[tail]) if tail < num_tokens else len(text)
    return start, end


def token_starts(text: str, tokens: TextTokens) -> TokenStarts:
    """Return where all tokens of a text begin."""
    return np.concatenate([np.zeros(0, np.int64), *tokens.starts(text)])
