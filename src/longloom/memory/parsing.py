"""Take the memory and the plan out of what a model wrote.

A memory is never replaced by nothing and never by reasoning text.
"""

from dataclasses import dataclass

from longloom.records import FinishReason
from longloom.text.prompts import EMPTY_MEMORY


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryState:
    """What the agent carries from section to section."""

    memory: str = EMPTY_MEMORY
    """Notes that must suffice to answer (m_t)."""
    plan: str = EMPTY_MEMORY
    """What to look for next (p_t)."""


def parse_update(
    response: str, *, previous: MemoryState, finish_reason: FinishReason
) -> MemoryState | None:
    """Return the state written in `response`, or None if it holds no usable memory.

    The last complete `<memory>...</memory>` after the thinking counts. An unclosed memory counts
    only if the model ended by itself: a cut one has lost its tail. A missing plan keeps the
    previous one.
    """
    visible = response.rpartition("</think>")[2]
    memory = _last_between(visible, "<memory>", "</memory>")
    if memory is None and finish_reason is FinishReason.STOP and "<memory>" in visible:
        memory = visible.rpartition("<memory>")[2].partition("<plan>")[0].strip()
    if not memory:
        return None
    plan = _last_between(visible, "<plan>", "</plan>")
    return MemoryState(memory=memory, plan=plan or previous.plan)


def _last_between(text: str, opening: str, closing: str) -> str | None:
    end = text.rfind(closing)
    start = text.rfind(opening, 0, end) if end >= 0 else -1
    return text[start + len(opening) : end].strip() if start >= 0 else None
