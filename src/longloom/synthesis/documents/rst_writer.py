"""The blocks of reStructuredText: lines in, blocks and marks out.

Nesting is followed to a fixed depth; below it lines are plain paragraphs. Every line is looked at
once per level, so the work is linear in the text.
"""

import re
from collections.abc import Sequence

from longloom.records import BlockKind
from longloom.synthesis.documents.building import DocumentBuilder
from longloom.synthesis.documents.rst_inline import Inline
from longloom.synthesis.documents.rst_tables import (
    GRID_BORDER,
    SIMPLE_BORDER,
    Table,
    csv_table,
    grid_table,
    list_table,
    options,
    simple_table,
)

DIRECTIVE = re.compile(r"\.\. (?:\|([^|]{1,80})\| )?([A-Za-z][\w:.+-]{0,40}?)::(?: +(.*)|)\Z")
TARGET = re.compile(r"\.\. _(`[^`]{1,300}`|[^:`]{1,300}):(?: +(.*)|)\Z")
_FOOTNOTE = re.compile(r"\.\. \[([^\]]{1,60})\](?: +(.*)|)\Z")
_FIELD = re.compile(r":([A-Za-z][^:`]{0,60}):(?:\s+(.*)|)\Z")
_MARKER = re.compile(
    r"(?:[-*+\u2022](?: +|\Z)|\(?(?:\d{1,4}|#|[A-Za-z]|[ivxlcIVXLC]{1,7})[.)] +(?=\S))"
)
_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1*\s*\Z")
_CODE = re.compile(
    r"code|code-block|sourcecode|parsed-literal|productionlist|math|doctest|testcode|literal"
    r"|prompt|ipython"
)
_LEFT_OUT = re.compile(
    r"auto\w+|canonical-.*|contents|currentmodule|default-role|digraph|footer|graphviz|header"
    r"|highlight|image|include|index|literalinclude|meta|module|moduleauthor|raw|role|sectionauthor"
    r"|sectnum|tabularcolumns|target-notes|testcleanup|testsetup|toctree"
)
_TITLED = re.compile(
    r"attention|caution|danger|deprecated|error|hint|important|note|rejected|seealso|superseded"
    r"|tip|versionadded|versionchanged|warning|withdrawn"
)
_NOT_SHOWN = re.compile(r"class|container|figure|highlights|only|table")
_MAX_DEPTH = 12
_MAX_LIST_CHARS = 3000

Lines = Sequence[str]


class RstWriter:
    """Writes the lines of a document as blocks."""

    def __init__(self, builder: DocumentBuilder, inline: Inline) -> None:
        """Take where blocks go and how inline markup is shown."""
        self._builder = builder
        self._inline = inline
        self._adornments: list[str] = []
        self._heading = ""
        self._lead = ""
        self._list_start = -1

    def write_header(self, header: Sequence[tuple[str, str]]) -> None:
        """Write the header as one block, a line a field."""
        if not header:
            return
        self._builder.begin(BlockKind.PARAGRAPH)
        for place, (name, value) in enumerate(header):
            self._builder.add(f"{chr(10) if place else ''}{name}:{' ' if value else ''}")
            start = self._builder.position
            self._add_inline(value)
            if value:
                self._builder.mark("header", (start, self._builder.position), name=name.lower())
        self._builder.end()

    def write(self, lines: Lines, depth: int = 0) -> None:
        """Write a run of lines; `depth` counts how deep it is nested."""
        if depth > _MAX_DEPTH:
            self._paragraph([line for line in lines if line.strip()])
            return
        place = 0
        while place < len(lines):
            place = self._step(lines, place, depth) if lines[place].strip() else place + 1

    def _step(self, lines: Lines, place: int, depth: int) -> int:
        """Write what begins on a line that is not blank; return the line after it."""
        line = lines[place]
        if line[0] == " ":
            body, end = _indented(lines, place)
            self.write(body, depth + 1)
            return end
        if line.startswith((".. ", "__ ")) or line in ("..", "__"):
            return self._explicit(lines, place, depth)
        if GRID_BORDER.match(line):
            return self._grid(lines, place)
        if SIMPLE_BORDER.match(line) and (end := _simple_end(lines, place)):
            self._table(simple_table(lines[place:end]), self._heading)
            return end
        if after := self._section(lines, place, depth):
            return after
        if line.startswith(">>> "):
            end = _paragraph_end(lines, place)
            self._code(lines[place:end])
            return end
        if (marker := _MARKER.match(line)) and _is_entry(lines, place):
            shown = re.sub(r"[*+\u2022]", "-", marker[0].strip())
            lead = f"{'  ' * min(depth, 3)}{shown} "
            return self._nested(lines, place, lead, line[marker.end() :], depth)
        if field := _FIELD.match(line):
            return self._nested(lines, place, f"{field[1]}: ", field[2] or "", depth)
        return self._text(lines, place, depth)

    def _nested(self, lines: Lines, place: int, lead: str, first: str, depth: int) -> int:
        """Write a first line and the indented lines below it, led by a marker.

        Entries of one paragraph each follow each other in one block.
        """
        body, end = _indented(lines, place + 1)
        self._lead = lead
        self.write([first, *body], depth + 1)
        self._lead = ""
        return end

    def _section(self, lines: Lines, place: int, depth: int) -> int:
        """Write a heading if one begins here; return the line after it, else 0."""
        line = lines[place]
        below = lines[place + 1] if place + 1 < len(lines) else ""
        if _ADORNMENT.match(line) and len(line) >= 4:
            under = lines[place + 2] if place + 2 < len(lines) else ""
            if below.strip() and under == line:
                return self._heading_line(below.strip(), line[0] * 2, place + 3, depth)
            return place + 1
        if not _ADORNMENT.match(below) or len(below) < max(2, min(len(line), 4)):
            return 0
        return self._heading_line(line, below[0], place + 2, depth)

    def _heading_line(self, title: str, adornment: str, after: int, depth: int) -> int:
        if adornment not in self._adornments:
            self._adornments.append(adornment)
        self._heading = self._inline.plain(title)
        level = self._adornments.index(adornment) + 1
        self._begin(BlockKind.PARAGRAPH if depth else BlockKind.HEADING, 0 if depth else level)
        self._add_inline(title)
        self._builder.end()
        return after

    def _text(self, lines: Lines, place: int, depth: int) -> int:
        """Write a paragraph, a line block or a term with its definition."""
        line = lines[place]
        below = lines[place + 1] if place + 1 < len(lines) else ""
        is_term = below.startswith(" ") and below.strip() and not line.startswith("|")
        if not is_term:
            end = _paragraph_end(lines, place)
            self._paragraph(lines[place:end])
            return self._literal(lines, end) if lines[end - 1].endswith("::") else end
        body, end = _indented(lines, place + 1)
        self._paragraph([line])
        if line.endswith("::"):
            self._code(body)
            return end
        self._list_start = self._builder.position
        self._lead = "    "
        self.write(body, depth + 1)
        self._lead = ""
        return end

    def _literal(self, lines: Lines, place: int) -> int:
        """Write the literal block after `::`: indented, or quoted line by line."""
        while place < len(lines) and not lines[place].strip():
            place += 1
        if place == len(lines):
            return place
        if lines[place].startswith(" "):
            body, end = _indented(lines, place)
        elif lines[place][0] in ">|#%$" and lines[place][1:2] in ("", " "):
            end = _paragraph_end(lines, place)
            body = list(lines[place:end])
        else:
            return place
        self._code(body)
        return end

    def _explicit(self, lines: Lines, place: int, depth: int) -> int:
        """Write a directive or a footnote; leave out targets and comments."""
        line = lines[place]
        below = lines[place + 1] if place + 1 < len(lines) else ""
        if TARGET.match(line) or line.startswith("__") or (line == ".." and not below.strip()):
            return place + 1
        if footnote := _FOOTNOTE.match(line):
            lead = f"[{footnote[1].lstrip('#') or '#'}] "
            return self._nested(lines, place, lead, footnote[2] or "", depth)
        body, end = _indented(lines, place + 1)
        directive = DIRECTIVE.match(line)
        if directive and not directive[1]:
            name = directive[2].lower().rpartition(":")[2]
            self._directive(name, directive[3] or "", body, depth)
        return end

    def _directive(self, name: str, argument: str, body: Lines, depth: int) -> None:
        if _LEFT_OUT.fullmatch(name):
            return
        content = options(body)[1]
        if _CODE.fullmatch(name):
            self._code([argument, *content] if name in ("math", "productionlist") else content)
        elif name in ("list-table", "csv-table"):
            caption = self._inline.plain(argument) or self._heading
            self._table((list_table if name == "list-table" else csv_table)(body), caption)
        elif _TITLED.fullmatch(name):
            self._list_start = -1
            self._lead = f"{name.capitalize()}: "
            self.write([argument, *content], depth + 1)
            self._lead = ""
        else:
            if name == "table" and argument:
                self._heading = self._inline.plain(argument)
            if not _NOT_SHOWN.fullmatch(name):
                self._paragraph([argument])
            self.write(content, depth + 1)

    def _grid(self, lines: Lines, place: int) -> int:
        end = place
        while end < len(lines) and lines[end].startswith(("+", "|")):
            end += 1
        self._table(grid_table(lines[place:end]), self._heading)
        return end

    def _table(self, table: Table, caption: str) -> None:
        """Write a table, a line a row, and mark its body cells."""
        self._begin(BlockKind.TABLE)
        has_marks = table.has_header and not table.is_ragged
        header = [self._inline.plain(cell) for cell in table.rows[0]] if table.rows else []
        for number, row in enumerate(table.rows):
            first = self._inline.plain(row[0]) if row else ""
            for column, cell in enumerate(row):
                between = " | " if column else "\n" if number else ""
                self._builder.add(between)
                start = self._builder.position
                self._add_inline(cell)
                if has_marks and number and cell:
                    span = (start, self._builder.position)
                    self._builder.mark(
                        "cell", span, row=first, column=header[column], table=caption
                    )
        self._builder.end()

    def _code(self, lines: Lines) -> None:
        self._begin(BlockKind.CODE)
        self._builder.add("\n".join(_dedented(_trimmed(lines))))
        self._builder.end()

    def _paragraph(self, lines: Lines) -> None:
        """Write a paragraph with its lines joined, those of a line block kept."""
        is_line_block = all(line.startswith("|") for line in lines)
        joined = [
            line.removeprefix("|").strip() if is_line_block else line.strip() for line in lines
        ]
        text = ("\n" if is_line_block else " ").join(filter(None, joined))
        if text.endswith("::"):
            text = text[:-2].rstrip() if text == "::" or text[-3] == " " else text[:-1]
        if not text:
            return
        num_chars = self._builder.position - self._list_start
        if self._lead and self._list_start >= 0 and num_chars < _MAX_LIST_CHARS:
            self._builder.add("\n")
        else:
            self._begin(BlockKind.PARAGRAPH)
            self._list_start = self._builder.position if self._lead else -1
        self._builder.add(self._lead)
        self._lead = ""
        self._add_inline(text)

    def _begin(self, kind: BlockKind, level: int = 0) -> None:
        self._list_start = -1
        self._builder.begin(kind, level)

    def _add_inline(self, text: str) -> None:
        plain: list[str] = []
        for piece in self._inline.pieces(text):
            if not piece.target:
                plain.append(piece.text)
                continue
            self._builder.add("".join(plain))
            plain = []
            span = self._builder.add(piece.text)
            self._builder.mark("reference", span, target=piece.target, role=piece.role)
        self._builder.add("".join(plain))


def _indented(lines: Lines, place: int) -> tuple[list[str], int]:
    """Return the indented lines from a place, dedented, and the line after them."""
    end = scan = place
    while scan < len(lines) and (not lines[scan].strip() or lines[scan][0] == " "):
        scan += 1
        if lines[scan - 1].strip():
            end = scan
    return _dedented(lines[place:end]), end


def _dedented(lines: Lines) -> list[str]:
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return [line[margin:] for line in lines]


def _trimmed(lines: Lines) -> Lines:
    start = next((place for place, line in enumerate(lines) if line.strip()), len(lines))
    return lines[start:]


def _paragraph_end(lines: Lines, place: int) -> int:
    while place < len(lines) and lines[place].strip():
        place += 1
    return place


def _simple_end(lines: Lines, place: int) -> int:
    """Return the line after a simple table: its second border before a blank line, or its third."""
    num_borders = 1
    for end in range(place + 1, len(lines)):
        if SIMPLE_BORDER.match(lines[end]):
            num_borders += 1
            is_last = end + 1 == len(lines) or not lines[end + 1].strip()
            if is_last or num_borders == 3:
                return end + 1
    return 0


def _is_entry(lines: Lines, place: int) -> bool:
    """Tell a list entry from a paragraph that begins like one."""
    below = lines[place + 1] if place + 1 < len(lines) else ""
    return not below.strip() or below[0] == " " or _MARKER.match(below) is not None
