"""How long a section may be: what the window leaves beside question, memory and update.

Tokens are added up from parts that are known (the empty prompt, the memory, the section as it was
cut), so that a section is not tokenised a second time; only where the sum comes close to the window
is the whole prompt counted. It is always the section that gives way, never the memory.
"""

import threading
from collections.abc import Callable

from longloom.errors import ModelError
from longloom.memory.config import MemoryConfig
from longloom.memory.messages import Messages
from longloom.memory.parsing import MemoryState
from longloom.models.protocols import ChatSampler
from longloom.text.sections import Section, SectionCutter
from longloom.text.token_starts import TextTokens

SMALLEST_SECTION_TOKENS = 16
"""A reading in smaller steps would not end; a smaller `chunk_tokens` counts instead."""

_MARGIN_TOKENS = 32
"""The parts of a prompt take a few tokens more or fewer than each by itself."""

_ESTIMATE_FRACTION = 0.05
"""The room left where tokens are estimated: of all that is estimated."""


class TokenCounts:
    """Counts texts, and the last of them once: a memory often stays as it was. For any threads."""

    def __init__(self, tokens: TextTokens) -> None:
        """Count with `tokens`."""
        self.tokens = tokens
        self._count_by_text: dict[str, int] = {}
        self._lock = threading.Lock()

    def of(self, *texts: str) -> int:
        """Return the tokens of all `texts` together."""
        return sum(map(self._one, texts))

    def _one(self, text: str) -> int:
        with self._lock:
            if text not in self._count_by_text:
                while len(self._count_by_text) >= 4:  # memory and plan, before and after
                    del self._count_by_text[next(iter(self._count_by_text))]
                self._count_by_text[text] = self.tokens.count(text)
            return self._count_by_text[text]


class SectionBudget:
    """Cuts sections that fit the window together with everything else."""

    def __init__(self, config: MemoryConfig, *, sampler: ChatSampler, messages: Messages) -> None:
        """Measure the prompt of an update without memory and section, question included."""
        self._config = config
        self._sampler = sampler
        self._is_exact = sampler.tokens.is_exact
        empty = messages.update(MemoryState(memory="", plan=""), "", "")
        if config.num_repairs:
            asked_again = [messages.repair(empty, was_cut=was_cut) for was_cut in (False, True)]
            self._frame_tokens = max(map(sampler.num_prompt_tokens, asked_again))
        else:
            self._frame_tokens = sampler.num_prompt_tokens(empty)

    def section(
        self,
        cutter: SectionCutter,
        start: int,
        *,
        limit_tokens: int,
        state_tokens: int,
        message: Callable[[Section], str],
    ) -> Section:
        """Return the longest section at `start` that fits.

        Args:
            cutter: cuts the document.
            start: first character of the section.
            limit_tokens: most tokens of it, whatever the window.
            state_tokens: tokens of memory, plan and recalled notes.
            message: what will be asked about a section; filled only close to the window.

        Raises:
            ModelError: not even a small section fits.
        """
        window = self._sampler.window_tokens
        beside_tokens = self._frame_tokens + state_tokens + self._config.update_tokens
        safe = window - beside_tokens - self._margin(window - self._config.update_tokens)
        allowed = min(limit_tokens, window - beside_tokens if self._is_exact else safe)
        smallest = min(limit_tokens, SMALLEST_SECTION_TOKENS)
        while True:
            if allowed < smallest:
                raise ModelError(self._refusal(state_tokens, smallest))
            section = cutter.cut(start, allowed)
            if section.num_tokens <= safe or not self._is_exact:
                return section
            prompt_tokens = self._sampler.num_prompt_tokens(message(section))
            excess = prompt_tokens + self._config.update_tokens - window
            if excess <= 0:
                return section
            # Where every token of the section takes several in the prompt, half of it is enough.
            allowed = max(section.num_tokens - excess, section.num_tokens // 2)

    def _margin(self, counted_tokens: int) -> int:
        if self._is_exact:
            return _MARGIN_TOKENS
        return _MARGIN_TOKENS + int(max(0, counted_tokens) * _ESTIMATE_FRACTION)

    def _refusal(self, state_tokens: int, smallest_tokens: int) -> str:
        return (
            f"prompt and update do not fit the window of {self._sampler.window_tokens} tokens: "
            f"template and question take {self._frame_tokens}, memory and plan {state_tokens}, an "
            f"update up to {self._config.update_tokens} and a section at least {smallest_tokens}; "
            "lower memory.memory_tokens or memory.thinking_tokens, shorten the question, or use a "
            "larger window"
        )
