"""Cut a text into sections by tokens, at the best boundaries, without losing a character.

    text -> blocks of token starts, as far as needed -> the section that begins at a character

It works on one tokenisation of the whole text and never decodes token slices, which breaks
characters that take several tokens. The sections' texts joined give the text back. Where a section
ends depends on the text up to a token after its budget alone, so a text that grows keeps its
sections, but for the last.

What it leaves out: a section that is tokenised alone may differ by a few tokens from its share of
the whole tokenisation, because a tokenizer may merge across a boundary.
"""

import re
import sys
import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from weakref import WeakValueDictionary

from longloom.errors import ConfigError, DataError
from longloom.text.growing_starts import GrowingStarts
from longloom.text.token_starts import BLOCK_CHARS, TextTokens

# The last of its kind: `.*` takes all and gives back, skipping fast to the character that follows.
_PARAGRAPH = re.compile(r"(?s:.*)\n[^\S\n]*\n")
_CLOSERS = r"[\"')\]}\u201d\u2019\u300d\u300f\uff09]*"
_SENTENCE_BY_STOP = {
    **{stop: re.compile(rf"(?s:.*)\{stop}{_CLOSERS}(?=\s)") for stop in ".!?\u2026"},
    **{stop: re.compile(rf"(?s:.*){stop}{_CLOSERS}") for stop in "\u3002\uff01\uff1f"},
}
_USUAL_FILL = 0.95
_MAX_CHAIN = 5_000
_MAX_CHAINS = 2
_MAX_WALK = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A piece of a text; the pieces in order are the whole text."""

    start: int
    """First character."""
    end: int
    """One past the last character."""
    num_tokens: int
    """Tokens of the whole tokenisation that begin in it."""


class SectionCutter:
    """Cuts one text. Several agents and threads may share it."""

    def __init__(self, text: str, tokens: TextTokens) -> None:
        """Take the text and what measures it; nothing is tokenised yet."""
        self._text = text
        self._starts = GrowingStarts(text, tokens)
        self._chains: dict[int, list[int]] = {}
        self._num_cut_tokens, self._num_budget_tokens = 0, 0

    @property
    def num_tokens(self) -> int | None:
        """Tokens of the text; None until all of it is tokenised."""
        return self._starts.num_known if self._starts.is_complete else None

    @property
    def is_broken(self) -> bool:
        """Whether tokenising failed; it does not try again."""
        return self._starts.failure is not None

    def cut(self, start: int, max_tokens: int) -> Section:
        """Return the section that begins at character `start`.

        It has at most `max_tokens` tokens and ends after the last paragraph break in the second
        half of its budget, else after the last line break there, else after a sentence, else
        between any two tokens. The first half is left alone so that sections are at most twice as
        many as the fewest possible. White space between tokens stays with the section before it.
        QwenLong-L1.5, section 4.1 reads such sections one by one; it does not say where they end.

        Raises:
            ConfigError: `max_tokens` is below 1, or below the tokens of the character at `start`.
            DataError: `start` is no character of the text, or the tokens are not those of the text.
        """
        if max_tokens < 1:
            raise ConfigError(f"max_tokens is {max_tokens}; a section needs at least 1 token")
        if not 0 <= start < len(self._text):
            raise DataError(
                f"a section cannot begin at character {start} of a text of {len(self._text)}"
            )
        first = self._starts.rank(start)
        latest = self._starts.at(first + max_tokens)
        if latest is None:
            num_left = self._starts.num_known - first
            return Section(start=start, end=len(self._text), num_tokens=num_left)
        if latest <= start:
            raise ConfigError(
                f"max_tokens is {max_tokens}, but the character at {start} alone takes more "
                "tokens; raise max_tokens"
            )
        # An end after the token before the half leaves half of the budget in the section.
        before_half = self._starts.at(first + (max_tokens + 1) // 2 - 1)
        assert before_half is not None, "it comes before `latest`"
        end = self._to_token(_boundary(self._text, before_half, latest))
        num_tokens = self._starts.rank(end) - first
        self._num_cut_tokens += num_tokens
        self._num_budget_tokens += max_tokens
        return Section(start=start, end=end, num_tokens=num_tokens)

    def sections(self, max_tokens: int) -> Iterator[Section]:
        """Yield the sections of the whole text in order; an empty text has none.

        Raises:
            ConfigError, DataError: as for `cut`.
        """
        start = 0
        while start < len(self._text):
            section = self.cut(start, max_tokens)
            yield section
            start = section.end

    def sections_left(self, start: int, max_tokens: int) -> int:
        """Return about how many sections follow from character `start` on.

        Exact once all of the text is tokenised, for the first two budgets that are asked about; a
        start that no section of the whole text has may cost a section or so. Above 5,000 sections,
        and for other budgets, it stays an estimate by the tokens.
        """
        if start >= len(self._text):
            return 0
        # A short text is tokenised at once, of a long one the first block.
        self._starts.at(sys.maxsize if len(self._text) <= BLOCK_CHARS else 0)
        estimate = self._estimated_left(start, max_tokens)
        chain = self._chain(max_tokens, estimate)
        if chain is None:
            return estimate
        for num_walked in range(_MAX_WALK):
            if start >= len(self._text):
                return num_walked
            place = bisect_left(chain, start)
            if place < len(chain) and chain[place] == start:
                return num_walked + len(chain) - place
            start = self.cut(start, max_tokens).end
        return _MAX_WALK + len(chain) - bisect_left(chain, start)

    def _to_token(self, position: int) -> int:
        """Return the next token's start if only white space lies between, else `position`."""
        next_start = self._starts.at(self._starts.rank(position))
        if next_start is not None and self._text[position:next_start].isspace():
            return next_start
        return position

    def _estimated_left(self, start: int, max_tokens: int) -> int:
        starts = self._starts
        fill = _USUAL_FILL
        if self._num_budget_tokens:
            fill = self._num_cut_tokens / self._num_budget_tokens
        chars_per_token = starts.num_known_chars / max(1, starts.num_known) or 1.0
        unknown_chars = len(self._text) - max(start, starts.num_known_chars)
        known = starts.num_known - starts.known_rank(start)
        num_left = known + unknown_chars / chars_per_token
        if num_left <= max_tokens:
            return 1
        return max(1, round(num_left / (max_tokens * fill)))

    def _chain(self, max_tokens: int, estimate: int) -> list[int] | None:
        """Return where the sections of the whole text begin, if that is cheap to tell."""
        if not self._starts.is_complete:
            return None
        chain = self._chains.get(max_tokens)
        num_expected = self._starts.num_known / max_tokens
        if chain is None and len(self._chains) < _MAX_CHAINS and num_expected <= _MAX_CHAIN:
            chain = [section.start for section in self.sections(max_tokens)]
            self._chains[max_tokens] = chain
        return chain


def _boundary(text: str, after: int, latest: int) -> int:
    """Return the best place to cut in (after, latest]; see `SectionCutter.cut`."""
    line_break = text.rfind("\n", after, latest)
    if line_break >= 0:
        paragraph = _PARAGRAPH.match(text, max(after - 1, 0), latest)
        return paragraph.end() if paragraph else line_break + 1
    best = -1
    shown = latest + text[latest : latest + 1].isspace()  # a full stop needs its white space
    for stop, sentence in _SENTENCE_BY_STOP.items():
        if text.rfind(stop, max(after, best), latest) >= 0:  # far faster than the pattern
            match = sentence.match(text, max(after, best), shown)
            best = match.end() if match else best
    return best if best >= 0 else latest


_MAX_KEPT = 8
_MAX_KEPT_CHARS = 8_000_000

_in_use: WeakValueDictionary[tuple[TextTokens, str], SectionCutter] = WeakValueDictionary()
_recent: OrderedDict[tuple[TextTokens, str], SectionCutter] = OrderedDict()
_lock = threading.Lock()


def section_cutter(text: str, tokens: TextTokens) -> SectionCutter:
    """Return the cutter of `text`, the same for all who use it at one time.

    The rollouts of a group read one document: it is tokenised once. A few recent cutters of texts
    that are not huge stay for those who come later.
    """
    key = (tokens, text)
    with _lock:
        cutter = _in_use.get(key)
        if cutter is None or cutter.is_broken:
            cutter = SectionCutter(text, tokens)
            _in_use[key] = cutter
        _recent[key] = cutter
        _recent.move_to_end(key)
        while len(_recent) > _MAX_KEPT or sum(len(kept) for _, kept in _recent) > _MAX_KEPT_CHARS:
            _recent.popitem(last=False)  # a huge one is shared as long as somebody holds it
    return cutter
