"""Draw the length of a context by the histogram of its mix."""

from random import Random

from longloom.synthesis.mixes import BIN_TOKENS, MIXES


def draw_length(mix: str, rng: Random, *, min_tokens: int, max_tokens: int) -> int:
    """Return a length in tokens, drawn from the mix within the limits."""
    spans = []
    for place, weight in enumerate(MIXES[mix].length_weights):
        low = max(min_tokens, place * BIN_TOKENS)
        high = min(max_tokens, (place + 1) * BIN_TOKENS)
        if high > low:
            spans.append((low, high, weight * (high - low)))
    if not spans:
        return max_tokens
    low, high, _ = rng.choices(spans, weights=[span[2] for span in spans])[0]
    return rng.randint(low + 1, high)
