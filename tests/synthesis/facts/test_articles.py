"""Facts of articles, each with the span that shows it."""

import pytest

from longloom.records import DocumentKind
from longloom.synthesis.documents import jats
from longloom.synthesis.documents.building import DocumentBuilder
from longloom.synthesis.documents.reader import SourceFile
from longloom.synthesis.facts import articles
from longloom.synthesis.facts.countries import country_name

ARTICLE = """<article><front><journal-meta><journal-title>PLoS Tests</journal-title></journal-meta>
<article-meta><title-group><article-title>"Bees" at Work</article-title></title-group>
<contrib-group><contrib contrib-type="author"><name><surname>Lind</surname>
<given-names>Eva</given-names></name><xref ref-type="aff" rid="a1"/></contrib></contrib-group>
<aff id="a1"><label>1</label>Bee Institute, Lund, SWEDEN</aff>
<pub-date pub-type="epub"><day>3</day><month>2</month><year>2014</year></pub-date>
</article-meta></front><back><ref-list><ref><label>1</label><mixed-citation>One.</mixed-citation>
</ref><ref><label>2.</label><mixed-citation>Two.</mixed-citation></ref></ref-list></back></article>
"""


def test_facts_and_their_spans() -> None:
    (reading,) = jats.read(SourceFile(name="a.xml", payload=ARTICLE.encode()))
    text = reading.document.text
    facts = {
        (fact.subject, fact.relation, fact.value, text[fact.start : fact.end])
        for fact in articles.extract(reading)
    }
    name = "\"'Bees' at Work\""
    place = "Bee Institute, Lund, SWEDEN"
    assert facts == {
        (name, "article.title", '"Bees" at Work', '"Bees" at Work'),
        (name, "article.journal", "PLOS Tests", "PLoS Tests"),
        (name, "article.author", "Eva Lind", "Eva Lind"),
        (name, "article.affiliation", place, place),
        (name, "article.author_country", "Sweden", "SWEDEN"),
        (name, "article.published", "2014-02-03", "3 February 2014"),
        (name, "article.num_references", "2", "2"),
        ("Eva Lind", "article.person_affiliation", place, place),
        ("Eva Lind", "article.person_country", "Sweden", "SWEDEN"),
    }


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("UK", "United Kingdom"),
        ("U.S.A.", "United States of America"),
        ("The Netherlands", "Netherlands"),
        ("NORWAY", "Norway"),
        ("Maryland 20892", ""),
        ("", ""),
    ],
)
def test_countries_have_one_name(text: str, name: str) -> None:
    assert country_name(text) == name


def test_documents_of_another_genre_give_nothing() -> None:
    builder = DocumentBuilder(
        title="t", kind=DocumentKind.GENERAL, genre="novel", source="s", licence="l"
    )
    assert articles.extract(builder.build()) == []
