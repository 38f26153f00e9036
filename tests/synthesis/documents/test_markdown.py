import pytest

from longloom.errors import DataError
from longloom.records import DocumentKind
from longloom.synthesis.documents import markdown
from longloom.synthesis.documents.building import Reading
from longloom.synthesis.documents.reader import SourceFile


def read(text: str, name: str = "notes/pumps.md") -> Reading:
    source = SourceFile(name=name, payload=text.encode())
    assert markdown.accepts(source)
    (reading,) = markdown.read(source)
    return reading


def blocks(reading: Reading) -> list[tuple[str, str]]:
    text = reading.document.text
    return [(str(b.kind), text[b.start : b.end]) for b in reading.document.blocks]


def test_headings_paragraphs_lists_and_code_become_blocks() -> None:
    reading = read("# Pumps\n\nThey *pump*\nwater.\n\n- one\n- two\n\n## Use\n\n```\nrun()\n```\n")
    assert blocks(reading) == [
        ("heading", "Pumps"),
        ("paragraph", "They pump water."),
        ("paragraph", "- one\n- two"),
        ("heading", "Use"),
        ("code", "run()"),
    ]
    assert [b.level for b in reading.document.blocks] == [1, 0, 0, 2, 0]


def test_entries_of_nested_and_numbered_lists_keep_their_marks() -> None:
    reading = read("1. first\n   - inner\n2. second\n")
    assert blocks(reading) == [("paragraph", "1. first\n  - inner"), ("paragraph", "2. second")]


def test_links_are_marked_with_their_targets() -> None:
    reading = read("See [the valve](valves.md#ball) first.")
    (link,) = [mark for mark in reading.marks if mark.name == "link"]
    assert reading.document.text[link.start : link.end] == "the valve"
    assert link.attributes == {"target": "valves.md#ball"}


def test_cells_of_a_table_are_marked_with_row_column_and_heading() -> None:
    reading = read("## Rates\n\n| Pump | Litres |\n|---|---|\n| A | 12 |\n| B | 30 |\n")
    assert blocks(reading)[1] == ("table", "Pump | Litres\nA | 12\nB | 30")
    cells = [mark for mark in reading.marks if mark.name == "cell"]
    shown = [reading.document.text[cell.start : cell.end] for cell in cells]
    assert shown == ["A", "12", "B", "30"]
    assert cells[3].attributes == {"row": "B", "column": "Litres", "table": "Rates"}


def test_a_table_in_html_becomes_a_table() -> None:
    rows = "<tr><td>Pump</td><td>Litres</td></tr><tr><td>A</td><td>12 &amp; 13</td></tr>"
    reading = read(f"# Rates\n\n<table>{rows}</table>\n")
    assert blocks(reading)[1] == ("table", "Pump | Litres\nA | 12 & 13")
    assert [m.attributes["column"] for m in reading.marks if m.name == "cell"] == ["Pump", "Litres"]


def test_raw_html_loses_its_tags_scripts_and_comments() -> None:
    reading = read("<div><!-- hidden -->\nShown <b>text</b>\n<script>bad()</script></div>\n\nEnd.")
    assert reading.document.text == "Shown text\n\nEnd."


def test_front_matter_gives_the_title_alone() -> None:
    reading = read("---\ntitle: Pump Policy\nversions:\n  a: '*'\n---\n\nWelcome.\n")
    assert reading.document.title == "Pump Policy"
    assert reading.document.text == "Pump Policy\n\nWelcome."
    assert reading.document.genre == "contract"
    assert reading.document.kind is DocumentKind.PROFESSIONAL


def test_chapters_of_a_guideline_carry_their_publication() -> None:
    reading = read("## 7 <a name='s7'></a>Sessions\n\nText.\n", "nist/sp800-63b__sec7_session.md")
    assert reading.document.title == "SP 800-63B: 7 Sessions"
    assert reading.document.genre == "guideline"
    assert [m.attributes for m in reading.marks if m.name == "anchor"] == [{"name": "s7"}]


def test_a_readme_is_called_by_its_path() -> None:
    reading = read("# Tool\n\nText.\n", "tool/README.md")
    assert (reading.document.title, reading.document.genre) == ("tool/README.md", "readme")


@pytest.mark.parametrize("passage", ["[" * 300_000, "[a\n" * 99_999 + "[ab"])
def test_a_passage_without_end_is_refused(passage: str) -> None:
    with pytest.raises(DataError, match="Markdown of 300000 characters without a blank line"):
        read(passage + "\n\nEnd.")


def test_markup_without_text_is_refused() -> None:
    with pytest.raises(DataError, match="no text"):
        read("<!-- nothing -->\n")


def test_text_nested_beyond_reason_is_left_out() -> None:
    with pytest.raises(DataError, match="no text"):
        read("> " * 5_000 + "deep")


def test_comments_and_scripts_without_end_hide_the_rest() -> None:
    assert read("Shown.\n\n" + "<!-- " * 9_000).document.text == "Shown."
    assert read("Shown.\n\n" + "<script>" * 6_000).document.text == "Shown."
