"""End an answer before the first of several texts, while it is written."""

from collections.abc import Sequence


class StopTexts:
    """Ends an answer before a stop text, which is no part of it."""

    def __init__(self, stops: Sequence[str]) -> None:
        """Take texts that are not empty."""
        self._stops = tuple(stops)
        self._held = ""
        self.is_stopped = False

    def add(self, text: str) -> str:
        """Return what is certain to be part of the answer."""
        if self.is_stopped or not text:
            return ""
        if not self._stops:
            return text
        self._held += text
        places = [place for stop in self._stops if (place := self._held.find(stop)) >= 0]
        if places:
            self.is_stopped = True
            return self._held[: min(places)]
        num_shown = len(self._held) - _num_held(self._held, self._stops)
        shown, self._held = self._held[:num_shown], self._held[num_shown:]
        return shown

    def end(self) -> str:
        """Return what was held back, as no stop text came."""
        rest, self._held = self._held, ""
        return "" if self.is_stopped else rest


def _num_held(text: str, stops: Sequence[str]) -> int:
    """Return how many last characters of `text` may be the beginning of a stop text."""
    longest = max(len(stop) for stop in stops) - 1
    for num_held in range(min(longest, len(text)), 0, -1):
        if any(stop.startswith(text[-num_held:]) for stop in stops):
            return num_held
    return 0
