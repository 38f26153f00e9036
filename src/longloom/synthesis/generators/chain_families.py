"""Families of chains: bridges over entities, and chains that the documents do not finish."""

from longloom.synthesis.generators.draft import Draft
from longloom.synthesis.generators.inquiry import Inquiry
from longloom.synthesis.generators.questions import answer_format
from longloom.synthesis.programs.graph import Follow, Only
from longloom.synthesis.programs.graph_sets import NOT_STATED, Unanswerable
from longloom.synthesis.programs.node import Program

IF_MISSING = " If the documents given do not state it, answer: not stated."

_CAUTION_SHARE = 0.06
_MISSING_SHARE = 0.3


def bridge(inquiry: Inquiry) -> Draft | None:
    """Ask for a value at the end of a walk from a described entity."""
    num_stops = inquiry.rng.choice((1, 1, 2, 2, 3, 4))
    return _chain(inquiry, num_stops=num_stops, is_named=False, asks_entity=False)


def named_bridge(inquiry: Inquiry) -> Draft | None:
    """Ask for a value at the end of a walk from a named entity."""
    num_stops = inquiry.rng.choice((1, 2, 2, 3))
    return _chain(inquiry, num_stops=num_stops, is_named=True, asks_entity=False)


def bridge_to_entity(inquiry: Inquiry) -> Draft | None:
    """Ask for the entity at the end of a walk."""
    num_stops = inquiry.rng.choice((1, 2, 2, 3))
    return _chain(inquiry, num_stops=num_stops, is_named=False, asks_entity=True)


def _chain(inquiry: Inquiry, *, num_stops: int, is_named: bool, asks_entity: bool) -> Draft | None:
    path = inquiry.sampler.sample(
        inquiry.rng, num_stops=num_stops, is_named=is_named, asks_entity=asks_entity
    )
    if path is None:
        return None
    question = inquiry.asker.path(path)
    # A way out that is sometimes offered in vain gives nothing away where it is needed.
    if question is not None and inquiry.rng.random() < _CAUTION_SHARE:
        question += IF_MISSING
    return inquiry.draft(
        question,
        path.program,
        answer=path.answer,
        ability="temporal" if path.value_kind == "date" else "multi_fact",
        num_hops=path.num_hops,
        value_kind=path.value_kind,
    )


def far_bridge(inquiry: Inquiry) -> Draft | None:
    """Ask for a value at the far end of a breadth-first search."""
    if not inquiry.scene.entities:
        return None
    start = inquiry.scene.some_entity(inquiry.rng)
    paths = inquiry.sampler.breadth_first(start, inquiry.rng)
    if not paths:
        return None
    longest = max(path.num_hops for path in paths)
    path = inquiry.rng.choice([path for path in paths if path.num_hops == longest])
    return inquiry.draft(
        inquiry.asker.path(path),
        path.program,
        answer=path.answer,
        ability="temporal" if path.value_kind == "date" else "multi_fact",
        num_hops=path.num_hops,
        value_kind=path.value_kind,
    )


def missing(inquiry: Inquiry) -> Draft | None:
    """Ask for a value of a document that one of those given names but that is not given."""
    if not inquiry.scene.entities or inquiry.rng.random() > _MISSING_SHARE:
        return None
    entity = inquiry.scene.some_entity(inquiry.rng)
    absent = [
        fact
        for fact in inquiry.scene.facts_by_entity[entity]
        if inquiry.scene.vocabulary.kind(fact.value_kind).is_document
        and fact.value not in inquiry.scene.facts_by_entity
        and len({other.value for other in inquiry.world.facts_of(entity, fact.relation)}) == 1
    ]
    anchor = inquiry.scene.describe(entity, inquiry.rng)
    # Pages are of any sort: nobody asks for the height of a stadium's league.
    is_sensible = inquiry.scene.kind_by_entity[entity] != "page"
    if not absent or anchor is None or not is_sensible:
        return None
    fact = inquiry.rng.choice(absent)
    asked = _asked_of_kind(inquiry, fact.value_kind)
    if asked is None:
        return None
    relation, value_kind = asked
    last = Only(Follow(anchor, fact.relation))
    inner = Follow(last, relation)
    question = inquiry.asker.value(
        last, relation, answer_format("0000-00-00", value_kind) + IF_MISSING, {}
    )
    program: Program = Unanswerable(inner, last)
    return inquiry.draft(
        question,
        program,
        answer=NOT_STATED,
        ability="unanswerable",
        num_hops=2,
        min_documents=1,
    )


def _asked_of_kind(inquiry: Inquiry, kind: str) -> tuple[str, str] | None:
    """Draw a relation that other entities of the kind state, and its kind of value."""
    names = {
        (name, fact.value_kind): None
        for entity in inquiry.scene.entities
        if inquiry.scene.kind_by_entity[entity] == kind
        for name, fact in inquiry.scene.values(entity).items()
        if fact.certainty == 1 and fact.value_kind in ("date", "text", "person")
    }
    return inquiry.rng.choice(list(names)) if names else None
