"""Facts of control catalogues: families, titles, relations between controls, and parameters."""

from longloom.synthesis.documents.building import Mark, Reading
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.facts.relation import EntityKind, Relation

GENRE = "control catalogue"
CONTROL = "control"
FAMILY = "control family"

KINDS: tuple[EntityKind, ...] = (
    EntityKind(name=CONTROL, plural="controls"),
    EntityKind(name=FAMILY, plural="control families"),
    EntityKind(name="control parameter", plural="control parameters"),
    EntityKind(name="publication", plural="publications"),
)


def _of_control(
    name: str,
    value_kind: str,
    question: str,
    noun: str,
    clause: str,
    *,
    is_functional: bool = False,
) -> Relation:
    return Relation(
        name=f"control.{name}",
        subject_kind=CONTROL,
        value_kind=value_kind,
        question=question,
        noun=noun,
        clause=clause,
        is_functional=is_functional,
    )


RELATIONS: tuple[Relation, ...] = (
    _of_control(
        "enhances",
        CONTROL,
        "Of which control is {x} an enhancement?",
        "the control that {x} enhances",
        "that is an enhancement of {v}",
        is_functional=True,
    ),
    _of_control(
        "examine",
        "text",
        "What is to be examined to assess {x}?",
        "something to be examined to assess {x}",
        'for whose assessment "{v}" is to be examined',
    ),
    _of_control(
        "family",
        FAMILY,
        "To which control family does {x} belong?",
        "the control family of {x}",
        "in the control family {v}",
        is_functional=True,
    ),
    _of_control(
        "implemented_by",
        "text",
        "At which level (organization or system) is {x} implemented?",
        "the level (organization or system) at which {x} is implemented",
        "implemented by the {v}",
    ),
    _of_control(
        "interview",
        "text",
        "Who is to be interviewed to assess {x}?",
        "those to be interviewed to assess {x}",
        'for whose assessment "{v}" are to be interviewed',
    ),
    _of_control(
        "reference",
        "publication",
        "Which publication is listed as a reference of {x}?",
        "a publication listed as a reference of {x}",
        "that lists {v} as a reference",
    ),
    _of_control(
        "related",
        CONTROL,
        "Which control does {x} list as related?",
        "a control that {x} lists as related",
        "that lists {v} as a related control",
    ),
    _of_control(
        "test",
        "text",
        "What is to be tested to assess {x}?",
        "something to be tested to assess {x}",
        'for whose assessment "{v}" is to be tested',
    ),
    _of_control(
        "title",
        "text",
        "What is the title of {x}?",
        "the title of {x}",
        'titled "{v}"',
        is_functional=True,
    ),
    Relation(
        name="control.parameter",
        subject_kind="control parameter",
        value_kind="text",
        question="What does {x} stand for?",
        noun="what {x} stands for",
        clause='that stands for "{v}"',
    ),
)

_METHODS = frozenset(["examine", "interview", "test"])
_VALUE_KINDS = {relation.name: relation.value_kind for relation in RELATIONS}


def extract(reading: Reading) -> list[Fact]:
    """Return the facts of a family of controls; nothing for documents of another genre."""
    if reading.document.genre != GENRE:
        return []
    facts: dict[tuple[str, str, str], Fact] = {}
    family: Mark | None = None
    for mark in reading.marks:
        attributes = mark.attributes
        if mark.name == "control" and family is not None:
            value = family.attributes["value"]
            fact = _fact(reading, family, attributes["control"], "family", value)
            facts[(fact.subject, fact.relation, value)] = fact
        if mark.name != "header":
            continue
        name, value = attributes["name"], attributes["value"]
        if name == "family":
            family = mark
        elif f"control.{name}" in _VALUE_KINDS and not value.startswith("other relevant"):
            subject = f"parameter {attributes['parameter']}" if name == "parameter" else ""
            if name in _METHODS:
                value = _lowered(value)
            fact = _fact(reading, mark, subject or attributes["control"], name, value)
            facts.setdefault((fact.subject, fact.relation, value), fact)
    return list(facts.values())


def _lowered(text: str) -> str:
    """Return an entry of a list without the capital that its first place gives it."""
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def _fact(reading: Reading, mark: Mark, subject: str, name: str, value: str) -> Fact:
    relation = f"control.{name}"
    return Fact(
        subject=subject,
        relation=relation,
        value=value,
        value_kind=_VALUE_KINDS[relation],
        subject_kind="control parameter" if name == "parameter" else CONTROL,
        doc_id=reading.document.doc_id,
        start=mark.start,
        end=mark.end,
        certainty=1,
    )
