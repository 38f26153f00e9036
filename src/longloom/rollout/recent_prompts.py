"""Tokens of recent prompts, so that the rollouts of a group tokenise their prompt once.

They share one tuple as well: a prompt of 120K tokens takes 4 MB as a tuple, and a group of eight
would hold eight of them through the whole step.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

MAX_TOKENS = 1 << 20
"""Tokens kept; agents of a group ask one after another, so the last prompts are enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenisedPrompt:
    """A prompt as text and as tokens."""

    text: str
    """What was tokenised."""
    ids: tuple[int, ...]
    """Its tokens."""


class RecentPrompts:
    """The last prompts that were made from a text (a message, or a context's id)."""

    def __init__(self, *, max_tokens: int = MAX_TOKENS) -> None:
        """Keep prompts of `max_tokens` in all, and the last one however long it is."""
        self._max_tokens = max_tokens
        self._num_tokens = 0
        self._prompt_by_source: OrderedDict[str, TokenisedPrompt] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, source: str, make: Callable[[], TokenisedPrompt]) -> TokenisedPrompt:
        """Return the prompt made from `source`, making it if it is not kept."""
        with self._lock:
            kept = self._prompt_by_source.get(source)
            if kept is not None:
                self._prompt_by_source.move_to_end(source)
                return kept
        made = make()
        with self._lock:
            kept = self._prompt_by_source.setdefault(source, made)  # another thread's, if it won
            if kept is made:
                self._num_tokens += len(made.ids)
            while self._num_tokens > self._max_tokens and len(self._prompt_by_source) > 1:
                _, dropped = self._prompt_by_source.popitem(last=False)
                self._num_tokens -= len(dropped.ids)
        return kept


_recent_by_tokenizer: WeakKeyDictionary[object, RecentPrompts] = WeakKeyDictionary()


def recent_prompts(tokenizer: object) -> RecentPrompts:
    """Return the recent prompts of a tokenizer; they are forgotten with it."""
    return _recent_by_tokenizer.setdefault(tokenizer, RecentPrompts())
