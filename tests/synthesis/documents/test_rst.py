import time

import pytest

from longloom.errors import DataError
from longloom.records import BlockKind, DocumentKind
from longloom.synthesis.documents.building import Reading
from longloom.synthesis.documents.reader import SourceFile
from longloom.synthesis.documents.rst import accepts, read

PROPOSAL = """\
PEP: 9001
Title: Lanterns in the
       Corridor
Author: Ada Lamp <ada@example.org>,
        Bo Wick
Created: 03-May-2019
Post-History: `04-May-2019 <https://example.org/1>`__,
Status:

Abstract
========

See :pep:`8` and :pep:`the older one <7>`, or ``lamp(*args)`` and *light*\\s.
A |brand| lamp costs \\*two\\*.

.. |brand| replace:: Lux

.. A comment
   that is left out.

Parts
-----

* first part
  goes on
* second part

  - nested part

1. numbered

Use it like this::

    lamp.on()

      lamp.off()

Afterwards.

.. code-block:: python
   :caption: Lamp

   lamp = 1

.. note:: Hot!

.. [1] A `page <https://example.org>`_.
"""


def reading_of(text: str, name: str = "a.rst") -> Reading:
    (reading,) = read(SourceFile(name=name, payload=text.encode()))
    return reading


def shown(reading: Reading) -> list[tuple[str, int, str]]:
    document = reading.document
    return [
        (block.kind.value, block.level, document.text[block.start : block.end])
        for block in document.blocks
    ]


def test_a_proposal_is_rendered_block_by_block():
    assert shown(reading_of(PROPOSAL)) == [
        (
            "paragraph",
            0,
            "PEP: 9001\nTitle: Lanterns in the Corridor\n"
            "Author: Ada Lamp <ada@example.org>, Bo Wick\nCreated: 03-May-2019\n"
            "Post-History: 04-May-2019,\nStatus:",
        ),
        ("heading", 1, "Abstract"),
        (
            "paragraph",
            0,
            "See PEP 8 and the older one, or lamp(*args) and lights. A Lux lamp costs *two*.",
        ),
        ("heading", 2, "Parts"),
        ("paragraph", 0, "- first part goes on\n- second part\n  - nested part\n1. numbered"),
        ("paragraph", 0, "Use it like this:"),
        ("code", 0, "lamp.on()\n\n  lamp.off()"),
        ("paragraph", 0, "Afterwards."),
        ("code", 0, "lamp = 1"),
        ("paragraph", 0, "Note: Hot!\n[1] A page."),
    ]


def test_a_proposal_is_named_and_dated_by_its_header():
    document = reading_of(PROPOSAL, "peps/pep-9001.rst").document
    assert (document.title, document.genre, document.kind, document.date) == (
        "PEP 9001",
        "proposal",
        DocumentKind.PROFESSIONAL,
        "2019-05-03",
    )


def test_header_values_and_references_are_marked():
    reading = reading_of(PROPOSAL)
    text = reading.document.text
    marks = [
        (mark.name, text[mark.start : mark.end], dict(mark.attributes)) for mark in reading.marks
    ]
    assert ("header", "Ada Lamp <ada@example.org>, Bo Wick", {"name": "author"}) in marks
    assert ("reference", "PEP 8", {"target": "8", "role": "pep"}) in marks
    assert ("reference", "the older one", {"target": "7", "role": "pep"}) in marks
    assert ("reference", "page", {"target": "https://example.org", "role": ""}) in marks
    assert not [mark for mark in marks if mark[2].get("name") == "status"]


def test_a_file_without_header_is_a_manual_under_its_path():
    document = reading_of("Guide\n=====\n\nText.\n", "docs/guide.rst").document
    assert (document.title, document.genre, document.date) == ("docs/guide.rst", "manual", "")


def test_heading_levels_follow_the_order_of_adornments():
    reading = reading_of("=====\nTitle\n=====\n\nOne\n---\n\nTwo\n~~~\n\nThree\n-----\n\nx\n")
    levels = [
        (block.level, reading.document.text[block.start : block.end])
        for block in reading.document.blocks
        if block.kind is BlockKind.HEADING
    ]
    assert levels == [(1, "Title"), (2, "One"), (3, "Two"), (2, "Three")]


GRID = """\
Stock
=====

+-------+-------+
| Lamp  | Price |
+=======+=======+
| small | 3     |
+-------+-------+
| large | 7 per |
|       | piece |
+-------+-------+
"""
SIMPLE = """\
Stock
=====

=======  ======
 Lamp     Price
=======  ======
small    3
large    7 per
         piece
=======  ======

After.
"""
LIST = """\
.. list-table:: Stock
   :header-rows: 1

   * - Lamp
     - Price
   * - small
     - 3
   * - large
     - 7 per
       piece
"""


@pytest.mark.parametrize("source", [GRID, SIMPLE, LIST], ids=["grid", "simple", "list"])
def test_tables_become_one_line_a_row_with_marked_cells(source: str):
    reading = reading_of(source)
    (table,) = [b for b in reading.document.blocks if b.kind is BlockKind.TABLE]
    text = reading.document.text
    assert text[table.start : table.end] == "Lamp | Price\nsmall | 3\nlarge | 7 per piece"
    cells = [
        (text[mark.start : mark.end], *mark.attributes.values())
        for mark in reading.marks
        if mark.name == "cell"
    ]
    assert cells == [
        ("small", "small", "Lamp", "Stock"),
        ("3", "small", "Price", "Stock"),
        ("large", "large", "Lamp", "Stock"),
        ("7 per piece", "large", "Price", "Stock"),
    ]


def test_cells_that_span_columns_are_shown_but_not_marked():
    source = "+---+---+\n| a | b |\n+===+===+\n| c     |\n+---+---+\n"
    reading = reading_of(source)
    assert reading.document.text == "a | b\nc |"
    assert not reading.marks


def test_markup_that_is_not_closed_is_shown_as_written():
    assert reading_of("a ``b and *c and `d and |e|\n").document.text == (
        "a ``b and *c and `d and |e|"
    )


def test_what_is_no_text_is_refused():
    with pytest.raises(DataError, match="not UTF-8 at byte 1"):
        list(read(SourceFile(name="a.rst", payload=b"a\xff")))
    with pytest.raises(DataError, match="no text"):
        list(read(SourceFile(name="a.rst", payload=b".. only a comment\n")))


def test_a_table_that_would_swell_is_refused():
    source = "+-" * 1000 + "+\n" + "|\n" * 1000
    with pytest.raises(DataError, match="table of 1001 rows and 1001 columns"):
        reading_of(source)


def test_files_are_accepted_by_name_and_head():
    assert accepts(SourceFile(name="A.RST", payload=b"x"))
    assert accepts(SourceFile(name="pep-0001.txt", payload=b"PEP: 1\nTitle: x\n"))
    assert not accepts(SourceFile(name="a.txt", payload=b"See PEP: 1\n"))
    assert not accepts(SourceFile(name="a.rst", payload=b"\0"))


@pytest.mark.parametrize(
    "hostile",
    [
        "\n".join(" " * depth + "- x" for depth in range(3000)),
        "== ==\nx\n" * 4_000,
        ":a" * 40_000,
        "*a `b ``c |d " * 4_000,
        "+-+\n|a|\n" * 4_000,
        "a\n-\n" * 4_000,
        "x" * 300_000,
        "a" + "\\" * 40_000,
    ],
    ids=["nested", "borders", "roles", "unclosed", "grids", "headings", "line", "escapes"],
)
def test_hostile_markup_takes_linear_time(hostile: str):
    start = time.process_time()
    reading_of(hostile)
    assert time.process_time() - start < 5
