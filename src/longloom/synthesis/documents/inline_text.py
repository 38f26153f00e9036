"""Text of inline markup: white space as a browser shows it, with the spans that are marked.

    inline = InlineText()
    inline.add("Revenue of ")
    inline.open("number", {"concept": "Revenues"})
    inline.add(" 12 ")
    inline.close()
    run = inline.finish()   # Run("Revenue of 12", [(11, 13, "number", ...)])

A run is made before it is placed in a document, since a table decides only at its end where its
cells stand.
"""

from dataclasses import dataclass, field

from longloom.synthesis.documents.building import DocumentBuilder, clean_text

_INVISIBLE = dict.fromkeys((0x00AD, 0x200B, 0x200C, 0x200E, 0x200F, 0x2060, 0xFEFF))
"""Soft hyphens, zero-width spaces and direction marks: never seen, so no part of the text."""

Span = tuple[int, int, str, dict[str, str]]
"""First character and one past the last within the run, mark name and its attributes."""


@dataclass(slots=True)
class Run:
    """Collapsed text with its marked spans."""

    text: str = ""
    """The text; neither begins nor ends with white space and has no line break."""
    spans: list[Span] = field(default_factory=list)
    """Spans in the order in which they ended."""

    def joined(self, other: "Run", between: str = "") -> "Run":
        """Return this run followed by another one."""
        shift = len(self.text) + len(between)
        moved = [
            (start + shift, end + shift, name, attributes)
            for start, end, name, attributes in other.spans
        ]
        return Run(self.text + between + other.text, self.spans + moved)

    def place(self, builder: DocumentBuilder) -> tuple[int, int]:
        """Append the run to the open block of a document, with its marks.

        Normalisation across two pieces can change the length of a text; its spans are then unsure
        and are left out.
        """
        start, end = builder.add(self.text)
        if self.spans and end - start == len(self.text):
            for first, last, name, attributes in self.spans:
                builder.mark(name, (start + first, start + last), **attributes)
        return start, end


class InlineText:
    """Collects the pieces of one run."""

    __slots__ = ("_length", "_open", "_pieces", "_separator", "_space", "_spans", "_unplaced")

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._length = 0
        self._space = False
        self._separator = ""
        self._open: list[tuple[str, dict[str, str], list[int]]] = []
        self._unplaced: list[list[int]] = []
        self._spans: list[Span] = []

    def __bool__(self) -> bool:
        return bool(self._length)

    def add(self, raw: str) -> None:
        """Append text; white space collapses as in a browser, no-break spaces included."""
        words = raw.split()
        if not words:
            self._space = True
            return
        piece = words[0] if len(words) == 1 else " ".join(words)
        if not piece.isascii():
            piece = clean_text(piece.translate(_INVISIBLE))
            if not piece:
                return
        elif "\0" in piece:
            piece = piece.replace("\0", "")
        if self._separator:
            self._place_separator(piece)
        if self._length and (self._space or raw[0].isspace()):
            self._pieces.append(" ")
            self._length += 1
        if self._unplaced:
            for place in self._unplaced:
                place.append(self._length)
            self._unplaced.clear()
        self._pieces.append(piece)
        self._length += len(piece)
        self._space = raw[-1].isspace()

    def separate(self, separator: str = "") -> None:
        """Part what comes from what was by white space, after `separator` where it reads well."""
        self._space = True
        if self._length:
            self._separator = separator or self._separator

    def open(self, name: str, attributes: dict[str, str]) -> None:
        """Begin a marked span; it starts at the first character that follows."""
        place: list[int] = []
        self._open.append((name, attributes, place))
        self._unplaced.append(place)

    def close(self) -> None:
        """End the marked span that was opened last; one without text leaves no trace."""
        name, attributes, place = self._open.pop()
        if place:
            self._spans.append((place[0], self._length, name, attributes))
            return
        self._unplaced = [one for one in self._unplaced if one is not place]

    def finish(self) -> Run:
        """Return the run, and begin a new one in which open spans go on."""
        run = Run("".join(self._pieces), self._spans)
        for name, attributes, place in self._open:
            if place:
                run.spans.append((place[0], self._length, name, attributes))
                place.clear()
                self._unplaced.append(place)
        self._pieces, self._length, self._space, self._spans = [], 0, False, []
        self._separator = ""
        return run

    def _place_separator(self, piece: str) -> None:
        if self._pieces[-1][-1].isalnum() and piece[0].isalnum():
            self._pieces.append(self._separator)
            self._length += len(self._separator)
        self._separator = ""
