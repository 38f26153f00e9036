"""Take the memory and the plan out of what a model wrote.

A memory is never replaced by nothing and never by reasoning text.
"""

from dataclasses import dataclass

from longloom.records import FinishReason
from longloom.text.prompts import EMPTY_MEMORY

COMPLETE = "COMPLETE"
"""The plan by which an update ends the reading, where the configuration allows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryState:
    """What the agent carries from section to section."""

    memory: str = EMPTY_MEMORY
    """Notes that must suffice to answer (m_t)."""
    plan: str = EMPTY_MEMORY
    """What to look for next (p_t)."""


def parse_update(
    response: str,
    *,
    previous: MemoryState,
    finish_reason: FinishReason,
    must_think: bool = False,
) -> MemoryState | None:
    """Return the state written in `response`, or None if it holds no usable memory.

    The last complete `<memory>...</memory>` after the thinking counts. An unclosed memory counts
    only if the model ended by itself: a cut one has lost its tail. A missing plan keeps the
    previous one.

    Args:
        response: what the model wrote.
        previous: the state before it.
        finish_reason: why it ended.
        must_think: whether a reply that was cut before any `</think>` is all thinking, as with
            models whose prompt opens it.
    """
    _, thought, visible = response.rpartition("</think>")
    if must_think and not thought and finish_reason is FinishReason.LENGTH:
        return None
    visible = visible.partition("<think>")[0]  # opened again, and never closed
    memory = _last_between(visible, "<memory>", "</memory>")
    if memory is None and finish_reason is FinishReason.STOP and "<memory>" in visible:
        memory = visible.rpartition("<memory>")[2].partition("<plan>")[0].strip()
    if not memory:
        return None
    plan = _last_between(visible, "<plan>", "</plan>") or previous.plan
    return MemoryState(memory=memory, plan=plan)


def is_complete(plan: str) -> bool:
    """Return whether a plan says that nothing is left to look for."""
    return plan.strip(" \n.!*\"'") == COMPLETE


def last_tagged(response: str, tag: str) -> str:
    """Return what stands in the last `<tag>...</tag>` after the thinking, or an empty string."""
    visible = response.rpartition("</think>")[2]
    return _last_between(visible, f"<{tag}>", f"</{tag}>") or ""


def _last_between(text: str, opening: str, closing: str) -> str | None:
    end = text.rfind(closing)
    start = text.rfind(opening, 0, end) if end >= 0 else -1
    return text[start + len(opening) : end].strip() if start >= 0 else None
