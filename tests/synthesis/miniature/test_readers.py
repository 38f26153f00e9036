import pytest

from longloom.errors import DataError
from longloom.records import BlockKind, DocumentKind
from longloom.synthesis.miniature.documents.csv import read_csv
from longloom.synthesis.miniature.documents.html import read_html
from longloom.synthesis.miniature.documents.markdown import read_markdown
from longloom.synthesis.miniature.documents.plain import read_plain
from longloom.synthesis.miniature.documents.rendering import RawBlock, clean_text, render_document
from longloom.synthesis.miniature.documents.rst import read_rst


def _pairs(reading) -> list[tuple[BlockKind, str]]:
    return [(block.kind, block.text) for block in reading.blocks]


def test_markdown_gives_headings_paragraphs_code_tables_and_links() -> None:
    text = (
        "# Rivers\n\nSee [the *lakes*](lakes.md).\n\n- one\n- two\n\n```\ncode here\n```\n\n"
        "| river | length km | mouth |\n|--|--|--|\n| Elbe | 1094 | North Sea |\n| Oder | 866 | |\n"
    )
    reading = read_markdown(text)
    assert _pairs(reading) == [
        (BlockKind.HEADING, "Rivers"),
        (BlockKind.PARAGRAPH, "See the lakes."),
        (BlockKind.PARAGRAPH, "one"),
        (BlockKind.PARAGRAPH, "two"),
        (BlockKind.CODE, "code here\n"),
        (BlockKind.TABLE, "length_km Elbe 1094\nmouth Elbe North_Sea"),
        (BlockKind.TABLE, "length_km Oder 866"),
    ]
    assert reading.links == ("lakes.md",)


def test_rst_gives_headings_paragraphs_literal_blocks_and_links() -> None:
    text = (
        "=====\nTitle\n=====\n\nFirst `part <a.rst>`_::\n\n    x = 1\n\nPart\n----\nM :doc:`b`.\n"
    )
    reading = read_rst(text)
    assert _pairs(reading) == [
        (BlockKind.HEADING, "Title"),
        (BlockKind.PARAGRAPH, "First `part <a.rst>`_::"),
        (BlockKind.CODE, "    x = 1"),
        (BlockKind.HEADING, "Part"),
        (BlockKind.PARAGRAPH, "M :doc:`b`."),
    ]
    assert reading.links == ("a.rst", "b")


def test_html_leaves_scripts_out_and_reads_tables() -> None:
    text = (
        '<?xml version="1.0" encoding="latin-1"?><html><title>T</title><script>evil()</script>'
        "<p>Caf\u00e9 <a href='b.html'>b</a></p><ul><li>one</ul><pre>a\n b</pre>"
        "<table><tr><th>city<th>size<tr><td>Ulm<td>126</table></html>"
    )
    reading = read_html(text)
    assert _pairs(reading) == [
        (BlockKind.HEADING, "T"),
        (BlockKind.PARAGRAPH, "Caf\u00e9 b"),
        (BlockKind.PARAGRAPH, "one"),
        (BlockKind.CODE, "a\n b"),
        (BlockKind.TABLE, "size Ulm 126"),
    ]
    assert reading.links == ("b.html",)


def test_empty_html_is_refused() -> None:
    with pytest.raises(DataError, match="HTML cannot be parsed"):
        read_html("<!-- -->")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_rows_become_statements(separator: str) -> None:
    text = f"city{separator}size\nUlm{separator}126\n{separator}5\nBonn{separator}\n"
    texts = [block.text for block in read_csv(text).blocks if block.text]
    assert texts == ["size Ulm 126"]


@pytest.mark.parametrize("text", ["one column\n1\n", 'a,b\n"open', ""])
def test_unusable_csv_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="CSV"):
        read_csv(text)


def test_plain_text_is_cut_at_empty_lines() -> None:
    assert [block.text for block in read_plain("a\nb\n \nc").blocks] == ["a\nb", "c"]


def test_text_is_cleaned_to_nfc_and_newlines() -> None:
    assert clean_text("\ufeffe\u0301\r\nb\rc") == "\u00e9\nb\nc"


def test_blocks_of_a_document_cover_its_text_in_order() -> None:
    document = render_document(
        title="t",
        kind=DocumentKind.GENERAL,
        source="s",
        licence="unknown",
        blocks=[RawBlock(kind=BlockKind.PARAGRAPH, text=text) for text in ("\na b", " ", "c\n")],
    )
    assert document.text == "a b\n\nc"
    assert [document.text[block.start : block.end] for block in document.blocks] == ["a b", "c"]
