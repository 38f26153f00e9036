import pytest

from longloom.errors import DataError
from longloom.synthesis.documents.building import Reading
from longloom.synthesis.documents.pdf import accepts, read
from longloom.synthesis.documents.reader import SourceFile

pytest.importorskip("pypdfium2")

Shown = tuple[str, int, int, int]
"""Text, place from the left and from the bottom, size of the font."""


def pdf_of(pages: list[list[Shown]], *, count: int | None = None, extra: str = "") -> bytes:
    """Write a minimal PDF: one content stream a page, one font, a cross reference table."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", ""]
    objects.append("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    kids = []
    for lines in pages:
        shown = " ".join(
            f"BT /F1 {size} Tf 1 0 0 1 {left} {bottom} Tm ({text}) Tj ET"
            for text, left, bottom, size in lines
        )
        content = f"{extra} {shown}"
        objects.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 400 400] "
            f"/Resources << /Font << /F1 3 0 R >> >> /Contents {len(objects)} 0 R >>"
        )
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {count or len(kids)} >>"
    body, offsets = "%PDF-1.4\n", []
    for number, written in enumerate(objects, 1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{written}\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    body += (
        f"xref\n0 {size}\n0000000000 65535 f \n{table}"
        f"trailer << /Size {size} /Root 1 0 R >>\nstartxref\n{len(body)}\n%%EOF\n"
    )
    return body.encode("latin-1")


def reading_of(payload: bytes) -> Reading:
    (reading,) = read(SourceFile(name="reports/lamps.pdf", payload=payload))
    return reading


def shown(reading: Reading) -> list[tuple[str, str]]:
    text = reading.document.text
    return [(block.kind.value, text[block.start : block.end]) for block in reading.document.blocks]


def test_lines_become_headings_and_paragraphs():
    page = [
        ("Lamps of the North", 40, 360, 20),
        ("The lamps of the north burn with oil and are", 40, 320, 10),
        ("lit when the sun has set behind the moun-", 40, 308, 10),
        ("tains of the west.", 40, 296, 10),
        ("A second paragraph stands apart from the first", 40, 270, 10),
        ("and goes on for a while.", 40, 258, 10),
    ]
    reading = reading_of(pdf_of([page]))
    assert shown(reading) == [
        ("heading", "Lamps of the North"),
        (
            "paragraph",
            "The lamps of the north burn with oil and are lit when the sun has set behind the "
            "mountains of the west.",
        ),
        ("paragraph", "A second paragraph stands apart from the first and goes on for a while."),
    ]
    assert (reading.document.title, reading.document.genre) == ("reports/lamps.pdf", "report")


def test_running_headers_and_page_numbers_are_left_out():
    words = ["one", "two", "three", "four"]
    pages = [
        [
            ("Annual report", 40, 380, 10),
            (f"Chapter {word} tells of lamps.", 40, 300, 10),
            ("More is said below.", 40, 260, 10),
            (f"It ends with {word}.", 40, 200, 10),
            (f"Page {number}", 40, 20, 10),
        ]
        for number, word in enumerate(words, 1)
    ]
    text = reading_of(pdf_of(pages)).document.text
    assert "Annual" not in text
    assert "Page" not in text
    assert [word for word in words if f"It ends with {word}." in text] == words


def test_a_sentence_goes_on_over_a_page_break():
    pages = [[("The lamp was lit and", 40, 40, 10)], [("burned all night.", 40, 360, 10)]]
    assert shown(reading_of(pdf_of(pages))) == [
        ("paragraph", "The lamp was lit and burned all night.")
    ]


def test_ruled_tables_are_marked_where_pdfplumber_is_installed():
    pytest.importorskip("pdfplumber")
    rules = " ".join(
        [f"40 {y} m 240 {y} l S" for y in (300, 320, 340)]
        + [f"{x} 300 m {x} 340 l S" for x in (40, 140, 240)]
    )
    page = [
        ("Before.", 40, 370, 10),
        ("Lamp", 50, 326, 10),
        ("Price", 150, 326, 10),
        ("small", 50, 306, 10),
        ("3", 150, 306, 10),
        ("After.", 40, 270, 10),
    ]
    reading = reading_of(pdf_of([page], extra=rules))
    assert shown(reading) == [
        ("paragraph", "Before."),
        ("table", "Lamp | Price\nsmall | 3"),
        ("paragraph", "After."),
    ]
    assert [(mark.attributes["row"], mark.attributes["column"]) for mark in reading.marks] == [
        ("small", "Lamp"),
        ("small", "Price"),
    ]


def test_broken_and_empty_files_are_refused():
    with pytest.raises(DataError, match="broken PDF"):
        reading_of(b"%PDF-1.4\nnothing more")
    with pytest.raises(DataError, match="without a text layer"):
        reading_of(pdf_of([[]]))


def test_an_encrypted_file_is_refused():
    plain = pdf_of([[("Hidden", 40, 300, 10)]])
    locked = plain.replace(
        b"/Root 1 0 R",
        b"/Root 1 0 R /ID [<00><00>] /Encrypt << /Filter /Standard /V 1 /R 2 /P -4 "
        b"/O <" + b"00" * 32 + b"> /U <" + b"11" * 32 + b"> >>",
    )
    with pytest.raises(DataError, match="encrypted"):
        reading_of(locked)


def test_a_page_tree_that_claims_too_many_pages_is_refused():
    with pytest.raises(DataError, match=r"pages, limit|broken PDF"):
        reading_of(pdf_of([[("One", 40, 300, 10)]], count=1_000_000))


def test_files_are_accepted_by_their_first_bytes():
    assert accepts(SourceFile(name="a.PDF", payload=b"junk %PDF-1.7"))
    assert accepts(SourceFile(name="a", payload=b"%PDF-1.7"))
    assert not accepts(SourceFile(name="a.pdf", payload=b"<html>"))
