import pytest

from longloom.errors import DataError
from longloom.synthesis.documents import plain
from longloom.synthesis.documents.building import Reading
from longloom.synthesis.documents.reader import SourceFile


def read(payload: bytes, name: str = "notes/pumps.txt") -> Reading:
    source = SourceFile(name=name, payload=payload)
    assert plain.accepts(source)
    (reading,) = plain.read(source)
    return reading


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("1.2 Title of Things", 2),
        ("3. Scope", 1),
        ("GENERAL TERMS", 1),
        ("ARTICLE IV", 1),
        ("Section 3.", 2),
        ("12 men went out to sea and none of them ever came back again, they say", 0),
        ("He said no.", 0),
        ("OK", 0),
    ],
)
def test_lines_that_are_headings_have_a_level(line: str, level: int) -> None:
    assert plain.heading_level(line) == level


def test_blank_lines_part_paragraphs_and_headings_stand_alone() -> None:
    reading = read(b"SCOPE\nIt pumps   water.\n \nIt stops.\r\n")
    assert reading.document.text == "SCOPE\n\nIt pumps water.\n\nIt stops."
    assert [str(block.kind) for block in reading.document.blocks] == [
        "heading",
        "paragraph",
        "paragraph",
    ]


def test_a_single_long_line_is_cut_at_sentences_into_bounded_blocks() -> None:
    reading = read(b"A pump runs. " * 50_000)
    lengths = [block.end - block.start for block in reading.document.blocks]
    assert max(lengths) <= plain.MAX_BLOCK_CHARACTERS
    text = reading.document.text
    assert all(text[block.end - 1] == "." for block in reading.document.blocks)
    assert text.count("A pump runs.") == 50_000


def test_a_line_without_spaces_is_cut_hard() -> None:
    assert [len(piece) for piece in plain.bounded_pieces("x" * 25, 10)] == [10, 10, 5]


def test_few_broken_bytes_are_replaced() -> None:
    assert "\ufffd" in read(b"water " * 100 + b"\xff").document.text


@pytest.mark.parametrize("payload", [b"\xff\xfe\x81" * 50, b"\x01\x02\x03 text" * 50])
def test_what_is_not_text_is_refused(payload: bytes) -> None:
    with pytest.raises(DataError, match="not "):
        read(payload)


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(DataError, match="empty"):
        read(b" \n")


def test_an_agreement_is_called_by_kind_and_parties() -> None:
    opening = (
        'This Pump Supply Agreement (the "Agreement") is made as of May 6, 2019 by and between '
        'Wet Works Ltd., a company organized under the laws of Israel ("Wet Works"), and Dry '
        'Dock, Inc., a Delaware corporation ("Customer").'
    )
    document = read(opening.encode()).document
    assert document.genre == "contract"
    assert document.title == "Pump Supply Agreement between Wet Works Ltd. and Dry Dock, Inc."


def test_binary_files_are_not_accepted() -> None:
    assert not plain.accepts(SourceFile(name="a.txt", payload=b"a\0b"))
