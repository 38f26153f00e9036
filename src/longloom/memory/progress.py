"""How far a reading is: sections read and left, time and tokens, over all its readers."""

from collections import deque

from longloom.records import TokenUsage

_NUM_RECENT_STEPS = 16


class Progress:
    """Numbers the sections of a reading and tells what is left of it."""

    def __init__(self, num_readers: int) -> None:
        """Begin for so many readers at the same time."""
        self._num_begun = 0
        self._left_by_reader = [0] * num_readers
        self._recent_seconds: deque[float] = deque(maxlen=_NUM_RECENT_STEPS)
        self.usage = TokenUsage()
        """What the whole reading has taken so far."""

    def begin_section(self) -> int:
        """Return the number of the section that is begun, from 1, in the order of beginning."""
        self._num_begun += 1
        return self._num_begun

    def set_left(self, reader: int, num_sections: int) -> None:
        """Tell how many sections a reader has not begun."""
        self._left_by_reader[reader] = num_sections

    def add_step(self, seconds: float, usage: TokenUsage) -> None:
        """Count a step that was taken; not one that came from the journal."""
        self._recent_seconds.append(seconds)
        self.usage += usage

    @property
    def num_sections(self) -> int:
        """Sections of the whole document, as far as it is known."""
        return self._num_begun + sum(self._left_by_reader)

    @property
    def seconds_left(self) -> float | None:
        """About how long the sections that are not begun take; None before the first step."""
        if not self._recent_seconds:
            return None
        mean = sum(self._recent_seconds) / len(self._recent_seconds)
        return mean * max(self._left_by_reader, default=0)
