"""Distractors: what an answer would be after a typical error on the way to it.

The value of a wrong hop, of a sibling, or of another relation of the right entity; the entity one
step too early; the neighbouring number; the order with two places exchanged. All of the same kind
and format as the answer (QwenLong-L1.5, section 3: multiple choice).
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import permutations
from random import Random

from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.generators.anchors import Scene, contains_words, is_short
from longloom.synthesis.generators.draft import Draft
from longloom.synthesis.generators.inquiry import NAMING_ABILITIES
from longloom.synthesis.programs.comparison import SEPARATOR, Compare, OrderOf
from longloom.synthesis.programs.dates import DaysBetween, Had, MonthsBetween, YearsBetween
from longloom.synthesis.programs.graph import Follow, Values
from longloom.synthesis.programs.graph_sets import Count
from longloom.synthesis.programs.node import Execution, Program

NUM_DISTRACTORS = 3

_ALIKE_KINDS = frozenset({"date", "person"})
"""Kinds of which one entity's other values are mistaken for the one asked."""
_USUAL_DAYS = ("10", "15", "20", "30", "45", "60", "90", "120", "180")
"""Days of notice that agreements give; 31 or 28 would give the answer away."""
_MIXED_KINDS = frozenset({"company", "page", "person"})
"""Kinds whose entities may be of any sort."""

_MAX_ORDERED = 5


def distractors(
    scene: Scene, draft: Draft, execution: Execution, rng: Random
) -> tuple[str, ...] | None:
    """Return three wrong answers, near misses first; None if there are not enough."""
    answer = execution.only_answer
    if answer is None:
        return None
    chosen: list[str] = []
    taken = {answer.casefold()}
    for wrong in _wrong(scene, draft.program, execution, answer, rng):
        # What the question itself speaks of is seen to be wrong, unless it names the candidates.
        is_said = draft.ability not in NAMING_ABILITIES and contains_words(wrong, draft.question)
        if wrong.casefold() not in taken and is_short(wrong) and not is_said:
            chosen.append(wrong)
            taken.add(wrong.casefold())
        if len(chosen) == NUM_DISTRACTORS:
            return tuple(chosen)
    return None


def _wrong(
    scene: Scene, program: Program, execution: Execution, answer: str, rng: Random
) -> Iterator[str]:
    match program:
        case Had(then=then):
            yield from _wrong(scene, then, execution, answer, rng)
        case Count():
            yield from (near for near in _near_numbers(int(answer), rng) if near != "0")
        case YearsBetween() | MonthsBetween():
            yield from _near_numbers(int(answer), rng)
        case DaysBetween():
            yield from _near_days(int(answer), rng)
        case OrderOf():
            yield from _other_orders(answer, rng)
        case Follow(relation=relation):
            yield from _other_values(scene, relation, execution.evidence, rng)
            if execution.evidence[-1].unit == "days":
                yield from rng.sample(_USUAL_DAYS, len(_USUAL_DAYS))
            if answer.endswith("00") and answer.isdecimal():
                # Beside 500, an amount of 502 would be no option that anybody believes.
                yield from (str(int(answer) * times) for times in rng.sample((2, 3, 5, 10), 4))
            if _is_small_number(answer):
                yield from _near_numbers(int(answer), rng)
        case Compare(of=Values(entities=entities)):
            # What the question does not name is no option, so it takes four names.
            yield from (entity for entity in entities if entity != answer)
        case _:
            yield from _other_entities(scene, execution.evidence, answer, rng)


def _near_numbers(number: int, rng: Random) -> list[str]:
    near = [number + step for step in (-3, -2, -1, 1, 2, 3) if number + step >= 0]
    return [str(other) for other in rng.sample(near, len(near))]


def _near_days(number: int, rng: Random) -> list[str]:
    steps = (-365, -31, -30, -7, -1, 1, 7, 30, 31, 365)
    near = [number + step for step in steps if number + step > 0]
    return [str(other) for other in rng.sample(near, len(near))]


def _other_orders(answer: str, rng: Random) -> list[str]:
    names = answer.split(SEPARATOR)
    if not 3 <= len(names) <= _MAX_ORDERED:
        return []
    orders = [SEPARATOR.join(order) for order in permutations(names)]
    # One exchange away is nearer than a wild order, so those that share most places come first.
    rng.shuffle(orders)
    orders.sort(key=lambda order: -_num_shared(order.split(SEPARATOR), names))
    return orders


def _num_shared(first: list[str], second: list[str]) -> int:
    return sum(one == other for one, other in zip(first, second, strict=True))


def _is_small_number(answer: str) -> bool:
    return answer.isascii() and answer.isdigit() and 0 < int(answer) < 1000


def _other_values(
    scene: Scene, relation: str, evidence: Iterable[Fact], rng: Random
) -> Iterator[str]:
    """Yield values of the relation elsewhere, and other dates and people of the last entity."""
    facts = tuple(evidence)
    if not facts:
        return
    last = facts[-1]
    passed = {fact.subject for fact in facts}
    same = [fact for fact in scene.world.facts_with(relation) if _is_alike(fact, last)]
    true_values = {fact.value for fact in scene.world.facts_of(last.subject, relation)}
    own = [
        fact
        for entity in dict.fromkeys(fact.subject for fact in facts)
        for fact in scene.facts_by_entity.get(entity, ())
        if fact.relation != relation and _is_alike(fact, last) and fact.value_kind in _ALIKE_KINDS
    ]
    wrong_hop = [fact for fact in same if fact.subject in passed]
    siblings = [fact for fact in same if fact.subject not in passed]
    near = [*wrong_hop, *own]
    rng.shuffle(near)
    rng.shuffle(siblings)
    # Two near misses, then one sibling: all three from the path would point at what they avoid.
    mixed = [*near[:2], *siblings[:1], *near[2:], *siblings[1:]]
    yield from (fact.value for fact in mixed if fact.value not in true_values)


def _is_alike(fact: Fact, other: Fact) -> bool:
    is_alike = fact.value_kind == other.value_kind and fact.unit == other.unit
    return is_alike and (fact.value_kind != "date" or len(fact.value) == len(other.value))


def _other_entities(
    scene: Scene, evidence: Iterable[Fact], answer: str, rng: Random
) -> Iterator[str]:
    """Yield entities of the answer's kind: those passed, those alike, then any that are given.

    Alike is what has the same relations, so that a video game stands among video games; of pages,
    which may be about anything, no others are offered.
    """
    facts = tuple(evidence)
    kind = scene.kind_by_entity.get(answer)
    if kind is None:
        yield from _other_named(scene, facts, answer, rng)
        return
    described_by = {fact.relation for fact in facts if fact.subject == answer}
    is_document = scene.vocabulary.kind(kind).is_document
    same_kind = [
        entity
        for entity in scene.entities
        if scene.kind_by_entity[entity] == kind
        and not (is_document and not scene.completeness.is_given(entity))
    ]
    alike = [entity for entity in same_kind if described_by & _relations_of(scene, entity)]
    passed = {fact.subject for fact in facts} | {fact.value for fact in facts}
    near = [entity for entity in alike if entity in passed]
    far = [entity for entity in alike if entity not in passed]
    rng.shuffle(near)
    rng.shuffle(far)
    yield from [*near[:2], *far]
    if kind not in _MIXED_KINDS:
        rng.shuffle(same_kind)
        yield from same_kind


def _other_named(scene: Scene, facts: Sequence[Fact], answer: str, rng: Random) -> Iterator[str]:
    """Yield other values of the relations by which the answer is named."""
    naming = [fact for fact in facts if fact.value == answer]
    others = [
        fact.value
        for relation in dict.fromkeys(fact.relation for fact in naming)
        for fact in scene.world.facts_with(relation)
        if fact.value_kind == naming[0].value_kind
    ]
    values = list(dict.fromkeys(others))
    rng.shuffle(values)
    yield from values


def _relations_of(scene: Scene, entity: str) -> set[str]:
    return {fact.relation for fact in scene.facts_by_entity[entity]}
