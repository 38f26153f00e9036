"""Facts of RFCs: front matter, lists of references, sections and what they refer to."""

import re
from collections.abc import Iterator

from longloom.synthesis.documents.building import Mark, Reading
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.facts.relation import EntityKind, Relation

GENRE = "standard"
RFC = "RFC"
SECTION = "RFC section"
PERSON = "person"
ORGANIZATION = "organization"

KINDS: tuple[EntityKind, ...] = (
    EntityKind(name=RFC, plural="RFCs", article="an", is_document=True),
    EntityKind(name=SECTION, plural="RFC sections", article="an"),
    EntityKind(name=ORGANIZATION, plural="organizations", article="an"),
    EntityKind(name=PERSON, plural="people"),
)


def _of_rfc(
    name: str,
    value_kind: str,
    question: str,
    noun: str,
    clause: str,
    *,
    is_functional: bool = False,
    is_key: bool = False,
) -> Relation:
    return Relation(
        name=f"rfc.{name}",
        subject_kind=RFC,
        value_kind=value_kind,
        question=question,
        noun=noun,
        clause=clause,
        is_functional=is_functional,
        is_key=is_key,
    )


RELATIONS: tuple[Relation, ...] = (
    _of_rfc(
        "area",
        "text",
        "To which IETF area does {x} belong?",
        "the IETF area of {x}",
        'assigned to the IETF area "{v}"',
        is_functional=True,
    ),
    _of_rfc(
        "author",
        PERSON,
        "Who is named as an author of {x}?",
        "an author of {x}",
        "that names {v} as an author",
    ),
    _of_rfc(
        "category",
        "text",
        "What is the category of {x}?",
        "the category of {x}",
        'of the category "{v}"',
        is_functional=True,
    ),
    _of_rfc(
        "cites_informatively",
        RFC,
        "Which RFC does {x} list as an informative reference?",
        "an RFC that {x} lists as an informative reference",
        "that lists {v} as an informative reference",
    ),
    _of_rfc(
        "cites_normatively",
        RFC,
        "Which RFC does {x} list as a normative reference?",
        "an RFC that {x} lists as a normative reference",
        "that lists {v} as a normative reference",
    ),
    _of_rfc(
        "editor",
        PERSON,
        "Who is named as an editor of {x}?",
        "an editor of {x}",
        "that names {v} as an editor",
    ),
    _of_rfc(
        "keyword",
        "text",
        "Which keyword is listed for {x}?",
        "a keyword listed for {x}",
        'with the keyword "{v}"',
    ),
    _of_rfc(
        "num_sections",
        "number",
        "How many numbered top-level sections (references included) does {x} have?",
        "the number of numbered top-level sections (references included) of {x}",
        "with {v} numbered top-level sections (references included)",
        is_functional=True,
    ),
    _of_rfc(
        "obsoletes",
        RFC,
        "Which RFC does {x} make obsolete?",
        "an RFC that {x} makes obsolete",
        "that makes {v} obsolete",
    ),
    _of_rfc(
        "organization",
        ORGANIZATION,
        "Which organization is given for an author or editor of {x}?",
        "an organization given for an author or editor of {x}",
        "that gives {v} as the organization of an author or editor",
    ),
    _of_rfc(
        "published",
        "date",
        "When was {x} published?",
        "the date on which {x} was published",
        "published {v}",
        is_functional=True,
    ),
    _of_rfc(
        "series",
        "text",
        "Which number does {x} have in the STD series?",
        "the number of {x} in the STD series",
        "that is {v}",
        is_functional=True,
        is_key=True,
    ),
    _of_rfc(
        "title",
        "text",
        "What is the title of {x}?",
        "the title of {x}",
        'titled "{v}"',
        is_functional=True,
        is_key=True,
    ),
    _of_rfc(
        "updates",
        RFC,
        "Which RFC does {x} update?",
        "an RFC that {x} updates",
        "that updates {v}",
    ),
    _of_rfc(
        "workgroup",
        "text",
        "Which working group is named for {x}?",
        "the working group named for {x}",
        'for which the working group "{v}" is named',
        is_functional=True,
    ),
    Relation(
        name="rfc.person_country",
        subject_kind=PERSON,
        value_kind="text",
        question="Which country stands in the postal address of {x}?",
        noun="the country in the postal address of {x}",
        clause="with a postal address in {v}",
    ),
    Relation(
        name="rfc.person_organization",
        subject_kind=PERSON,
        value_kind=ORGANIZATION,
        question="Which organization is given for {x} as an author or editor of an RFC?",
        noun="the organization given for {x} as an author or editor of an RFC",
        clause="for whom {v} is given as the organization",
    ),
    Relation(
        name="rfc.section_refers_to",
        subject_kind=SECTION,
        value_kind=SECTION,
        question="Which section of another RFC does {x} refer to?",
        noun="a section of another RFC that {x} refers to",
        clause="that refers to {v}",
    ),
    Relation(
        name="rfc.section_refers_to_rfc",
        subject_kind=SECTION,
        value_kind=RFC,
        question="Which other RFC does the text of {x} refer to?",
        noun="another RFC that the text of {x} refers to",
        clause="whose text refers to {v}",
    ),
    Relation(
        name="rfc.section_title",
        subject_kind=SECTION,
        value_kind="text",
        question="What is the title of {x}?",
        noun="the title of {x}",
        clause='titled "{v}"',
    ),
)

_VALUE_KINDS = {relation.name: relation.value_kind for relation in RELATIONS}
_CITED = {"cited title": "title", "cited date": "published"}
_TOP_LEVEL = re.compile(r"[0-9]+")


def extract(reading: Reading) -> list[Fact]:
    """Return the facts of an RFC; nothing for documents of another genre."""
    if reading.document.genre != GENRE:
        return []
    rfc = reading.document.title
    facts: dict[tuple[str, str, str], Fact] = {}
    for mark in reading.marks:
        for subject, relation, value in _statements(mark, rfc):
            fact = _fact(reading, mark, subject, relation, value)
            facts.setdefault((subject, relation, value), fact)
    last = [
        mark
        for mark in reading.marks
        if mark.name == "section number" and _TOP_LEVEL.fullmatch(mark.attributes["number"])
    ]
    if last:
        number = last[-1].attributes["number"]
        fact = _fact(reading, last[-1], rfc, "rfc.num_sections", number)
        facts[(rfc, "rfc.num_sections", number)] = fact
    return list(facts.values())


def _statements(mark: Mark, rfc: str) -> Iterator[tuple[str, str, str]]:
    """Yield subject, relation and value of what a mark states."""
    attributes = mark.attributes
    match mark.name:
        case "header":
            yield from _header_statements(mark, rfc)
        case "cited":
            if attributes["target"] != rfc:
                yield rfc, f"rfc.cites_{attributes['value']}ly", attributes["target"]
        case "cited title" | "cited date":
            yield attributes["target"], f"rfc.{_CITED[mark.name]}", attributes["value"]
        case "section":
            yield _section(attributes["number"], rfc), "rfc.section_title", attributes["title"]
        case "reference":
            yield from _reference_statements(mark, rfc)


def _header_statements(mark: Mark, rfc: str) -> Iterator[tuple[str, str, str]]:
    name, value = mark.attributes["name"], mark.attributes["value"]
    person = mark.attributes["person"]
    if person and name in ("organization", "country"):
        yield person, f"rfc.person_{name}", value
    if f"rfc.{name}" in _VALUE_KINDS:
        yield rfc, f"rfc.{name}", value


def _reference_statements(mark: Mark, rfc: str) -> Iterator[tuple[str, str, str]]:
    """Yield what a reference in the text states, by the number or by the label that it shows."""
    target, origin = mark.attributes["target"], mark.attributes["origin"]
    number = mark.attributes["section"]
    if not origin or target == rfc or mark.end - mark.start < len(mark.attributes["label"]):
        return  # no place of its own, or only `Section 4.2` is shown without the RFC
    subject = _section(origin, rfc)
    yield subject, "rfc.section_refers_to_rfc", target
    if number:
        yield subject, "rfc.section_refers_to", _section(number, target)


def _section(number: str, rfc: str) -> str:
    """Return the display name of a section."""
    word = "Section" if number[:1].isdigit() else "Appendix"
    return f"{word} {number} of {rfc}"


def _fact(reading: Reading, mark: Mark, subject: str, relation: str, value: str) -> Fact:
    if relation.startswith("rfc.person_"):
        subject_kind = PERSON
    else:
        subject_kind = SECTION if relation.startswith("rfc.section_") else RFC
    return Fact(
        subject=subject,
        relation=relation,
        value=value,
        value_kind=_VALUE_KINDS[relation],
        subject_kind=subject_kind,
        doc_id=reading.document.doc_id,
        start=mark.start,
        end=mark.end,
        certainty=1,
    )
