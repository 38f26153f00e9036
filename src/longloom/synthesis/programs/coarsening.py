"""The coarsening ladder: descriptions that say less, by executable predicates.

    2019-05-03 -> May 2019 -> 2019 -> second half of the 2010s -> 2010s
    a number -> a band of it
    a name -> its role elsewhere (`the delegate of PEP 440`)

`coarsen` takes the coarsest rung of every predicate for which the program still has the same only
answer on the world. Obfuscation of the paper: QwenLong-L1.5, section 3.
"""

from collections.abc import Callable, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.programs.graph import Follow, Named, Only
from longloom.synthesis.programs.node import Program
from longloom.synthesis.programs.predicates import (
    Equals,
    InBand,
    InMonth,
    InYears,
    Role,
    to_decimal,
    year_of,
)
from longloom.synthesis.programs.world import World

_PLAIN_KINDS = frozenset({"date", "number", "text"})
_MAX_ROLES = 2


def ladder(fact: Fact, world: World) -> tuple[Program, ...]:
    """Return predicates that hold for the fact's subject, from exact to coarse."""
    exact = Equals(fact.relation, fact.value)
    if fact.value_kind == "date":
        return (exact, *date_rungs(fact))
    if fact.value_kind == "number":
        band = band_around(fact.value)
        return (exact, InBand(fact.relation, *band)) if band else (exact,)
    if fact.value_kind in _PLAIN_KINDS:
        return (exact,)
    return (exact, *_roles(fact, world))


def date_rungs(fact: Fact) -> tuple[Program, ...]:
    """Return month, year, half decade and decade of a date, as far as each says less."""
    year = year_of(fact.value)
    if year is None:
        return ()
    rungs: list[Program] = []
    if len(fact.value) > 7:
        rungs.append(InMonth(fact.relation, fact.value[:7]))
    spans = ((year, 1), (year - year % 5, 5), (year - year % 10, 10))
    return (*rungs, *(InYears(fact.relation, first, length) for first, length in spans))


def band_around(value: str) -> tuple[str, str] | None:
    """Return the ends of the band one digit wide in which a number lies; None for 0 and small ones.

    12,345 lies between 10,000 and 20,000.
    """
    number = to_decimal(value)
    if number is None or abs(number) < 10 or abs(number.adjusted()) > 30:
        return None
    step = Decimal(1).scaleb(number.adjusted())
    low = (number / step).to_integral_value(rounding=ROUND_FLOOR) * step
    high = (number / step).to_integral_value(rounding=ROUND_CEILING) * step
    if low == high:
        high = low + step
    return f"{low:f}", f"{high:f}"


def coarsen(
    build: Callable[[tuple[Program, ...]], Program],
    ladders: Sequence[Sequence[Program]],
    world: World,
    answer: str,
) -> Program:
    """Return the program built from the coarsest predicates that keep its only answer.

    Predicates are coarsened one after the other, each from its coarsest rung down; the first of
    each ladder is where it starts and what stays if nothing coarser does.
    """
    chosen = [rungs[0] for rungs in ladders]
    for place, rungs in enumerate(ladders):
        for rung in reversed(rungs[1:]):
            program = build((*chosen[:place], rung, *chosen[place + 1 :]))
            if program.execute(world).only_answer == answer:
                chosen[place] = rung
                break
    return build(tuple(chosen))


def _roles(fact: Fact, world: World) -> tuple[Program, ...]:
    """Return what else names the value, in another document, of another subject."""
    roles: list[Program] = []
    for relation in world.relations:
        for other in world.facts_naming(relation, fact.value):
            is_elsewhere = other.doc_id != fact.doc_id and other.subject != fact.subject
            if is_elsewhere and other.value_kind == fact.value_kind:
                roles.append(Role(fact.relation, Only(Follow(Named(other.subject), relation))))
                break
        if len(roles) == _MAX_ROLES:
            break
    return tuple(roles)
