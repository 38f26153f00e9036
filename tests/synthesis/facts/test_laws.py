"""Facts of laws: header, citations with their grammar, definitions."""

from longloom.synthesis.documents import law_xml
from longloom.synthesis.documents.reader import SourceFile
from longloom.synthesis.facts import laws

LAW = """<document xmlns="https://code.dccouncil.us/schemas/dc-library">
<num type="law">90-1</num><heading type="short">Benches Amendment Act of 2030</heading>
<meta><effective>2030-06-07</effective></meta>
<section><num>2</num><text>The Park Benches Act of 2010, effective July 8, 2011 (D.C. Law 18-900;
D.C. Official Code &#167; 10-101 <em>et seq.</em>), is amended as follows:</text>
<para><num>(a)</num><text>Section 3(b) (D.C. Official Code &#167; 10-103(b)) is amended by adding
"Bench" means a seat.</text></para></section>
<section><num>3</num><text>As in section 9 of the Parks and Roads Act of 1999, effective May 6,
2017 (D.C. Law 21-1; 63 DCR 1), and in section 4 of the Old Parks Act of 1990, effective March 1,
1991 (D.C. Law 8-5; D.C. Official Code &#167; 3-104(a)), it is so.</text></section></document>
"""


def test_facts_and_their_spans() -> None:
    (reading,) = law_xml.read(SourceFile(name="l.xml", payload=LAW.encode()))
    text = reading.document.text
    facts = {
        (fact.subject, fact.relation, fact.value, text[fact.start : fact.end])
        for fact in laws.extract(reading)
    }
    law = "D.C. Law 90-1"
    section = "D.C. Official Code \u00a7 10-103"
    code = "D.C. Official Code \u00a7 10-101"
    assert facts == {
        (law, "law.title", "Benches Amendment Act of 2030", "Benches Amendment Act of 2030"),
        (law, "law.effective", "2030-06-07", "June 7, 2030"),
        (law, "law.amends", "D.C. Law 18-900", "D.C. Law 18-900"),
        (law, "law.cites", "D.C. Law 18-900", "D.C. Law 18-900"),
        (law, "law.cites", "D.C. Law 8-5", "D.C. Law 8-5"),
        (law, "law.amends_section", section, section),
        (law, "law.defines", "Bench", "Bench"),
        ("D.C. Law 18-900", "law.title", "Park Benches Act of 2010", "Park Benches Act of 2010"),
        ("D.C. Law 18-900", "law.effective", "2011-07-08", "July 8, 2011"),
        ("D.C. Law 18-900", "law.codified_from", code, code),
        ("D.C. Law 8-5", "law.title", "Old Parks Act of 1990", "Old Parks Act of 1990"),
        ("D.C. Law 8-5", "law.effective", "1991-03-01", "March 1, 1991"),
    }


def test_a_number_that_does_not_fit_the_year_of_the_act_is_not_believed() -> None:
    (reading,) = law_xml.read(SourceFile(name="l.xml", payload=LAW.encode()))
    assert all("21-1" not in (fact.value + fact.subject) for fact in laws.extract(reading))
