"""RFCs are rendered as published: numbers, references, lists and tables."""

from pathlib import Path

import pytest

from longloom.errors import DataError
from longloom.synthesis.documents import xml2rfc
from longloom.synthesis.documents.building import Reading
from longloom.synthesis.documents.reader import SourceFile

RFC = """<?xml version="1.0"?>
<rfc number="9901" category="std" obsoletes="9001, 9002" updates="">
<front><title>Sample Protocol</title>
<author fullname="Ada Example" initials="A." surname="Example" role="editor">
<organization>Example Labs</organization>
<address><postal><city>Oslo</city><country>Norway</country></postal></address></author>
<date year="2021" month="May"/><workgroup>SAMPLE</workgroup><keyword>one</keyword>
<abstract><t>This says little.</t></abstract></front>
<middle>
<section title="Introduction" anchor="intro"><t>See <xref target="RFC9100" section="4.2"/> and
<xref target="codes"/>. Items:<list style="symbols"><t>first <xref target="RFC9100"/></t>
<t>second</t></list></t></section>
<section title="Details" anchor="details"><section title="Codes" anchor="codes">
<texttable title="Codes"><ttcol>Code</ttcol><ttcol>Meaning</ttcol>
<c>1</c><c>go</c><c>2</c><c>stop</c></texttable>
<figure><artwork>
   a --&gt; b
     c
</artwork></figure></section></section>
</middle>
<back><references title="Normative References">
<reference anchor="RFC9100" target="https://x.test/"><front><title>Base Protocol</title>
<author initials="B." surname="Base"/><author initials="C." surname="Other"/>
<date year="2020" month="January"/></front><seriesInfo name="RFC" value="9100"/></reference>
</references><references title="Informative References"/>
<section title="Old Ways"><t>Gone.</t></section></back></rfc>
"""


def reading_of(text: str) -> Reading:
    (reading,) = xml2rfc.read(SourceFile(name="rfc.xml", payload=text.encode()))
    return reading


def test_sections_appendices_and_references_carry_their_numbers() -> None:
    document = reading_of(RFC).document
    headings = [
        document.text[block.start : block.end]
        for block in document.blocks
        if block.kind == "heading"
    ]
    assert headings == [
        "RFC 9901: Sample Protocol",
        "Abstract",
        "1. Introduction",
        "2. Details",
        "2.1. Codes",
        "3. References",
        "3.1. Normative References",
        "3.2. Informative References",
        "Appendix A. Old Ways",
        "Authors' Addresses",
    ]
    assert (document.title, document.date, document.may_be_altered) == (
        "RFC 9901",
        "2021-05",
        False,
    )


def test_references_are_displayed_as_published() -> None:
    text = reading_of(RFC).document.text
    assert "See Section 4.2 of [RFC9100] and Section 2.1. Items:" in text
    assert "- first [RFC9100]\n- second" in text
    assert (
        '[RFC9100] Base, B. and C. Other, "Base Protocol", RFC 9100, January 2020, '
        "<https://x.test/>."
    ) in text


def test_marks_stand_where_they_say() -> None:
    reading = reading_of(RFC)
    text = reading.document.text
    shown = {
        (mark.name, text[mark.start : mark.end], mark.attributes.get("target", ""))
        for mark in reading.marks
    }
    assert ("reference", "Section 4.2 of [RFC9100]", "RFC 9100") in shown
    assert ("cited", "RFC 9100", "RFC 9100") in shown
    assert ("section number", "2.1", "") in shown


def test_tables_are_one_line_a_row_with_a_mark_a_cell() -> None:
    reading = reading_of(RFC)
    text = reading.document.text
    assert "Table 1: Codes\n\nCode | Meaning\n1 | go\n2 | stop" in text
    (mark,) = [m for m in reading.marks if m.name == "cell" and text[m.start : m.end] == "stop"]
    assert dict(mark.attributes) == {"row": "2", "column": "Meaning", "table": "Codes"}


def test_drawings_keep_their_lines() -> None:
    assert "a --> b\n  c" in reading_of(RFC).document.text


@pytest.mark.parametrize("payload", [b"<rfc/>", b"<article/>", b"<rfc number='x'/>"])
def test_what_is_no_rfc_is_refused(payload: bytes) -> None:
    with pytest.raises(DataError):
        list(xml2rfc.read(SourceFile(name="a.xml", payload=payload)))


def test_real_rfcs_keep_spans_and_blocks_in_order() -> None:
    folder = Path(__file__).parents[3].parent / "shared/data/corpus-http-rfcs"
    if not folder.is_dir():
        pytest.skip("the real RFCs are not on this machine")
    path = folder / "rfc9111.xml"
    (reading,) = xml2rfc.read(SourceFile(name="rfc9111.xml", payload=path.read_bytes()))
    document = reading.document
    assert "4.2. Freshness" in document.text
    ends = [0, *(block.end for block in document.blocks)]
    assert all(block.start >= end for block, end in zip(document.blocks, ends, strict=False))
    assert all(0 <= mark.start <= mark.end <= len(document.text) for mark in reading.marks)
