import pytest

from longloom.errors import DataError
from longloom.synthesis.documents import books
from longloom.synthesis.documents.building import Reading
from longloom.synthesis.documents.reader import SourceFile

PAGE = """<?xml version="1.0" encoding="utf-8"?>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops">
<head><title>II</title></head><body epub:type="bodymatter">{}</body></html>"""
CHAPTER = """<section id="chapter-2" epub:type="chapter"><hgroup>
<h2 epub:type="ordinal z3998:roman">II</h2><p epub:type="title">The Harbour</p></hgroup>
<p><abbr>Mr.</abbr>
Reed\u2060\u2014who <em>never</em> slept<a epub:type="noteref">1</a>\u2014rose.</p>
<blockquote><p>Oh sea,<br/>oh wind.</p><cite>A song</cite></blockquote></section>"""


def source(body: str, name: str) -> SourceFile:
    return SourceFile(name=name, payload=PAGE.format(body).encode())


def read(body: str, name: str = "books/jo-marsh_the-salt-road/text/chapter-2.xhtml") -> Reading:
    (reading,) = books.read(source(body, name))
    return reading


def test_a_chapter_is_a_document_with_title_and_paragraphs() -> None:
    document = read(CHAPTER).document
    assert document.title == "The Salt Road, chapter 2: The Harbour"
    assert document.genre == "novel"
    assert document.text == (
        "The Salt Road, chapter 2: The Harbour\n\nBy Jo Marsh\n\n"
        "Mr. Reed\u2014who never slept\u2014rose.\n\nOh sea,\noh wind.\n\nA song"
    )


def test_parts_of_the_heading_are_marked() -> None:
    reading = read(CHAPTER)
    shown = {m.attributes["field"]: reading.document.text[m.start : m.end] for m in reading.marks}
    assert shown == {
        "book": "The Salt Road",
        "number": "2",
        "title": "The Harbour",
        "author": "Jo Marsh",
    }


def test_a_chapter_without_title_has_its_number() -> None:
    body = '<section epub:type="chapter"><h2 epub:type="ordinal">IV</h2><p>Rain.</p></section>'
    document = read(body, "salt-road/chapter-4.xhtml").document
    assert document.title == "Salt Road, chapter 4"
    assert document.text == "Salt Road, chapter 4\n\nRain."


def test_a_story_is_called_by_its_title() -> None:
    body = (
        '<article epub:type="se:short-story"><h2 epub:type="title">The Ship</h2><p>A.</p></article>'
    )
    assert read(body, "salt-tales/the-ship.xhtml").document.title == "Salt Tales: The Ship"


def test_other_matter_is_refused_with_its_type() -> None:
    with pytest.raises(DataError, match="no chapter: dedication"):
        read('<section epub:type="dedication"><p>To B.</p></section>')


def test_broken_markup_is_refused() -> None:
    with pytest.raises(DataError, match="XML"):
        list(books.read(SourceFile(name="a/chapter-1.xhtml", payload=b"<html epub:type='x'><p>")))


def test_only_pages_with_epub_types_are_accepted() -> None:
    assert books.accepts(source(CHAPTER, "b/chapter-2.xhtml"))
    assert not books.accepts(SourceFile(name="b/page.html", payload=b"<html></html>"))
