"""How much of a prompt is computed at once, so that running answers are not held up for long."""

_SECONDS_BESIDE_STREAMS = 0.15
"""What a piece may take while somebody watches an answer grow."""
_SECONDS_ALONE = 0.5
"""What it may take otherwise; a cancelled request is noticed between pieces."""
_FIRST_TOKENS = 128
"""Tokens of the first piece, by which the speed is learnt."""
_LEAST_TOKENS, _MOST_TOKENS = 16, 2_048
"""Smaller pieces waste time, larger ones memory."""
_NEWEST_WEIGHT = 0.5
"""Weight of the last piece in what is known of the speed."""


class Pace:
    """The speed at which prompts were computed, and what may be computed next."""

    def __init__(self) -> None:
        self._seconds_per_token: float | None = None

    def note(self, num_tokens: int, seconds: float) -> None:
        """Learn from a piece that took so long."""
        found = seconds / num_tokens
        before = found if self._seconds_per_token is None else self._seconds_per_token
        self._seconds_per_token = before + _NEWEST_WEIGHT * (found - before)

    def num_tokens(self, *, has_streams: bool) -> int:
        """Return the tokens of the next piece; fewer while answers are being written."""
        if not self._seconds_per_token:
            return _FIRST_TOKENS
        seconds = _SECONDS_BESIDE_STREAMS if has_streams else _SECONDS_ALONE
        wanted = int(seconds / self._seconds_per_token)
        return min(max(wanted, _LEAST_TOKENS), _MOST_TOKENS)
