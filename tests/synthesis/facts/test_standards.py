"""Facts of RFCs, each with the span that shows it."""

from longloom.synthesis.documents import xml2rfc
from longloom.synthesis.documents.reader import SourceFile
from longloom.synthesis.facts import standards

RFC = """<rfc number="9901" category="std" obsoletes="9001">
<front><title>Sample Protocol</title>
<author fullname="Ada Example" initials="A." surname="Example">
<organization>Example Labs</organization>
<address><postal><country>Norway</country></postal></address></author>
<date year="2021" month="May"/></front>
<middle><section title="Introduction"><t>See <xref target="BASE" section="4.2"/>.</t></section>
<section title="More"><t>Also <xref target="BASE" section="5" sectionFormat="bare"/>.</t></section>
</middle><back><references title="Normative References">
<reference anchor="BASE"><front><title>Base Protocol</title><date year="2020" month="January"/>
</front><seriesInfo name="RFC" value="9100"/></reference></references></back></rfc>
"""


def test_facts_and_their_spans() -> None:
    (reading,) = xml2rfc.read(SourceFile(name="rfc.xml", payload=RFC.encode()))
    text = reading.document.text
    facts = {
        (fact.subject, fact.relation, fact.value, text[fact.start : fact.end])
        for fact in standards.extract(reading)
    }
    assert facts == {
        ("Ada Example", "rfc.person_country", "Norway", "Norway"),
        ("Ada Example", "rfc.person_organization", "Example Labs", "Example Labs"),
        ("RFC 9100", "rfc.published", "2020-01", "January 2020"),
        ("RFC 9100", "rfc.title", "Base Protocol", "Base Protocol"),
        ("RFC 9901", "rfc.author", "Ada Example", "Ada Example"),
        ("RFC 9901", "rfc.category", "Standards Track", "Standards Track"),
        ("RFC 9901", "rfc.cites_normatively", "RFC 9100", "RFC 9100"),
        ("RFC 9901", "rfc.num_sections", "3", "3"),
        ("RFC 9901", "rfc.obsoletes", "RFC 9001", "RFC 9001"),
        ("RFC 9901", "rfc.organization", "Example Labs", "Example Labs"),
        ("RFC 9901", "rfc.published", "2021-05", "May 2021"),
        ("RFC 9901", "rfc.title", "Sample Protocol", "Sample Protocol"),
        (
            "Section 1 of RFC 9901",
            "rfc.section_refers_to",
            "Section 4.2 of RFC 9100",
            "Section 4.2 of [BASE]",
        ),
        (
            "Section 1 of RFC 9901",
            "rfc.section_refers_to_rfc",
            "RFC 9100",
            "Section 4.2 of [BASE]",
        ),
        ("Section 1 of RFC 9901", "rfc.section_title", "Introduction", "Introduction"),
        ("Section 2 of RFC 9901", "rfc.section_title", "More", "More"),
        (
            "Section 3 of RFC 9901",
            "rfc.section_title",
            "Normative References",
            "Normative References",
        ),
    }
