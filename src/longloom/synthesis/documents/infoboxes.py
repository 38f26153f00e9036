"""Infoboxes of encyclopedia pages: label and value, one line a row.

The value is marked `infobox` with its `label` and the `section` of the box it stands in.
"""

from collections.abc import Callable

from lxml import etree

from longloom.records import BlockKind
from longloom.synthesis.documents.building import DocumentBuilder
from longloom.synthesis.documents.html_tables import CELL_SEPARATOR, RunOf
from longloom.synthesis.documents.inline_text import Run

_MAX_LABEL_CHARACTERS = 80
_BULLETS = "\u2022-\u2013\u00b7* "


def is_infobox(element: etree._Element) -> bool:
    """Say whether a table is the infobox of a page."""
    return "infobox" in element.get("class", "").split()


def place_infobox(
    builder: DocumentBuilder,
    element: etree._Element,
    run_of: RunOf,
    is_left_out: Callable[[etree._Element], bool],
) -> None:
    """Append an infobox as a table block."""
    builder.begin(BlockKind.TABLE)
    section = ""
    is_first = True
    for line in element.iter("tr"):
        if next(line.iterancestors("table"), None) is not element or is_left_out(line):
            continue
        cells = [cell for cell in line if cell.tag in ("td", "th") and not is_left_out(cell)]
        shown = [(cell, run) for cell in cells if (run := run_of(cell)).text]
        if not shown:
            continue
        if not is_first:
            builder.add("\n")
        label = _label(shown, section)
        if len(shown) == 1 and not is_first:
            section = shown[0][1].text if _is_heading(*shown[0]) else section
        _place_row(builder, [run for _, run in shown], label, section)
        is_first = False
    builder.end()


def _place_row(builder: DocumentBuilder, runs: list[Run], label: str, section: str) -> None:
    for place, run in enumerate(runs):
        if place:
            builder.add(CELL_SEPARATOR)
        span = run.place(builder)
        if place == 1 and label:
            builder.mark("infobox", span, label=label, section=section)


def _label(shown: list[tuple[etree._Element, Run]], section: str) -> str:
    """Return the label of a row whose first cell is a header or bold; else nothing.

    A label that hangs below a section by its bullet is nothing without it: `Area: Total`.
    """
    if len(shown) < 2 or not _is_heading(*shown[0]) or shown[1][0].tag == "th":
        return ""
    text = shown[0][1].text
    label = text.strip(_BULLETS).rstrip(" :")
    if text[0] in _BULLETS and section:
        label = f"{section}: {label}"
    return label if len(label) <= _MAX_LABEL_CHARACTERS else ""


def _is_heading(cell: etree._Element, run: Run) -> bool:
    if cell.tag == "th":
        return True
    bold = "".join(str(piece) for part in cell.iter("b", "strong") for piece in part.itertext())
    return len(bold.split()) >= len(run.text.strip(_BULLETS).split()) > 0
