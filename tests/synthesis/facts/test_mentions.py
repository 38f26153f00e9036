import re
from pathlib import Path

import pytest

from longloom.errors import DataError
from longloom.records import BlockKind, DocumentKind
from longloom.synthesis.documents import books
from longloom.synthesis.documents.building import DocumentBuilder, Reading
from longloom.synthesis.documents.reader import SourceFile
from longloom.synthesis.facts import mentions
from longloom.synthesis.facts.fact import Fact

REAL = Path(__file__).parents[4] / "shared/data/corpus-books"


def chapter(*paragraphs: str, genre: str = "novel") -> Reading:
    builder = DocumentBuilder(
        title="Salt Road, chapter 2",
        kind=DocumentKind.GENERAL,
        genre=genre,
        source="x",
        licence="none",
    )
    builder.begin(BlockKind.HEADING, 1)
    builder.mark("header", builder.add("Salt Road"), field="book")
    builder.add(", chapter ")
    builder.mark("header", builder.add("2"), field="number")
    for paragraph in paragraphs:
        builder.block(BlockKind.PARAGRAPH, paragraph)
    return builder.build()


def facts(reading: Reading, relation: str) -> list[Fact]:
    found = [f for f in mentions.extract(reading) if f.relation == f"chapter.{relation}"]
    assert all(reading.document.text[f.start : f.end] == f.value for f in found)
    return found


def test_the_heading_gives_book_and_number() -> None:
    reading = chapter("Rain.")
    (book,), (number,) = facts(reading, "book"), facts(reading, "number")
    assert (book.subject, book.value, book.certainty) == ("Salt Road, chapter 2", "Salt Road", 1)
    assert number.value == "2"


def test_a_name_is_mentioned_wherever_its_words_stand() -> None:
    reading = chapter("We met Mr. Tom Reed and Reed\u2019s dog. Then Miss Reed came.")
    names = [fact.value for fact in facts(reading, "mentions")]
    assert names.count("Reed") == 3
    assert names.count("Mr. Tom Reed") == names.count("Tom Reed") == names.count("Miss Reed") == 1
    assert "Miss" not in names
    assert "Then" not in names


def test_mentions_are_numbered_by_name_and_lone_ones_are_known() -> None:
    reading = chapter("Reed ran to Reed and to Mr. Reed.")
    found = [fact for fact in facts(reading, "mentions") if fact.value == "Reed"]
    assert [fact.position for fact in found] == [1, 2, 3]
    assert [fact.qualifiers for fact in found] == [(), (("stands", "alone"),), ()]


def test_ordinary_words_that_begin_a_sentence_are_no_names() -> None:
    reading = chapter("Boats lay there. Reed saw boats.", "\u201cHarbours, Tom!\u201d said he.")
    names = {fact.value for fact in facts(reading, "mentions")}
    assert "Boats" not in names
    assert {"Reed", "Tom"} <= names


def test_speech_is_taken_with_the_name_beside_it() -> None:
    reading = chapter(
        "\u201cThe tide will turn by noon,\u201d said Captain Reed. \u201cCome.\u201d"
    )
    (quotation,) = facts(reading, "says")
    (speaker,) = facts(reading, "speaker")
    assert quotation.value == speaker.subject == "The tide will turn by noon"
    assert speaker.value == "Captain Reed"


def test_speech_without_a_name_or_said_twice_is_left_out() -> None:
    words = "\u201cThe tide will turn by noon,\u201d said "
    assert not facts(chapter(words + "he."), "says")
    assert not facts(chapter(words + "Reed.", words + "Tom."), "says")


def test_other_documents_give_nothing() -> None:
    assert mentions.extract(chapter("Reed ran to Reed.", genre="text")) == []


@pytest.mark.slow
def test_mentions_in_real_books_are_every_appearance_of_the_words() -> None:
    if not REAL.is_dir():
        pytest.skip("the real books are not on this machine")
    for name in ("Elizabeth", "Mr. Darcy", "Darcy", "Lady Catherine", "Meryton"):
        for path in sorted((REAL / "pride-and-prejudice").glob("*.xhtml")):
            try:
                source = SourceFile(name=f"b/{path.name}", payload=path.read_bytes())
                (reading,) = books.read(source)
            except DataError:
                continue
            body = reading.document.text[reading.document.blocks[0].end :]
            expected = len(re.findall(rf"(?<![\w-]){re.escape(name)}(?![\w-])", body))
            assert sum(f.value == name for f in facts(reading, "mentions")) == expected
