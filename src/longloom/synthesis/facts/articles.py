"""Facts of scholarly articles: people, places, dates, subjects and counts.

An article goes by its title in quotation marks, so that questions read well.
"""

from longloom.synthesis.documents.building import Mark, Reading
from longloom.synthesis.facts.countries import country_name
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.facts.relation import EntityKind, Relation

GENRE = "article"
ARTICLE = "article"
PERSON = "person"

KINDS: tuple[EntityKind, ...] = (
    EntityKind(name=ARTICLE, plural="articles", article="an", is_document=True),
    EntityKind(name="journal", plural="journals"),
    EntityKind(name=PERSON, plural="people"),
    EntityKind(name="country", plural="countries"),
)


def _of_article(
    name: str,
    value_kind: str,
    question: str,
    noun: str,
    clause: str,
    *,
    is_functional: bool = True,
    is_key: bool = False,
) -> Relation:
    return Relation(
        name=f"article.{name}",
        subject_kind=ARTICLE,
        value_kind=value_kind,
        question=question,
        noun=noun,
        clause=clause,
        is_functional=is_functional,
        is_key=is_key,
    )


RELATIONS: tuple[Relation, ...] = (
    _of_article(
        "accepted",
        "date",
        "When was {x} accepted for publication?",
        "the date on which {x} was accepted for publication",
        "accepted {v}",
    ),
    _of_article(
        "affiliation",
        "text",
        "Which affiliation is given for an author or editor of {x}?",
        "an affiliation given for an author or editor of {x}",
        'with an author or editor affiliated with "{v}"',
        is_functional=False,
    ),
    _of_article(
        "author",
        PERSON,
        "Who is an author of {x}?",
        "an author of {x}",
        "with {v} as an author",
        is_functional=False,
    ),
    _of_article(
        "author_country",
        "country",
        "In which country is an author of {x} affiliated?",
        "a country in which an author of {x} is affiliated",
        "with an author affiliated in {v}",
        is_functional=False,
    ),
    _of_article(
        "corresponding_author",
        PERSON,
        "Who is the corresponding author of {x}?",
        "the corresponding author of {x}",
        "with {v} as a corresponding author",
        is_functional=False,
    ),
    _of_article(
        "doi",
        "text",
        "What is the DOI of {x}?",
        "the DOI of {x}",
        "with the DOI {v}",
        is_key=True,
    ),
    _of_article(
        "editor",
        PERSON,
        "Who is the editor of {x}?",
        "the editor of {x}",
        "edited by {v}",
    ),
    _of_article(
        "editor_country",
        "country",
        "In which country is the editor of {x} affiliated?",
        "the country in which the editor of {x} is affiliated",
        "whose editor is affiliated in {v}",
    ),
    _of_article(
        "issue",
        "number",
        "In which issue number of its journal's volume did {x} appear?",
        "the issue number of {x}",
        "with the issue number {v}",
    ),
    _of_article(
        "journal",
        "journal",
        "In which journal did {x} appear?",
        "the journal in which {x} appeared",
        "that appeared in {v}",
    ),
    _of_article(
        "num_figures",
        "number",
        "How many numbered figures does {x} have?",
        "the number of numbered figures of {x}",
        "with {v} numbered figures",
    ),
    _of_article(
        "num_pages",
        "number",
        "How many pages is {x} said to have?",
        "the number of pages that {x} is said to have",
        "said to have {v} pages",
    ),
    _of_article(
        "num_references",
        "number",
        "How many entries does the list of references of {x} have?",
        "the number of entries in the list of references of {x}",
        "with {v} entries in its list of references",
    ),
    _of_article(
        "num_tables",
        "number",
        "How many numbered tables does {x} have?",
        "the number of numbered tables of {x}",
        "with {v} numbered tables",
    ),
    _of_article(
        "number",
        "text",
        "What is the article number of {x}?",
        "the article number of {x}",
        "with the article number {v}",
        is_key=True,
    ),
    _of_article(
        "published",
        "date",
        "When was {x} published?",
        "the date on which {x} was published",
        "published {v}",
    ),
    _of_article(
        "received",
        "date",
        "When was {x} received by the journal?",
        "the date on which the journal received {x}",
        "received by the journal {v}",
    ),
    _of_article(
        "revised",
        "date",
        "When was the revised version of {x} received?",
        "the date on which the revised version of {x} was received",
        "received in revised form {v}",
        is_functional=False,
    ),
    _of_article(
        "subject",
        "text",
        "Under which subject is {x} listed?",
        "a subject under which {x} is listed",
        'listed under the subject "{v}"',
        is_functional=False,
    ),
    _of_article(
        "title",
        "text",
        "What is the title of {x}?",
        "the title of {x}",
        'titled "{v}"',
        is_key=True,
    ),
    _of_article(
        "type",
        "text",
        "Which type of article is {x} said to be?",
        "the type of article that {x} is said to be",
        'of the type "{v}"',
    ),
    _of_article(
        "volume",
        "number",
        "In which volume of its journal did {x} appear?",
        "the number of the volume in which {x} appeared",
        "that appeared in volume {v} of its journal",
    ),
    Relation(
        name="article.person_affiliation",
        subject_kind=PERSON,
        value_kind="text",
        question="Which affiliation is given for {x}?",
        noun="the affiliation given for {x}",
        clause='affiliated with "{v}"',
    ),
    Relation(
        name="article.person_country",
        subject_kind=PERSON,
        value_kind="country",
        question="In which country is {x} affiliated?",
        noun="the country in which {x} is affiliated",
        clause="affiliated in {v}",
    ),
)

_VALUE_KINDS = {relation.name: relation.value_kind for relation in RELATIONS}


def article_name(title: str) -> str:
    """Return the display name of an article."""
    return '"' + title.replace('"', "'") + '"'


def extract(reading: Reading) -> list[Fact]:
    """Return the facts of an article; nothing for documents of another genre."""
    if reading.document.genre != GENRE:
        return []
    article = article_name(reading.document.title)
    headers = [mark for mark in reading.marks if mark.name == "header"]
    editors = {mark.attributes["value"] for mark in headers if mark.attributes["name"] == "editor"}
    facts: dict[tuple[str, str, str], Fact] = {}
    for mark in headers:
        for subject, name, value in _statements(mark, article, editors):
            relation = f"article.{name}"
            if relation in _VALUE_KINDS:
                fact = _fact(reading, mark, subject, relation, value)
                facts.setdefault((subject, relation, value), fact)
    return list(facts.values())


def _statements(mark: Mark, article: str, editors: set[str]) -> list[tuple[str, str, str]]:
    """Return subject, name of the relation and value of what a mark states."""
    name, value = mark.attributes["name"], mark.attributes["value"]
    person = mark.attributes.get("person", "")
    if name == "country":
        country = country_name(value)
        if not country:
            return []
        role = "editor_country" if person in editors else "author_country"
        return [(person, "person_country", country), (article, role, country)]
    if name == "affiliation":
        return [(person, "person_affiliation", value), (article, "affiliation", value)]
    return [(article, name, value)]


def _fact(reading: Reading, mark: Mark, subject: str, relation: str, value: str) -> Fact:
    return Fact(
        subject=subject,
        relation=relation,
        value=value,
        value_kind=_VALUE_KINDS[relation],
        subject_kind=PERSON if relation.startswith("article.person_") else ARTICLE,
        doc_id=reading.document.doc_id,
        start=mark.start,
        end=mark.end,
        certainty=1,
    )
