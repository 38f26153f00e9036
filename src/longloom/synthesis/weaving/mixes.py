"""How long contexts are: histograms of the papers' training sets.

The bins of 6,000 tokens were digitised from Fig. 3 of QwenLong-L1.5 (method.md, section 4.1).
"""

from collections.abc import Mapping
from random import Random

BIN_TOKENS = 6_000
"""Width of a bin."""

_QWENLONG_L15 = (
    2296, 1211, 1669, 2401, 694, 1141, 458, 533, 565, 293,
    227, 722, 297, 294, 265, 212, 181, 197, 449, 69,
)  # fmt: skip
_QWENLONG_L1 = (720, 418, 132, 85, 65, 57, 39, 29, 24, 22)

LENGTH_HISTOGRAMS: Mapping[str, tuple[int, ...]] = {
    "qwenlong-l15": _QWENLONG_L15,
    "docqa-rl": _QWENLONG_L1,
    "uniform": (1,) * 20,
}
"""Weight of each bin, shortest first, by the name of the mix."""


def draw_length(mix: str, rng: Random, *, min_tokens: int, max_tokens: int) -> int:
    """Return a length in tokens, drawn from the mix within the limits."""
    weights = LENGTH_HISTOGRAMS[mix]
    spans = []
    for place, weight in enumerate(weights):
        low = max(min_tokens, place * BIN_TOKENS)
        high = min(max_tokens, (place + 1) * BIN_TOKENS)
        if high > low:
            spans.append((low, high, weight * (high - low)))
    if not spans:
        return max_tokens
    low, high, _ = rng.choices(spans, weights=[span[2] for span in spans])[0]
    return rng.randint(low + 1, high)
