"""Say how far a reading is: a line of reasoning, and a status that Open WebUI shows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from longloom.rollout import Event, EventKind
from longloom.serving.answer_parts import Part

_TURNS = (EventKind.STARTED, EventKind.ANSWER_STARTED)
_MOST_CHARS = 8_192
"""Of one piece: clients that read lines with aiohttp break off at one of 128 KiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What is shown of one event."""

    text: str
    """A piece of reasoning; may be empty."""
    status: Mapping[str, Any] | None
    """The `event` of the chunk."""
    is_turn: bool = False
    """Whether another phase begins: it is shown at once."""

    def joined(self, later: "Progress") -> "Progress":
        """Return both as one: all of the text, the later status."""
        return Progress(
            text=self.text + later.text,
            status=later.status or self.status,
            is_turn=self.is_turn or later.is_turn,
        )

    def as_parts(self) -> list[Part]:
        """Return the pieces of an answer that show it; the last of them has the status."""
        starts = range(0, max(1, len(self.text)), _MOST_CHARS)
        texts = [self.text[start : start + _MOST_CHARS] for start in starts]
        parts = [Part(delta={"reasoning_content": text} if text else {}) for text in texts]
        return [*parts[:-1], replace(parts[-1], event=self.status)]


def describe(event: Event, verbosity: str) -> Progress | None:
    """Return what is shown of `event`: nothing, a line, or the model's plan beneath it too."""
    if verbosity == "off":
        return None
    line = _line(event)
    if line is None:
        return None
    is_done = event.kind in (EventKind.ANSWER_STARTED, EventKind.ANSWERED)
    text = f"{line}\n"
    if verbosity == "plan" and event.plan and event.kind is EventKind.SECTION_READ:
        text += f"  plan: {' '.join(event.plan.split())}\n"
    status = {"type": "status", "data": {"description": line, "done": is_done}}
    return Progress(text=text, status=status, is_turn=event.kind in _TURNS)


def _line(event: Event) -> str | None:
    match event.kind:
        case EventKind.STARTED:
            return f"Reading {_thousands(event.num_tokens)} tokens in {event.num_sections} sections"
        case EventKind.SECTION_READ | EventKind.SECTION_FAILED:
            return _section_line(event)
        case EventKind.ANSWER_STARTED:
            return "All sections are read; answering"
    return None


def _section_line(event: Event) -> str:
    parts = [f"Section {event.section_index} of {event.num_sections}"]
    if event.is_resumed:
        parts.append("read before")
    if event.kind is EventKind.SECTION_FAILED:
        parts.append("no usable notes; the memory stays as it was")
    elif event.num_memory_tokens:
        parts.append(f"memory {_thousands(event.num_memory_tokens)} tokens")
    if event.seconds_left is not None and event.section_index < event.num_sections:
        parts.append(f"about {_duration(event.seconds_left)} left")
    return ", ".join(parts)


def _thousands(count: int) -> str:
    if count < 1_000:
        return str(count)
    return f"{count / 1_000:.1f}K" if count < 1_000_000 else f"{count / 1_000_000:.2f}M"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"
