"""What calls have cost so far."""

from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class EndpointUsage:
    """Counters of one client; the cost line of a run."""

    num_calls: int = 0
    """Calls that were answered by the server."""
    num_cache_hits: int = 0
    """Replies from the cache, and requests that shared a call already on its way."""
    num_prompt_tokens: int = 0
    """As the server counts, over answered calls."""
    num_completion_tokens: int = 0
    """As the server counts, over answered calls."""
    num_retries: int = 0
    """Further attempts after a failure."""
    num_failures: int = 0
    """Requests given up: refused, or out of retries."""

    def cost_line(self) -> str:
        """Return the cost on one line."""
        return (
            f"{self.num_calls} calls, {self.num_prompt_tokens} prompt tokens, "
            f"{self.num_completion_tokens} completion tokens, {self.num_cache_hits} cache hits, "
            f"{self.num_retries} retries, {self.num_failures} failures"
        )
