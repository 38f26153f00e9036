"""Keep thinking apart from the answer, where a server leaves it in the text.

Servers without a parser for a model's thinking reply `<think>...</think>answer`, or without the
opening tag if the chat template writes it. The first closing tag ends the thinking.
"""

from longloom.records import Delta

_OPENING = "<think>"
_CLOSING = "</think>"


def split_thinking(text: str) -> tuple[str, str]:
    """Return thinking and answer; thinking that never ends leaves no answer."""
    thinking, closing, answer = text.partition(_CLOSING)
    if closing:
        return thinking.lstrip().removeprefix(_OPENING).strip(), answer.lstrip("\n")
    if text.lstrip().startswith(_OPENING):
        return text.lstrip().removeprefix(_OPENING).strip(), ""
    return "", text


class ThinkingDeltas:
    """Marks the pieces of a reply as thinking or answer while they come.

    Where a template opens the thinking, that is known only when it ends: such pieces have been
    shown as answer by then, unless `is_thinking` told so from the start.
    """

    def __init__(self, *, is_thinking: bool) -> None:
        """Say whether a reply begins with thinking whose opening tag is not sent."""
        self._is_thinking = is_thinking
        self._is_begun = is_thinking
        self._is_after_thinking = False
        self._held = ""

    def add(self, delta: Delta) -> list[Delta]:
        """Return what can be shown by now; a piece that may be half a tag is held back."""
        if delta.is_reasoning:
            return [delta]
        self._held += delta.text
        if not self._is_begun:
            begun = self._held.lstrip()
            if len(begun) < len(_OPENING) and _OPENING.startswith(begun):
                return []
            self._is_begun = True
            self._is_thinking = begun.startswith(_OPENING)
            if self._is_thinking:
                self._held = begun.removeprefix(_OPENING)
        return self._shown() if self._is_thinking else self._release(len(self._held))

    def end(self) -> list[Delta]:
        """Return what was held back."""
        return self._release(len(self._held))

    def _shown(self) -> list[Delta]:
        """Return pieces of thinking, and of the answer if the closing tag has come."""
        place = self._held.find(_CLOSING)
        if place < 0:
            return self._release(len(self._held) - _half_tag(self._held))
        thinking = self._release(place)
        self._held = self._held.removeprefix(_CLOSING)
        self._is_thinking = False
        self._is_after_thinking = True
        return thinking + self._release(len(self._held))

    def _release(self, num_characters: int) -> list[Delta]:
        text, self._held = self._held[:num_characters], self._held[num_characters:]
        if self._is_after_thinking:
            text = text.lstrip("\n")
            self._is_after_thinking = not text
        return [Delta(text=text, is_reasoning=self._is_thinking)] if text else []


def _half_tag(text: str) -> int:
    """Return how many characters at the end of `text` may begin the closing tag."""
    sizes = range(min(len(text), len(_CLOSING) - 1), 0, -1)
    return next((size for size in sizes if _CLOSING.startswith(text[-size:])), 0)
