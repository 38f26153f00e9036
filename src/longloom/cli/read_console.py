"""Show how far a reading is: bars on a terminal, plain lines elsewhere."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from longloom.cli.console import CONSOLE_WIDTH
from longloom.errors import DataError
from longloom.runlog.closing import ClosesOnExit

if TYPE_CHECKING:
    from rich.progress import TaskID

    from longloom.rollout import Event

_PLAN_CHARACTERS = 40
_NOTHING = "none"
"""What an empty plan reads."""


class ReadConsole(ClosesOnExit):
    """Shows the events of all questions (see `recipes.verbs.read.read_all`)."""

    def __init__(self, num_questions: int) -> None:
        """Show bars if somebody looks at a terminal."""
        self._view: _View = (
            _Bars(num_questions) if sys.stdout.isatty() else _Lines(is_numbered=num_questions > 1)
        )

    def close(self) -> None:
        """Take the bars away."""
        self._view.close()

    def on_message(self, message: str) -> None:
        """Print one line."""
        print(message, flush=True)

    def on_event(self, number: int, event: "Event") -> None:
        """Show an event of the question with this number, from 0."""
        self._view.show(number, event)


class _View(Protocol):
    """One of the two ways to show events."""

    def show(self, number: int, event: "Event") -> None:
        """Show an event of a question."""

    def close(self) -> None:
        """Take away what shall not stay."""


class _Lines:
    """A line for each section."""

    def __init__(self, *, is_numbered: bool) -> None:
        self._is_numbered = is_numbered
        self._num_resumed: dict[int, int] = {}

    def show(self, number: int, event: "Event") -> None:
        """Print a line where something is worth it."""
        prefix = f"question {number + 1}  " if self._is_numbered else ""
        if event.is_resumed:
            self._num_resumed[number] = self._num_resumed.get(number, 0) + 1
            return
        line = _line(event)
        if num_resumed := (line or _is_last(event)) and self._num_resumed.pop(number, 0):
            print(f"{prefix}sections read before: {num_resumed}", flush=True)
        if line:
            print(shortened(f"{prefix}{line}"), flush=True)

    def close(self) -> None:
        """Leave every line where it is."""


class _Bars:
    """A bar for each question."""

    def __init__(self, num_questions: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        # Questions and plans are somebody else's words: no markup is read in them.
        self._progress: Progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[note]}", markup=False),
            console=Console(stderr=True),
            transient=True,
        )
        self._tasks: list[TaskID] = [
            self._progress.add_task(
                f"question {number + 1}" if num_questions > 1 else "reading", total=None, note=""
            )
            for number in range(num_questions)
        ]
        self._progress.start()

    def show(self, number: int, event: "Event") -> None:
        """Move the bar of a question."""
        note = _note(event)
        if note is None:
            return
        num_done = event.section_index - (event.kind == "section_started")
        self._progress.update(
            self._tasks[number],
            total=event.num_sections or None,
            completed=num_done if event.section_index else None,
            note=note,
        )

    def close(self) -> None:
        """Wipe the bars."""
        self._progress.stop()


def questions_of(stated: list[str], file: Path | None) -> list[str]:
    """Return the questions of the command line, then those of a file, one a line.

    Raises:
        DataError: the file cannot be read, or there is no question at all.
    """
    questions = list(stated)
    if file is not None:
        try:
            lines = file.expanduser().read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise DataError(
                f"questions {str(file)!r} cannot be read ({reason}); expected a text file with a "
                "question on each line"
            ) from None
        questions += [line.strip() for line in lines if line.strip()]
    if not questions:
        raise DataError('no question given; expected -q "question", or --questions FILE')
    return questions


def duration(seconds: float) -> str:
    """Return a time for people: `40 s`, `4 min`, `2 h 5 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def shortened(line: str, width: int = CONSOLE_WIDTH) -> str:
    """Return a line that fits the console."""
    return line if len(line) <= width else f"{line[: width - 3]}..."


def _is_last(event: "Event") -> bool:
    """Return whether all sections are behind."""
    return event.kind in ("answer_started", "answered", "failed")


def _line(event: "Event") -> str:
    """Return the line of an event, or an empty one."""
    if event.kind == "started" and event.num_sections:
        return f"sections to read: {event.num_sections}"
    if event.kind in ("section_read", "section_failed"):
        return f"section {event.section_index} of {event.num_sections}  {_note(event)}"
    return ""


def _note(event: "Event") -> str | None:
    """Return what a section, or the end of all, came to; None if there is nothing new."""
    if event.kind == "section_started":
        return f"section {event.section_index} of {event.num_sections}"
    if event.kind == "answer_started" or (event.kind == "started" and not event.num_sections):
        return "answering"
    if event.kind not in ("section_read", "section_failed"):
        return None
    parts = [f"memory {event.num_memory_tokens} tokens"]
    if event.seconds_left is not None:
        parts.append(f"{duration(event.seconds_left)} left")
    if event.kind == "section_failed":
        parts.append("no usable update; the memory stays as it was")
    elif event.plan not in ("", _NOTHING):
        parts.append(f"plan: {shortened(' '.join(event.plan.split()), _PLAN_CHARACTERS)}")
    else:
        parts.append(shortened(" ".join(event.memory.split()), _PLAN_CHARACTERS))
    return "  ".join(parts)
