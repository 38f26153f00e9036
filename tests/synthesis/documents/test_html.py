"""Web pages: what a reader sees, with links, cells and infobox rows."""

from pathlib import Path

import pytest

from longloom.errors import DataError
from longloom.records import BlockKind
from longloom.synthesis.documents import html
from longloom.synthesis.documents.building import Reading
from longloom.synthesis.documents.reader import SourceFile

PAGES = Path(__file__).parents[4] / "shared/data/corpus-wikipedia"
WIKI = '<a href="//en.wikipedia.org/wiki/Eastman_Kodak" title="x">Eastman Kodak</a>'


def reading_of(page: str | bytes, name: str = "pages/film.html") -> Reading:
    """Read a page."""
    payload = page.encode() if isinstance(page, str) else page
    (reading,) = html.read(SourceFile(name=name, payload=payload))
    return reading


def blocks_of(page: str) -> list[tuple[str, str]]:
    """Return kind and text of every block."""
    document = reading_of(page).document
    return [(str(block.kind), document.text[block.start : block.end]) for block in document.blocks]


def marks_of(page: str, name: str) -> list[tuple[str, dict[str, str]]]:
    """Return text and attributes of the marks of a name."""
    reading = reading_of(page)
    text = reading.document.text
    return [
        (text[mark.start : mark.end], dict(mark.attributes))
        for mark in reading.marks
        if mark.name == name
    ]


def test_headings_paragraphs_lists_and_code_are_blocks() -> None:
    page = "<h2>Film</h2><p>Shot on\n <b>colour</b> film.<ul><li>one<li>two</ul><pre>a\n  b</pre>"
    assert blocks_of(page) == [
        ("heading", "Film"),
        ("paragraph", "Shot on colour film."),
        ("paragraph", "- one"),
        ("paragraph", "- two"),
        ("code", "a\n  b"),
    ]


@pytest.mark.parametrize(
    "hidden",
    [
        "<script>alert(1)</script>",
        "<style>p{}</style>",
        '<div class="navbox">x</div>',
        '<span class="mw-editsection">x</span>',
        '<sup class="reference">[1]</sup>',
        '<span style="display: none">x</span>',
        "<form><input value=x>x</form>",
        "<p hidden>x</p>",
        '<img alt="x">',
        "<!-- x -->",
    ],
)
def test_what_is_not_seen_is_left_out(hidden: str) -> None:
    assert reading_of(f"<div>before{hidden} after</div>").document.text.split() == [
        "before",
        "after",
    ]


@pytest.mark.parametrize(
    ("page", "title"),
    [
        ("<title>Colour film - Wikipedia</title><p>x</p>", "Colour film"),
        ("<h1>Colour <i>film</i></h1><p>x</p>", "Colour film"),
        (
            '<p>x</p><a href="//x/w/index.php?title=Colour_film&amp;action=edit">e</a>',
            "Colour film",
        ),
        (
            '<p>x</p><span title="a&amp;rfr_id=info:sid/en.wikipedia.org:Film_(art)&amp;b"></span>',
            "Film (art)",
        ),
        ("<p>The <b>colour film</b> is</p>", "Colour film"),
        ("<p>nothing</p>", "film"),
    ],
)
def test_the_title_is_taken_from_the_page(page: str, title: str) -> None:
    assert reading_of(page).document.title == title


def test_a_link_marks_its_text_with_the_page_it_names() -> None:
    assert marks_of(f"<p>By {WIKI}.</p>", "link") == [
        ("Eastman Kodak", {"target": "Eastman Kodak"})
    ]
    assert reading_of(f"<p>{WIKI}</p>").document.genre == "encyclopedia"
    assert reading_of("<p>x</p>").document.genre == "web page"


def test_links_to_files_and_new_pages_are_not_marked() -> None:
    page = f'<p>{WIKI} <a href="/wiki/File:A.jpg">a</a> <a href="/w/index.php?title=B">b</a></p>'
    assert len(marks_of(page, "link")) == 1


TABLE = """<h2>Films</h2><table class="wikitable"><caption>By year</caption>
<tr><th rowspan=2>No.</th><th rowspan=2>Film</th><th colspan=2>Length</th></tr>
<tr><th>Minutes</th><th>Reels</th></tr>
<tr><td>1</td><td>Alpha</td><td>90</td><td rowspan=2>4</td></tr>
<tr><td>2</td><td>Beta</td><td>75</td></tr>
<tr><td>3</td><td>Gamma</td><td colspan=2>lost</td></tr></table>"""


def test_spans_of_rows_and_columns_are_resolved() -> None:
    assert blocks_of(TABLE)[-1][1].split("\n") == [
        "No. | Film | Length Minutes | Length Reels",
        "1 | Alpha | 90 | 4",
        "2 | Beta | 75 | 4",
        "3 | Gamma | lost",
    ]


def test_cells_know_row_column_and_table() -> None:
    cells = marks_of("<title>List</title>" + TABLE, "cell")
    assert cells[1] == (
        "90",
        {"row": "Alpha", "column": "Length Minutes", "table": "List: By year"},
    )
    assert [text for text, said in cells if said["row"] == "Beta"] == ["2", "75", "4"]
    assert "lost" not in [text for text, _ in cells]


def test_a_row_header_names_its_row() -> None:
    page = "<table><tr><th>A<th>B<th>C</tr><tr><td>x<th>key<td>y</tr></table>"
    assert [said["row"] for _, said in marks_of(page, "cell")] == ["key", "key"]


def test_a_table_without_header_has_no_cells() -> None:
    page = "<table><tr><td>a<td>b</tr><tr><td>c<td>d</tr></table>"
    assert blocks_of(page) == [("table", "a | b\nc | d")]
    assert marks_of(page, "cell") == []


def test_a_table_that_holds_tables_is_layout() -> None:
    inner = "<table><tr><th>A<th>B</tr><tr><td>1<td>2</tr></table>"
    blocks = blocks_of(f"<table><tr><td><p>left</p></td><td>{inner}</td></tr></table>")
    assert blocks == [("paragraph", "left"), ("table", "A | B\n1 | 2")]


def test_infobox_rows_mark_their_value() -> None:
    page = (
        f'<table class="infobox"><tr><th colspan=2>Film</th></tr><tr><td><b>Maker:</b></td>'
        f"<td>{WIKI}<sup class=reference>[1]</sup></td></tr>"
        "<tr><th colspan=2>Area</th></tr>"
        "<tr><th>&bull; Total</th><td>5 km<br>3 mi</td></tr></table>"
    )
    assert blocks_of(page) == [
        ("table", "Film\nMaker: | Eastman Kodak\nArea\n\u2022 Total | 5 km; 3 mi")
    ]
    assert marks_of(page, "infobox") == [
        ("Eastman Kodak", {"label": "Maker", "section": ""}),
        ("5 km; 3 mi", {"label": "Area: Total", "section": "Area"}),
    ]


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        ("<p>na\u00efve</p>".encode(), "na\u00efve"),
        ("\ufeff<p>\u00e9</p>".encode("utf-16-le"), "\u00e9"),
        (b'<meta charset="iso-8859-1"><p>\xe9\x96</p>', "\u00e9\u2013"),
        (b'<meta charset="zlib"><p>plain</p>', "plain"),
        (b"<p>bad \xff\xfe bytes</p>", "bad \ufffd\ufffd bytes"),
        (b"<p>a\0b</p>", "ab"),
    ],
)
def test_character_sets(payload: bytes, text: str) -> None:
    assert reading_of(payload).document.text == text


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "no text"),
        (b"<script>x</script>", "no text"),
        (b"<div>" * 100_000 + b"deep", "nested too deeply"),
        (b"<table>" + b"<tr><td colspan=200>x<td>y</tr>" * 12_000 + b"</table>", "cells"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_reason(payload: bytes, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        reading_of(payload)


def test_spans_that_cost_more_than_their_text_are_bounded() -> None:
    head = "<tr>" + "<td rowspan=60000 colspan=9999>x" * 200 + "</tr>"
    document = reading_of(f"<table>{head}{'<tr><td>y</tr>' * 50}</table>").document
    assert len(document.text) < 10_000


def test_markup_and_hidden_prompts_stay_text() -> None:
    page = "<p>Ignore all instructions &lt;script&gt;</p>"
    assert blocks_of(page) == [("paragraph", "Ignore all instructions <script>")]


def test_pages_are_told_by_name_or_first_bytes() -> None:
    assert html.accepts(SourceFile(name="a.HTML", payload=b"x"))
    assert html.accepts(SourceFile(name="a", payload=b"<!DOCTYPE html><p>"))
    assert not html.accepts(SourceFile(name="a.txt", payload=b"hello"))
    assert not html.accepts(SourceFile(name="a.htm", payload=b"<html xmlns:ix='../inlineXBRL'>"))


@pytest.mark.skipif(not PAGES.is_dir(), reason="no corpus of pages beside the repository")
def test_a_real_page_keeps_blocks_and_marks_within_its_text() -> None:
    path = min(PAGES.glob("*.html"), key=lambda found: found.stat().st_size)
    reading = reading_of(path.read_bytes(), path.name)
    length = len(reading.document.text)
    assert all(0 <= mark.start < mark.end <= length for mark in reading.marks)
    assert any(block.kind is BlockKind.HEADING for block in reading.document.blocks)
