"""Distractors: what an answer would be after a typical error on the way to it.

The value of a wrong hop, of a sibling, or of another relation of the right entity; the entity one
step too early; the neighbouring number; the order with two places exchanged. All of the same kind
and format as the answer (QwenLong-L1.5, section 3: multiple choice).
"""

from collections.abc import Iterable, Iterator
from itertools import permutations
from random import Random

from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.generators.anchors import Scene, is_short
from longloom.synthesis.programs.comparison import SEPARATOR, Compare, OrderOf
from longloom.synthesis.programs.dates import DaysBetween, Had, MonthsBetween, YearsBetween
from longloom.synthesis.programs.graph import Follow, Values
from longloom.synthesis.programs.graph_sets import Count
from longloom.synthesis.programs.node import Execution, Program

NUM_DISTRACTORS = 3

_MAX_ORDERED = 5


def distractors(
    scene: Scene, program: Program, execution: Execution, rng: Random
) -> tuple[str, ...] | None:
    """Return three wrong answers, near misses first; None if there are not enough."""
    answer = execution.only_answer
    if answer is None:
        return None
    chosen: list[str] = []
    for wrong in _wrong(scene, program, execution, answer, rng):
        if wrong not in chosen and wrong.casefold() != answer.casefold() and is_short(wrong):
            chosen.append(wrong)
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
            yield from _other_values(scene, relation, execution.evidence, answer, rng)
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


def _other_values(
    scene: Scene, relation: str, evidence: Iterable[Fact], answer: str, rng: Random
) -> Iterator[str]:
    """Yield values of the relation elsewhere, and of other relations of the entities passed."""
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
        if fact.relation != relation and _is_alike(fact, last)
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
    if fact.value_kind == "text":
        return is_alike and fact.relation == other.relation
    return is_alike and (fact.value_kind != "date" or len(fact.value) == len(other.value))


def _other_entities(
    scene: Scene, evidence: Iterable[Fact], answer: str, rng: Random
) -> Iterator[str]:
    """Yield entities of the answer's kind: those passed, then those the documents speak of."""
    facts = tuple(evidence)
    kind = scene.kind_by_entity.get(answer) or next(
        (fact.value_kind for fact in reversed(facts) if fact.value == answer), None
    )
    if kind is None:
        return
    passed = [fact.subject for fact in facts if fact.subject_kind == kind]
    passed += [fact.value for fact in facts if fact.value_kind == kind]
    spoken_of = [fact.subject for fact in scene.world.facts if fact.subject_kind == kind]
    spoken_of += [fact.value for fact in scene.world.facts if fact.value_kind == kind]
    near, far = list(dict.fromkeys(passed)), list(dict.fromkeys(spoken_of))
    rng.shuffle(near)
    rng.shuffle(far)
    yield from [*near[:2], *far]
