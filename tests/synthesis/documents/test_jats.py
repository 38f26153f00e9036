"""Articles: front matter in lines, sections, tables, formulas and references."""

import pytest

from longloom.errors import DataError
from longloom.synthesis.documents import jats
from longloom.synthesis.documents.building import Reading
from longloom.synthesis.documents.reader import SourceFile

ARTICLE = """<!DOCTYPE article PUBLIC "-//X//DTD" "http://x.test/a.dtd">
<article xmlns:xlink="http://www.w3.org/1999/xlink"><front>
<journal-meta><journal-title-group><journal-title>PLoS Tests</journal-title></journal-title-group>
</journal-meta><article-meta>
<article-categories><subj-group subj-group-type="heading"><subject>Research Article</subject>
</subj-group><subj-group><subject>Biology</subject><subj-group><subject>Bees</subject></subj-group>
</subj-group></article-categories>
<title-group><article-title>On <italic>Bees</italic></article-title></title-group>
<contrib-group><contrib contrib-type="author" corresp="yes"><name><surname>Lind</surname>
<given-names>Eva</given-names></name><xref ref-type="aff" rid="a1"/></contrib></contrib-group>
<aff id="a1"><label>1</label><addr-line>Bee Institute, Lund, Sweden</addr-line></aff>
<contrib-group><contrib contrib-type="editor"><name><surname>Rossi</surname>
<given-names>Ugo</given-names></name><xref ref-type="aff" rid="e1"/></contrib></contrib-group>
<aff id="e1">Pisa University, ITALY</aff>
<pub-date pub-type="epub"><day>3</day><month>2</month><year>2014</year></pub-date>
<volume>7</volume><history><date date-type="received"><day>1</day><month>12</month>
<year>2013</year></date></history>
<permissions><license xlink:href="http://creativecommons.org/licenses/by/4.0/"><license-p>Open.
</license-p></license></permissions>
<abstract><p>Bees <xref ref-type="bibr" rid="r1">[1]</xref> fly 10<sup>3</sup> m.</p></abstract>
</article-meta></front>
<body><sec><title>Results</title><p>We saw:</p>
<list list-type="bullet"><list-item><p>one</p></list-item><list-item><p>two</p></list-item></list>
<fig><label>Figure 1</label><caption><title>A bee.</title><p>It sits.</p></caption></fig>
<disp-formula><math><mfrac><mi>a</mi><mrow><mi>b</mi><mo>+</mo><mi>c</mi></mrow></mfrac></math>
<label>(1)</label></disp-formula>
<table-wrap><label>Table 1</label><caption><title>Weights.</title></caption><table>
<thead><tr><th>Bee</th><th>Weight<sup>a</sup></th></tr></thead>
<tbody><tr><td>Queen</td><td>200 mg</td></tr></tbody></table>
<table-wrap-foot><fn><label>a</label><p>Dry.</p></fn></table-wrap-foot></table-wrap></sec></body>
<back><ref-list><title>References</title>
<ref><label>1</label><mixed-citation><name><surname>Beck</surname><given-names>A</given-names>
</name> (<year>2001</year>) <article-title>Wax</article-title>. <source>Hives</source>
</mixed-citation></ref>
<ref><label>2</label><element-citation><person-group><name><surname>Cole</surname>
<given-names>B</given-names></name></person-group><year>2002</year>
<article-title>Honey.</article-title><source>Hives</source><volume>3</volume><fpage>4</fpage>
<lpage>9</lpage></element-citation></ref></ref-list></back></article>
"""


def reading_of(text: str) -> Reading:
    (reading,) = jats.read(SourceFile(name="a.xml", payload=text.encode(), licence="unknown"))
    return reading


def test_front_matter_is_written_in_lines() -> None:
    document = reading_of(ARTICLE).document
    assert document.text.startswith("On Bees\n\nJournal: PLoS Tests\nVolume: 7\n")
    assert "Author: Eva Lind (affiliation 1), corresponding author\n" in document.text
    assert "Affiliation 1: Bee Institute, Lund, Sweden\n" in document.text
    assert "Editor: Ugo Rossi (Pisa University, ITALY)\n" in document.text
    assert "Received: 1 December 2013\nPublished: 3 February 2014" in document.text


def test_licence_and_date_are_those_of_the_article() -> None:
    document = reading_of(ARTICLE).document
    assert (document.licence, document.date) == ("CC BY 4.0", "2014-02-03")
    other = ARTICLE.replace("licenses/by/4.0", "publicdomain/zero/1.0")
    assert reading_of(other).document.licence == "CC0 1.0"


def test_body_keeps_powers_lists_formulas_and_captions() -> None:
    text = reading_of(ARTICLE).document.text
    assert "Bees [1] fly 10^3 m." in text
    assert "We saw:\n\n- one\n- two\n\nFigure 1. A bee. It sits.\n\na/(b+c) (1)" in text


def test_table_cells_are_marked_without_marks_of_footnotes() -> None:
    reading = reading_of(ARTICLE)
    text = reading.document.text
    assert "Table 1. Weights.\n\nBee | Weight^a\nQueen | 200 mg\n\na: Dry." in text
    (mark,) = [m for m in reading.marks if text[m.start : m.end] == "200 mg"]
    assert dict(mark.attributes) == {"row": "Queen", "column": "Weight", "table": "Weights"}


def test_references_read_alike_in_both_markups() -> None:
    text = reading_of(ARTICLE).document.text
    assert "1. Beck A (2001) Wax. Hives\n2. Cole B (2002) Honey. Hives 3: 4-9." in text


@pytest.mark.parametrize("payload", [b"<article/>", b"<rfc/>"])
def test_what_is_no_article_is_refused(payload: bytes) -> None:
    with pytest.raises(DataError):
        list(jats.read(SourceFile(name="a.xml", payload=payload)))
