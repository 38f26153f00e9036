"""The dates by which documents are put in order."""

from longloom.records import BlockKind, DocumentKind
from longloom.synthesis.documents.building import DocumentBuilder, Reading
from longloom.synthesis.facts import document_dates


def reading(title: str, text: str, genre: str) -> Reading:
    builder = DocumentBuilder(
        title=title, kind=DocumentKind.PROFESSIONAL, genre=genre, source="made", licence="CC0"
    )
    builder.begin(BlockKind.PARAGRAPH)
    builder.add(text)
    builder.end()
    return builder.build()


def test_a_table_is_dated_by_its_name_where_its_text_shows_it() -> None:
    made = reading("cup/cup-20140609-140000", "cup/cup-20140609-140000", "table")
    (fact,) = document_dates.extract(made)
    assert (fact.subject, fact.value) == ("cup/cup-20140609-140000", "2014-06-09")
    assert made.document.text[fact.start : fact.end] == "20140609"


def test_a_name_without_a_date_or_hidden_from_the_text_dates_nothing() -> None:
    assert document_dates.extract(reading("cup/12345678", "cup/12345678", "table")) == []
    assert document_dates.extract(reading("cup-20140609", "Ghana | 41", "table")) == []


def test_a_standard_is_dated_by_its_header() -> None:
    builder = DocumentBuilder(
        title="RFC 1", kind=DocumentKind.PROFESSIONAL, genre="standard", source="a", licence="b"
    )
    builder.begin(BlockKind.PARAGRAPH)
    builder.add("Published: ")
    span = builder.add("June 2022")
    builder.mark("header", span, name="published", value="2022-06", person="")
    builder.end()
    (fact,) = document_dates.extract(builder.build())
    assert (fact.subject, fact.value, fact.relation) == ("RFC 1", "2022-06", "document.date")
