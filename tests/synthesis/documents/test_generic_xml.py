"""XML of any vocabulary becomes headings, paragraphs and fields."""

import pytest

from longloom.errors import DataError
from longloom.synthesis.documents import generic_xml
from longloom.synthesis.documents.reader import SourceFile


def test_headings_paragraphs_and_fields() -> None:
    payload = (
        b"<?xml version='1.0'?><play><title>A Play</title><act><title>One</title>"
        b"<p>Some <i>words</i>.</p><cast><name>Ada</name><age>7</age></cast></act></play>"
    )
    source = SourceFile(name="play.xml", payload=payload)
    assert generic_xml.accepts(source)
    (reading,) = generic_xml.read(source)
    assert reading.document.title == "A Play"
    assert reading.document.text == "A Play\n\nOne\n\nSome words.\n\nname: Ada\nage: 7"
    assert reading.marks == ()


def test_xml_without_text_is_refused() -> None:
    with pytest.raises(DataError, match="without text"):
        list(generic_xml.read(SourceFile(name="a.xml", payload=b"<a><b/></a>")))


def test_html_and_plain_text_are_not_accepted() -> None:
    assert not generic_xml.accepts(SourceFile(name="a.xml", payload=b"<html><p/></html>"))
    assert not generic_xml.accepts(SourceFile(name="a.txt", payload=b"<a>x</a>"))
