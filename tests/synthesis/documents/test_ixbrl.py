"""Inline-XBRL filings: what is displayed, and what its tags say."""

from pathlib import Path

import pytest

from longloom.errors import DataError
from longloom.records import BlockKind
from longloom.synthesis.documents import ixbrl
from longloom.synthesis.documents.building import Reading
from longloom.synthesis.documents.reader import SourceFile

FILINGS = Path(__file__).parents[4] / "shared/data/corpus-sec-filings"

HEAD = """<?xml version="1.0"?>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:ix="http://www.xbrl.org/2013/inlineXBRL"
 xmlns:xbrli="http://www.xbrl.org/2003/instance" xmlns:xbrldi="http://xbrl.org/2006/xbrldi">
<head><title>acme-2024</title></head><body><div style="display:none"><ix:header><ix:hidden>
<ix:nonNumeric contextRef="y" name="dei:DocumentFiscalYearFocus">2024</ix:nonNumeric></ix:hidden>
<ix:resources>
<xbrli:unit id="usd"><xbrli:measure>iso4217:USD</xbrli:measure></xbrli:unit>
<xbrli:unit id="pure"><xbrli:measure>xbrli:pure</xbrli:measure></xbrli:unit>
<xbrli:unit id="eps"><xbrli:divide><xbrli:unitNumerator><xbrli:measure>iso4217:USD</xbrli:measure>
</xbrli:unitNumerator><xbrli:unitDenominator><xbrli:measure>xbrli:shares</xbrli:measure>
</xbrli:unitDenominator></xbrli:divide></xbrli:unit>
<xbrli:context id="y"><xbrli:entity><xbrli:identifier>1</xbrli:identifier></xbrli:entity>
<xbrli:period><xbrli:startDate>2024-01-01</xbrli:startDate><xbrli:endDate>2024-12-31</xbrli:endDate>
</xbrli:period></xbrli:context>
<xbrli:context id="toys"><xbrli:entity><xbrli:identifier>1</xbrli:identifier><xbrli:segment>
<xbrldi:explicitMember dimension="srt:ProductOrServiceAxis">acme:ToysMember</xbrldi:explicitMember>
</xbrli:segment></xbrli:entity><xbrli:period><xbrli:instant>2024-12-31</xbrli:instant>
</xbrli:period></xbrli:context></ix:resources></ix:header></div>
"""
COVER = """<div><span style="font-weight:700"><ix:nonNumeric contextRef="y"
 name="dei:EntityRegistrantName">ACME CORP</ix:nonNumeric>ORATION</span></div>
<div>FORM <ix:nonNumeric contextRef="y" name="dei:DocumentType">10-K</ix:nonNumeric></div>
<div>For the year ended <ix:nonNumeric contextRef="y" name="dei:DocumentPeriodEndDate"
 format="ixt:date-monthname-day-year-en">December&#160;31, 2024</ix:nonNumeric></div>
<div>Acme Corporation makes toys.</div>
"""


def number(text: str, **attributes: str) -> str:
    """Return a tagged number."""
    given = {"contextRef": "y", "unitRef": "usd", "name": "us-gaap:Revenues", "scale": "6"}
    written = " ".join(f'{name}="{value}"' for name, value in {**given, **attributes}.items())
    return f"<ix:nonFraction {written}>{text}</ix:nonFraction>"


def row(*cells: str) -> str:
    """Return a table row."""
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def reading_of(body: str, name: str = "acme.htm") -> Reading:
    """Read a filing with this body."""
    payload = (HEAD + body + "</body></html>").encode()
    (reading,) = ixbrl.read(SourceFile(name=name, payload=payload))
    return reading


def shown(reading: Reading, name: str) -> list[tuple[str, str]]:
    """Return text and value of the marks of a name."""
    text = reading.document.text
    return [
        (text[mark.start : mark.end], mark.attributes.get("value", ""))
        for mark in reading.marks
        if mark.name == name
    ]


def test_a_filing_is_named_by_company_form_and_period() -> None:
    document = reading_of(COVER).document
    assert document.title == "Acme Corporation 10-K for the period ended 2024-12-31"
    assert document.date == "2024-12-31"
    assert document.genre == "filing"
    assert document.licence == "public SEC filing"


def test_what_is_hidden_is_left_out() -> None:
    text = reading_of(COVER + '<div style="display: none">secret</div><p>seen</p>').document.text
    assert "secret" not in text
    assert "2024-01-01" not in text
    assert text.endswith("seen")


def test_stated_marks_show_and_normalise() -> None:
    assert shown(reading_of(COVER), "stated") == [
        ("ACME CORP", "Acme Corporation"),
        ("10-K", "10-K"),
        ("December 31, 2024", "2024-12-31"),
    ]


@pytest.mark.parametrize(
    ("tag", "span", "value"),
    [
        (number("1,234"), "1,234", "1234000000"),
        (number("1.5", scale="9"), "1.5", "1500000000"),
        (number("2.50", scale="0", unitRef="eps"), "2.50", "2.5"),
        (number("24.1", scale="-2", unitRef="pure"), "24.1", "24.1"),
        (number("&#8212;", format="ixt:fixed-zero"), "\u2014", "0"),
        (number("three", format="ixt-sec:numwordsen", scale="0"), "three", "3"),
        (number("1.234,5", format="ixt:num-comma-decimal", scale="0"), "1.234,5", "1234.5"),
        (f"(${number('56', sign='-')})", "($56)", "-56000000"),
        (f"({number('56')})", "56", "56000000"),
        (f"loss of {number('56', sign='-')}", "56", "-56000000"),
        (number("x"), "x", ""),
        (number("7", scale="999"), "7", ""),
    ],
)
def test_a_number_has_its_value_and_span(tag: str, span: str, value: str) -> None:
    assert shown(reading_of(f"<p>It was {tag} then.</p>"), "number") == [(span, value)]


def test_nested_tags_each_mark_their_number() -> None:
    tag = number(number("12", name="us-gaap:CostOfRevenue"))
    assert shown(reading_of(f"<p>{tag}</p>"), "number") == [("12", "12000000"), ("12", "12000000")]


def test_a_number_tells_unit_period_and_dimensions() -> None:
    (mark,) = reading_of(f"<p>{number('7', contextRef='toys', unitRef='eps')}</p>").marks
    assert mark.attributes["unit"] == "USD/share"
    assert (mark.attributes["period_start"], mark.attributes["period_end"]) == ("", "2024-12-31")
    assert mark.attributes["dimensions"] == "ProductOrService=Toys"


TABLE = (
    '<div><span style="font-weight:700">Statement of Income</span></div><table>'
    + '<tr><td colspan="1"></td><td colspan="7">Year Ended</td></tr>'
    + '<tr><td></td><td colspan="3">2024</td><td></td><td colspan="3">2023</td></tr>'
    + row("Net sales:", "", "", "", "", "", "", "")
    + row("Toys", "$", number("10"), "", "", "$", "8", "")
    + row("Costs", "(", number("4", sign="-"), ")", "", "", "&#8212;", "")
    + "</table>"
)


def test_a_table_is_laid_out_as_it_is_seen() -> None:
    reading = reading_of(TABLE)
    heading, table = reading.document.blocks
    assert (heading.kind, heading.level) == (BlockKind.HEADING, 3)
    assert table.kind is BlockKind.TABLE
    assert reading.document.text[table.start : table.end].split("\n") == [
        " | Year Ended",
        " | 2024 | 2023",
        "Net sales:",
        "Toys | $10 | $8",
        "Costs | (4) | \u2014",
    ]


def test_a_tagged_cell_knows_its_row_section_and_table() -> None:
    reading = reading_of(TABLE)
    first, second = (mark for mark in reading.marks if mark.name == "number")
    assert first.attributes["row"] == "Toys"
    assert first.attributes["section"] == "Net sales"
    assert first.attributes["table"] == "Statement of Income"
    assert reading.document.text[second.start : second.end] == "(4)"


def test_cells_of_a_table_without_tags_are_marked_with_company_and_header() -> None:
    plain = "<div>The following table shows staff:</div><table>"
    plain += row("", "2024", "2023") + row("Drivers", "1,200", "1,100") + "</table>"
    reading = reading_of(COVER + plain)
    cells = [mark for mark in reading.marks if mark.name == "cell"]
    assert [mark.attributes["column"] for mark in cells] == ["2024", "2023"]
    assert cells[0].attributes["row"] == "Drivers of Acme Corporation"
    assert cells[0].attributes["table"].endswith("The following table shows staff")


def test_a_table_of_one_row_is_a_paragraph() -> None:
    document = reading_of(f"<table>{row('&#8226;', 'first point')}</table>").document
    assert document.text == "\u2022 first point"
    assert document.blocks[0].kind is BlockKind.PARAGRAPH


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"<html><p>never closed", "not well-formed XHTML"),
        (b"<html><body>plain</body></html>", "no context"),
        (b"<d>" * 100_000, "not well-formed XHTML"),
        (b"", "not well-formed XHTML"),
        (b"\xff\xfe\xfa", "not well-formed XHTML"),
    ],
)
def test_what_is_no_filing_is_refused_with_a_reason(payload: bytes, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        list(ixbrl.read(SourceFile(name="bad.htm", payload=payload)))


def test_entities_are_not_expanded() -> None:
    bomb = '<!DOCTYPE html [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;">]>'
    payload = (HEAD.replace("<html", bomb + "<html", 1) + "<p>x &b; y</p></body></html>").encode()
    (reading,) = ixbrl.read(SourceFile(name="bomb.htm", payload=payload))
    assert "lol" not in reading.document.text


def test_only_pages_with_the_namespace_are_accepted() -> None:
    assert ixbrl.accepts(SourceFile(name="a.htm", payload=HEAD.encode()))
    assert not ixbrl.accepts(SourceFile(name="a.htm", payload=b"<html></html>"))
    assert not ixbrl.accepts(SourceFile(name="a.txt", payload=HEAD.encode()))


@pytest.mark.skipif(not FILINGS.is_dir(), reason="no corpus of filings beside the repository")
def test_a_real_filing_is_read_in_full() -> None:
    path = min(FILINGS.glob("*.html"), key=lambda found: found.stat().st_size)
    (reading,) = ixbrl.read(SourceFile(name=path.name, payload=path.read_bytes()))
    numbers = [mark for mark in reading.marks if mark.name == "number"]
    assert len(numbers) > 600
    assert sum(bool(mark.attributes["value"]) for mark in numbers) > 0.99 * len(numbers)
