"""Show a reply once, though the attempts at it may have been several.

An attempt that breaks off has shown some of its pieces, and what is shown cannot be taken back. The
next attempt is shown from where it goes beyond them, as long as it says the same (servers that obey
the seed do); where it says something else nothing more is shown, and the reply itself, which is
that of the last attempt, is what counts.
"""

from collections.abc import Callable

from longloom.models.endpoint.thinking import ThinkingDeltas
from longloom.records import Delta

OnDelta = Callable[[Delta], None]


class ShownReply:
    """What has been shown of one reply."""

    def __init__(self, on_delta: OnDelta) -> None:
        """Show pieces to `on_delta`."""
        self._on_delta = on_delta
        self._thinking = _ShownText()
        self._answer = _ShownText()

    def begin_attempt(self) -> None:
        """Expect the reply from its beginning."""
        self._thinking.begin_again()
        self._answer.begin_again()

    def show(self, delta: Delta) -> None:
        """Show what is new in the next piece."""
        shown = self._thinking if delta.is_reasoning else self._answer
        if text := shown.new_in(delta.text):
            self._on_delta(Delta(text=text, is_reasoning=delta.is_reasoning))


class _ShownText:
    """The pieces shown, and how far an attempt agrees with them."""

    def __init__(self) -> None:
        self._text = ""
        """What attempts before this one have shown."""
        self._beyond: list[str] = []
        """What this attempt has shown beyond it; joined when the next one begins."""
        self._place = 0
        self._is_same = True

    def begin_again(self) -> None:
        self._text += "".join(self._beyond)
        self._beyond.clear()
        self._place = 0
        self._is_same = True

    def new_in(self, piece: str) -> str:
        known = self._text[self._place : self._place + len(piece)]
        self._is_same = self._is_same and piece.startswith(known)
        if not self._is_same:
            return ""
        self._place += len(piece)
        new = piece[len(known) :]
        self._beyond.append(new)
        return new


class ShownAttempts:
    """Receivers for the attempts at one reply, one after the other."""

    def __init__(self, on_delta: OnDelta, *, is_thinking: bool) -> None:
        """Show pieces to `on_delta`; see `ThinkingDeltas` for `is_thinking`."""
        self._shown = ShownReply(on_delta)
        self._is_thinking = is_thinking
        self._deltas = ThinkingDeltas(is_thinking=is_thinking)

    def begin(self) -> OnDelta:
        """Return the receiver of the next attempt."""
        self._deltas = ThinkingDeltas(is_thinking=self._is_thinking)
        self._shown.begin_attempt()
        return self._receive

    def end(self) -> None:
        """Show what the last attempt held back."""
        self._show(self._deltas.end())

    def _receive(self, delta: Delta) -> None:
        self._show(self._deltas.add(delta))

    def _show(self, deltas: list[Delta]) -> None:
        for delta in deltas:
            self._shown.show(delta)
