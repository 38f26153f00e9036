"""Middle truncation: what a single pass over a document beyond the window gets to see.

QwenLong-L1.5, section 5.1: over-long inputs keep their head and their tail. It works on the
offsets of one tokenisation and never decodes token slices, which breaks characters that take
several tokens.
"""

from collections.abc import Sequence

from longloom.errors import ConfigError


def truncate_middle(text: str, offsets: Sequence[tuple[int, int]], max_tokens: int) -> str:
    """Return `text` with its middle cut out so that `max_tokens` tokens are left.

    Half the budget goes to the head, the rest to the tail (the larger half if it is odd). A text
    within the budget is returned as it is.

    Args:
        text: the whole text.
        offsets: half-open character span of each token, in order; gaps (white space that is no
            token) and equal spans (a character of several tokens) are allowed.
        max_tokens: at least 0. Fewer are kept only where a character of several tokens would be
            split.

    Raises:
        ConfigError: `max_tokens` is negative.
    """
    start, end = middle_span(text, offsets, max_tokens)
    return text[:start] + text[end:]


def middle_span(text: str, offsets: Sequence[tuple[int, int]], max_tokens: int) -> tuple[int, int]:
    """Return the half-open character span that `truncate_middle` removes; empty at the end if none.

    White space between tokens stays on the side of the head, so that words on both sides of the
    cut do not grow together.

    Raises:
        ConfigError: `max_tokens` is negative.
    """
    if max_tokens < 0:
        raise ConfigError(f"max_tokens is {max_tokens}; expected 0 or more")
    num_tokens = len(offsets)
    if num_tokens <= max_tokens:
        return len(text), len(text)
    if max_tokens == 0:
        return 0, len(text)
    head = max_tokens // 2
    tail = num_tokens - (max_tokens - head)
    while head > 0 and _is_inside_character(offsets, head):
        head -= 1
    while tail < num_tokens and _is_inside_character(offsets, tail):
        tail += 1
    start = offsets[head][0] if head else 0
    end = offsets[tail][0] if tail < num_tokens else len(text)
    return start, end


def _is_inside_character(offsets: Sequence[tuple[int, int]], token: int) -> bool:
    """Return whether the token before this one reaches beyond its start."""
    return offsets[token - 1][1] > offsets[token][0]
