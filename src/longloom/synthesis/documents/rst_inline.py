"""reStructuredText inside a paragraph: roles, references, emphasis and literals.

    Inline({}, {}).pieces("see :pep:`8`") -> Piece("see "), Piece("PEP 8", "8", "pep")

Every pattern is bounded in length, so that hostile markup costs linear time.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_MARKUP = re.compile(
    r"``(?P<literal>[^`\s](?:.{0,400}?[^\s])??)``(?!`)"
    r"|(?::(?P<role>[A-Za-z][\w:+.-]{0,40}):)?(?<![\w`])`(?P<text>[^`]{1,600})`(?P<link>__?(?!\w))?"
    r"|(?<![\w*\\])\*\*(?P<strong>[^*\s](?:[^*]{0,400}[^*\s])?)\*\*(?![\w*])"
    r"|(?<![\w*\\])\*(?P<emphasis>[^*\s](?:[^*]{0,400}[^*\s])?)\*(?![\w*])"
    r"|(?<![\w|])\|(?P<substitution>[^|\s][^|]{0,80})\|_{0,2}(?!\w)"
    r"|\[(?P<note>[#*]?[\w.-]{1,40})\]_(?!\w)"
    r"|(?<![\w`\\])(?P<name>[A-Za-z0-9][A-Za-z0-9.+-]{0,60})__?(?![\w`])"
    r"|\\(?P<escaped>.)",
    re.DOTALL,
)
_EMBEDDED = re.compile(r"(?s)(.{0,500}?)\s*<([^<>]{1,500})>\Z")


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of displayed text and what it refers to."""

    text: str
    """What is displayed."""
    target: str = ""
    """What it refers to: an address, a number, a name; empty for plain text."""
    role: str = ""
    """The role that was written: `pep`, `rfc`, `func`; empty for links."""


class Inline:
    """Renders inline markup with the targets and substitutions of one document."""

    def __init__(self, targets: Mapping[str, str], substitutions: Mapping[str, str]) -> None:
        """Take the addresses by lower-case name, and the replacement texts."""
        self._targets = targets
        self._substitutions = substitutions

    def pieces(self, text: str) -> Iterator[Piece]:
        """Yield what is displayed, in order."""
        last = 0
        for match in _MARKUP.finditer(text):
            piece = self._piece(match)
            if piece is None:
                continue
            if match.start() > last:
                yield Piece(text[last : match.start()])
            yield piece
            last = match.end()
        if last < len(text):
            yield Piece(text[last:])

    def plain(self, text: str) -> str:
        """Return the displayed text alone."""
        return "".join(piece.text for piece in self.pieces(text))

    def _piece(self, match: re.Match[str]) -> Piece | None:
        """Return what a match displays; nothing if it is no markup after all."""
        kind = match.lastgroup
        if kind in ("text", "link"):
            return self._interpreted(match["text"], match["role"] or "", bool(match["link"]))
        if kind == "substitution":
            name = match["substitution"]
            return Piece(self._substitutions[name]) if name in self._substitutions else None
        if kind == "note":
            return Piece(f"[{match['note'].lstrip('#') or '#'}]")
        if kind == "name":
            target = self._targets.get(match["name"].lower())
            return None if target is None else Piece(match["name"], target)
        if kind == "escaped":
            return Piece("" if match["escaped"].isspace() else match["escaped"])
        return Piece(match[kind]) if kind else None

    def _interpreted(self, text: str, role: str, is_link: bool) -> Piece:
        embedded = _EMBEDDED.match(text)
        shown, target = embedded.groups() if embedded else (text, text)
        if role:
            return _of_role(role, shown, target, titled=embedded is not None and bool(shown))
        if is_link:
            name = " ".join(shown.lower().split())
            return Piece(shown or target, target if embedded else self._targets.get(name, name))
        return Piece(text)


def _of_role(role: str, shown: str, target: str, titled: bool) -> Piece:
    name = role.rpartition(":")[2]
    if name in ("pep", "rfc"):
        number = target.partition("#")[0].strip()
        return Piece(shown if titled else f"{name.upper()} {number}", number, name)
    if not titled:
        shown, target = shown.removeprefix("!"), target.removeprefix("!")
        if shown.startswith("~"):
            target = target[1:]
            shown = target.rpartition(".")[2]
    return Piece(shown or target, target.lstrip("~!"), name)
