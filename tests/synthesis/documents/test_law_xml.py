"""Laws: their header, sections, quoted insertions and tables."""

from longloom.synthesis.documents import law_xml
from longloom.synthesis.documents.building import Reading
from longloom.synthesis.documents.reader import SourceFile

LAW = """<?xml version='1.0' encoding='utf-8'?>
<document xmlns:codify="https://code.dccouncil.us/schemas/codify"
 xmlns="https://code.dccouncil.us/schemas/dc-library" id="D.C. Law 90-1">
<num type="law">90-1</num><num type="bill">90-5</num><num type="act">90-7</num>
<heading type="short">Sample Benches Amendment Act of 2030</heading>
<heading type="long">To amend the Benches Act of 2010.</heading>
<meta><introduced>2030-01-02</introduced><effective>2030-06-07</effective>
<citations><citation type="register">77 DCR 12</citation></citations>
<history><vote date="2030-02-03" reading="First"/><vote date="2030-03-04" reading="Final"/>
<enacted>2030-04-05</enacted><committee>Committee on Parks</committee></history></meta>
<section><num>2</num><text>The Benches Act of 2010, effective July 8, 2011 (D.C. Law 18-900;
D.C. Official Code &#167; 10-101 <em>et seq.</em>), is amended as follows:</text>
<para><num>(a)</num>
<text>Section 3 (D.C. Official Code &#167; 10-103(b)) is amended by adding:</text>
<include><para><codify:insert before="x">gone</codify:insert><num>(4)</num>
<text>"Bench" means a seat for more than one person</text></para></include>
<aftertext>.</aftertext></para>
<para><num>(b)</num><para><num>(1)</num><text>First.</text></para><para><num>(2)</num>
<text>Second.</text></para></para></section>
<section><num>3</num><heading>Fees.</heading><text>As in the Parks Act of 1999, effective May 6,
2017 (D.C. Law 21-1; 63 DCR 1), fees are:</text><text><table><tr><th>Seat</th><th>Fee</th></tr>
<tr><td>Wood</td><td>$5</td></tr></table></text></section></document>
"""


def reading_of(text: str) -> Reading:
    (reading,) = law_xml.read(SourceFile(name="90-1.xml", payload=text.encode()))
    return reading


def test_accepts_looks_for_the_vocabulary() -> None:
    assert law_xml.accepts(SourceFile(name="a", payload=LAW.encode()))
    assert not law_xml.accepts(SourceFile(name="a", payload=b"<document/>"))


def test_header_lines_show_dates_in_words() -> None:
    document = reading_of(LAW).document
    assert (document.title, document.date) == ("D.C. Law 90-1", "2030-06-07")
    assert (
        "Law: D.C. Law 90-1\nBill: Bill 90-5\nAct: D.C. Act 90-7\nRegister: 77 DCR 12\n"
        "Introduced: January 2, 2030\nCommittee: Committee on Parks\n"
        "Vote (First): February 3, 2030\nVote (Final): March 4, 2030\n"
        "Enacted: April 5, 2030\nEffective: June 7, 2030"
    ) in document.text


def test_paragraphs_are_indented_and_insertions_quoted() -> None:
    text = reading_of(LAW).document.text
    assert "Sec. 2. The Benches Act of 2010, effective July 8, 2011 (D.C. Law 18-900;" in text
    assert 'by adding:\n  "(4) "Bench" means a seat for more than one person".' in text
    assert "(b) (1) First.\n  (2) Second." in text
    assert "gone" not in text


def test_tables_take_the_title_of_their_section() -> None:
    reading = reading_of(LAW)
    text = reading.document.text
    assert "Sec. 3. Fees." in text
    assert "Seat | Fee\nWood | $5" in text
    (mark,) = [m for m in reading.marks if text[m.start : m.end] == "$5"]
    assert dict(mark.attributes) == {"row": "Wood", "column": "Fee", "table": "Fees"}
