"""Families of sets: counts over documents, what two entities share, the first of a set."""

from collections.abc import Sequence

from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.generators.draft import Draft
from longloom.synthesis.generators.inquiry import Inquiry
from longloom.synthesis.generators.questions import sentence
from longloom.synthesis.generators.vocabulary import QUOTED_KINDS
from longloom.synthesis.generators.wording import relation_head
from longloom.synthesis.programs.coarsening import date_rungs
from longloom.synthesis.programs.comparison import GREATEST, LEAST, Compare, OrderOf
from longloom.synthesis.programs.graph import Described, Follow, Inverse
from longloom.synthesis.programs.graph_sets import Count, Exactly, Intersection
from longloom.synthesis.programs.node import Program
from longloom.synthesis.programs.predicates import Equals, Trace, trace_of

_MAX_MEMBERS = 12
_PAIR_SHARE = 0.3
"""Of the sets with two members, so many are counted: "two" is too easily guessed."""
_UNCOUNTED = ("code.constant_", "code.default_")
"""Whether an attribute is a constant is a matter of taste."""
_MAX_RANKED = 6


def count_described(inquiry: Inquiry) -> Draft | None:
    """Ask how many entities of several documents satisfy one or two predicates."""
    return _count(inquiry, min_documents=2)


def count_within(inquiry: Inquiry) -> Draft | None:
    """Ask how many entities satisfy one or two predicates, in one document or several."""
    return _count(inquiry, min_documents=1)


def _count(inquiry: Inquiry, *, min_documents: int) -> Draft | None:
    drawn = _described_set(inquiry, most=_MAX_MEMBERS, min_documents=min_documents)
    if drawn is None:
        return None
    described, trace = drawn
    if len(trace) == 2 and inquiry.rng.random() > _PAIR_SHARE:
        return None
    if any(getattr(one, "relation", "").startswith(_UNCOUNTED) for one in described.predicates):
        return None
    clauses = inquiry.scene.phraser.set_clauses(described, {})
    return inquiry.draft(
        inquiry.asker.count(described.kind, clauses) if clauses else None,
        Count(described),
        answer=str(len(trace)),
        ability="aggregation",
        num_hops=min_documents,
        value_kind="number",
        min_documents=min_documents,
    )


def count_naming(inquiry: Inquiry) -> Draft | None:
    """Ask how many entities name one that is described or named."""
    path = inquiry.sampler.sample(inquiry.rng, num_stops=0, is_named=inquiry.rng.random() < 0.5)
    if path is None:
        return None
    naming = [move for move in inquiry.sampler.moves(path.entities[0]) if move.is_inverse]
    if not naming:
        return None
    inverse = Inverse(path.anchor, inquiry.rng.choice(naming).relation)
    trace = inverse.trace(inquiry.world)
    kind, clauses = inquiry.scene.phraser.kind_of(inverse), None
    if len(trace) == 2 and inquiry.rng.random() > _PAIR_SHARE:
        return None
    if kind is not None and kind not in QUOTED_KINDS and 2 <= len(trace) <= _MAX_MEMBERS:
        clauses = inquiry.scene.phraser.set_clauses(inverse, {})
    return inquiry.draft(
        inquiry.asker.count(kind, clauses) if kind and clauses else None,
        Count(inverse),
        answer=str(len(trace)),
        ability="aggregation",
        num_hops=2,
        value_kind="number",
    )


def shared_value(inquiry: Inquiry) -> Draft | None:
    """Ask for what two entities both name, each perhaps in another way."""
    path = inquiry.sampler.sample(inquiry.rng, num_stops=2, asks_entity=True)
    if path is None:
        return None
    first, middle, last = path.entities
    sides = [_naming(inquiry, entity, middle) for entity in (first, last)]
    if not sides[0] or not sides[1]:
        return None
    facts = [inquiry.rng.choice(side) for side in sides]
    programs = [inquiry.entity_program(fact.subject) for fact in facts]
    whole = Intersection(
        tuple(Follow(of, fact.relation) for of, fact in zip(programs, facts, strict=True))
    )
    named = [
        inquiry.scene.phraser.value_phrase(of, fact.relation, {})
        for of, fact in zip(programs, facts, strict=True)
    ]
    if None in named or whole.execute(inquiry.world).only_answer != middle:
        return None
    kind = facts[0].value_kind
    phrase = " and ".join(name or "" for name in named)
    lead = inquiry.asker.lead()
    variants = (
        f"{lead}which {kind} is both {phrase}?",
        f"{lead}name the {kind} that is at once {phrase}.",
        f"{lead}one {kind} is both {phrase}. Which one?",
    )
    return inquiry.draft(
        sentence(inquiry.rng.choice(variants)),
        whole,
        answer=middle,
        ability="intersection",
        num_hops=2,
    )


def first_of_set(inquiry: Inquiry) -> Draft | None:
    """Ask which of a described set comes first, or for a value of it."""
    drawn = _described_set(inquiry, most=_MAX_RANKED)
    if drawn is None:
        return None
    described, trace = drawn
    name = _ranking_relation(inquiry, list(trace))
    clauses = inquiry.scene.phraser.set_clauses(described, {})
    if name is None or not clauses:
        return None
    first = inquiry.rng.choice((LEAST, GREATEST))
    members = Exactly(described, len(trace))
    winner: Program = Compare(members, name, first)
    execution = winner.execute(inquiry.world)
    introduction = inquiry.asker.among(described.kind, clauses, len(trace))
    question = inquiry.asker.compare(list(trace), name, first, introduction)
    return inquiry.draft(
        question,
        winner,
        answer=execution.only_answer or "",
        ability="aggregation",
        num_hops=3,
    )


def order_of_set(inquiry: Inquiry) -> Draft | None:
    """Ask for a described set in order."""
    drawn = _described_set(inquiry, most=5)
    if drawn is None:
        return None
    described, trace = drawn
    name = _ranking_relation(inquiry, list(trace))
    clauses = inquiry.scene.phraser.set_clauses(described, {})
    relation = inquiry.asker.relation(name) if name else None
    if name is None or relation is None or not clauses or len(trace) < 3:
        return None
    program = OrderOf(Exactly(described, len(trace)), name, LEAST)
    introduction = inquiry.asker.among(described.kind, clauses, len(trace))
    by = relation_head(relation).replace("{x}", "each")
    start = "earliest" if relation.value_kind == "date" else "lowest"
    return inquiry.draft(
        f"{introduction} List them by the {by}, {start} first, separated by semicolons.",
        program,
        answer=program.execute(inquiry.world).only_answer or "",
        ability="ordering",
        num_hops=3,
    )


def _described_set(
    inquiry: Inquiry, *, most: int, min_documents: int = 2
) -> tuple[Described, Trace] | None:
    """Draw a description that fits at least two entities, of so many documents."""
    scene = inquiry.scene
    if not scene.entities:
        return None
    entity = scene.some_entity(inquiry.rng)
    attributes = scene.attributes(entity)
    if not attributes or scene.kind_by_entity[entity] in QUOTED_KINDS:
        return None
    num_predicates = inquiry.rng.choice((1, 1, 2))
    facts = inquiry.rng.sample(attributes, min(num_predicates, len(attributes)))
    if len({fact.relation for fact in facts}) < len(facts):
        return None
    predicates = tuple(_some_rung(inquiry, fact) for fact in facts)
    described = Described(scene.kind_by_entity[entity], predicates)
    trace = trace_of(described, inquiry.world)
    documents = {fact.doc_id for facts in trace.values() for fact in facts}
    kind = scene.vocabulary.kind(described.kind)
    if kind.is_document and not all(map(scene.completeness.is_given, trace)):
        # A law that is only cited is none of "the laws among the documents given".
        return None
    if not 2 <= len(trace) <= most or len(documents) < min_documents:
        return None
    return described, trace


def _some_rung(inquiry: Inquiry, fact: Fact) -> Program:
    """Return a predicate that a fact satisfies: years rather than days, for sets."""
    rungs = date_rungs(fact) if fact.value_kind == "date" else ()
    return inquiry.rng.choice(rungs[-3:]) if rungs else Equals(fact.relation, fact.value)


def _ranking_relation(inquiry: Inquiry, entities: Sequence[str]) -> str | None:
    """Draw a relation with one comparable value for each entity."""
    shared: list[str] | None = None
    for entity in entities:
        names = [
            name
            for name, fact in inquiry.scene.values(entity).items()
            if fact.value_kind in ("date", "number")
        ]
        shared = names if shared is None else [name for name in shared if name in names]
    return inquiry.rng.choice(shared) if shared else None


def _naming(inquiry: Inquiry, entity: str, value: str) -> list[Fact]:
    facts = inquiry.scene.facts_by_entity.get(entity, ())
    return [fact for fact in facts if fact.value == value]
