"""Write the running text of XML elements into a document.

    prose = Prose(builder, replace=..., notice=...)
    for part in split_blocks(paragraph, {"list", "figure"}):
        ...  # a Run is written with prose.run(part); an element is rendered by its own rule

White space is collapsed across element borders, so that neither a space is lost nor two stand.
Nothing here calls itself: readers keep a list of what is still to be rendered.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from longloom.records import BlockKind
from longloom.synthesis.documents.building import DocumentBuilder, Span
from longloom.synthesis.documents.safe_xml import Element, local_name

Replace = Callable[[Element], str | None]
"""Gives the text shown in the place of an inline element; None to show what it holds."""
Notice = Callable[[Element, Span], None]
"""Is told where the text of an inline element stands."""


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of running text: leading text and inline elements with what follows them."""

    text: str
    """Text before the first element."""
    nodes: tuple[Element, ...]
    """Inline elements; each brings its tail."""

    @property
    def is_blank(self) -> bool:
        """Whether it shows nothing at all."""
        return not self.nodes and not self.text.strip()


def split_blocks(element: Element, breaks: Collection[str]) -> list[Run | Element]:
    """Split mixed content at the children that are blocks of their own; blank runs are left out."""
    parts: list[Run | Element] = []
    text, nodes = str(element.text or ""), list[Element]()
    for node in element:
        if local_name(node) not in breaks:
            nodes.append(node)
            continue
        parts += [Run(text, tuple(nodes)), node]
        text, nodes = str(node.tail or ""), []
    parts.append(Run(text, tuple(nodes)))
    return [part for part in parts if not (isinstance(part, Run) and part.is_blank)]


def inner_run(element: Element) -> Run:
    """Return everything an element holds as one run."""
    return Run(str(element.text or ""), tuple(element))


class Prose:
    """Writes headings, paragraphs and list lines, with white space collapsed."""

    def __init__(
        self,
        builder: DocumentBuilder,
        *,
        replace: Replace | None = None,
        notice: Notice | None = None,
    ) -> None:
        """Take the builder; `replace` and `notice` see every inline element."""
        self.builder = builder
        self._replace = replace or (lambda element: None)
        self._notice = notice
        self._is_space_due = False
        self._is_line_start = True
        self._is_in_lines = False
        self._last = ""

    def begin(self, kind: BlockKind, level: int = 0) -> None:
        """Open a block."""
        self.builder.begin(kind, level)
        self._start_line(in_lines=False)

    def line(self, prefix: str) -> None:
        """Go to the next line of a list; the first line opens the block."""
        if self._is_in_lines:
            self.builder.add("\n" + prefix)
        else:
            self.builder.begin(BlockKind.PARAGRAPH)
            self.builder.add(prefix)
        self._start_line(in_lines=True)

    def end(self) -> None:
        """Close the open block, if any."""
        self.builder.end()
        self._start_line(in_lines=False)

    def text(self, text: str) -> Span:
        """Write text and return where what it shows stands."""
        words = text.split()
        if not words:
            self._is_space_due = self._is_space_due or bool(text)
            return self.builder.position, self.builder.position
        if (self._is_space_due or text[0].isspace()) and not self._is_line_start:
            self.builder.add(" ")
        span = self.builder.add(" ".join(words))
        self._is_line_start = False
        self._is_space_due = text[-1].isspace()
        self._last = words[-1][-1]
        return span

    @property
    def last_character(self) -> str:
        """The character before the place of writing; a space at the start of a line."""
        return " " if self._is_space_due or self._is_line_start else self._last

    @property
    def is_open(self) -> bool:
        """Whether running text can be added to what stands last."""
        return not self._is_line_start

    def block(self, kind: BlockKind, text: str, level: int = 0) -> Span:
        """Write a whole block."""
        self.begin(kind, level)
        span = self.text(text)
        self.end()
        return span

    def run(self, run: Run) -> Span:
        """Write running text and return where it stands."""
        start: int | None = None
        end = self.builder.position
        for span in [self.text(run.text), *map(self._flow, run.nodes)]:
            if span[1] > span[0]:
                start, end = span[0] if start is None else start, span[1]
        return (end if start is None else start), end

    def _flow(self, element: Element) -> Span:
        """Write an inline element and its tail, without calling itself."""
        starts: list[int] = []
        first: int | None = None
        last = self.builder.position
        waiting: list[tuple[Element | str, bool]] = [
            (str(element.tail or ""), False),
            (element, False),
        ]
        while waiting:
            node, is_end = waiting.pop()
            if is_end:
                assert not isinstance(node, str)
                start = starts.pop()
                self._tell(node, start)
                continue
            if isinstance(node, str):
                span = self.text(node)
            else:
                shown = self._replace(node)
                starts.append(-1)
                waiting.append((node, True))
                if shown is None:
                    for inner in reversed(list(node)):
                        waiting += [(str(inner.tail or ""), False), (inner, False)]
                span = self.text(str(node.text or "") if shown is None else shown)
            if span[1] > span[0]:
                starts = [span[0] if start < 0 else start for start in starts]
                first, last = (span[0] if first is None else first), span[1]
        return (last if first is None else first), last

    def _tell(self, node: Element, start: int) -> None:
        if start >= 0 and self._notice is not None:
            self._notice(node, (start, self.builder.position))

    def _start_line(self, *, in_lines: bool) -> None:
        self._is_space_due = False
        self._is_line_start = True
        self._is_in_lines = in_lines


def verbatim_text(element: Element, replace: Replace) -> str:
    """Return the text of an element with its line breaks, for code and drawings."""
    pieces: list[str] = []
    waiting: list[Element | str] = [element]
    while waiting:
        node = waiting.pop()
        if isinstance(node, str):
            pieces.append(node)
            continue
        shown = None if node is element else replace(node)
        if node is not element:
            waiting.append(str(node.tail or ""))
        if shown is not None:
            pieces.append(shown)
            continue
        waiting.extend(reversed(list(node)))
        pieces.append(str(node.text or ""))
    lines = "".join(pieces).expandtabs(4).split("\n")
    shown_lines = [line.rstrip() for line in lines]
    margin = min((len(line) - len(line.lstrip()) for line in shown_lines if line), default=0)
    return "\n".join(line[margin:] for line in shown_lines).strip("\n")
