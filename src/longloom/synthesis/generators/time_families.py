"""Families of comparisons and times: which first, in what order, how far apart, and what if."""

from longloom.synthesis.generators.anchors import relations_said
from longloom.synthesis.generators.draft import Draft
from longloom.synthesis.generators.inquiry import Inquiry, Ranked
from longloom.synthesis.generators.questions import (
    adjective_of,
    answer_format,
    short_head,
)
from longloom.synthesis.generators.vocabulary import QUOTED_KINDS
from longloom.synthesis.generators.wording import listed, relation_head
from longloom.synthesis.programs.comparison import GREATEST, LEAST, Compare, OrderOf, SameAs
from longloom.synthesis.programs.dates import DaysBetween, Had, MonthsBetween, YearsBetween
from longloom.synthesis.programs.graph import Follow, Named, Only, Values
from longloom.synthesis.programs.graph_sets import Union
from longloom.synthesis.programs.node import Program

_SHIFTS = (-10, -7, -5, -4, -3, -2, 2, 3, 4, 5, 7, 10)


def compare_named(inquiry: Inquiry) -> Draft | None:
    """Ask which of two to four named entities comes first."""
    chosen = inquiry.some_ranked(inquiry.rng.choice((2, 2, 3, 4)))
    if not chosen:
        return None
    first, names = inquiry.rng.choice((LEAST, GREATEST)), [ranked.entity for ranked in chosen]
    relation = chosen[0].fact.relation
    program = Compare(Values(tuple(names)), relation, first)
    return inquiry.draft(
        inquiry.asker.compare(names, relation, first),
        program,
        answer=program.execute(inquiry.world).only_answer or "",
        ability="comparison",
        num_hops=2,
    )


def compare_described(inquiry: Inquiry) -> Draft | None:
    """Ask which of two described entities comes first."""
    chosen = inquiry.some_ranked(2)
    programs = [
        inquiry.scene.describe(ranked.entity, inquiry.rng, ranked.fact.relation)
        for ranked in chosen
    ]
    if not programs or None in programs:
        return None
    known = [program for program in programs if program is not None]
    names = [inquiry.scene.phraser.noun_phrase(program, {}) for program in known]
    if None in names:
        return None
    first, relation = inquiry.rng.choice((LEAST, GREATEST)), chosen[0].fact.relation
    whole = Compare(Union(tuple(known)), relation, first)
    phrases = [name or "" for name in names]
    question = inquiry.asker.compare(phrases, relation, first)
    return inquiry.draft(
        f"{question} Answer with its name." if question else None,
        whole,
        answer=whole.execute(inquiry.world).only_answer or "",
        ability="comparison",
        num_hops=3,
    )


def value_of_first(inquiry: Inquiry) -> Draft | None:
    """Ask for a value of whichever of two or three named entities comes first."""
    chosen = inquiry.some_ranked(inquiry.rng.choice((2, 3)))
    if not chosen:
        return None
    first, names = inquiry.rng.choice((LEAST, GREATEST)), [ranked.entity for ranked in chosen]
    relation = inquiry.asker.relation(chosen[0].fact.relation)
    winner = Compare(Values(tuple(names)), chosen[0].fact.relation, first)
    entity = winner.execute(inquiry.world).only_answer
    if entity is None or relation is None:
        return None
    asked = [
        fact for fact in inquiry.scene.values(entity).values() if fact.relation != relation.name
    ]
    if not asked:
        return None
    fact = inquiry.rng.choice(asked)
    is_shared = any(
        fact.value in {other.value for other in inquiry.world.facts_of(name, fact.relation)}
        for name in names
        if name != entity
    )
    kind = inquiry.scene.kind_by_entity[entity]
    how = answer_format(fact.value, fact.value_kind, fact.unit)
    ending = inquiry.asker.value(winner, fact.relation, how, {winner: f"that {kind}"})
    # The candidates are named, so the answer must not be one of them.
    if is_shared or ending is None or fact.value in names:
        return None
    return inquiry.draft(
        f"{_taken(inquiry, names, relation.name, first)} {ending}",
        Follow(winner, fact.relation),
        answer=fact.value,
        ability="comparison",
        num_hops=3,
        value_kind=fact.value_kind,
    )


def _taken(inquiry: Inquiry, names: list[str], name: str, first: str) -> str:
    """Return a sentence that takes the first of several."""
    relation = inquiry.asker.relation(name)
    assert relation is not None, "ranked entities have worded relations"
    adjective = adjective_of(relation, first, len(names))
    brief = short_head(relation)
    if brief is not None:
        return (
            f"Of {listed(names)} in the documents given, take the one with the {adjective} {brief}."
        )
    each = relation_head(relation).replace("{x}", "each of them")
    return (
        f"Consider {listed(names)} in the documents given. Compare the {each}, and take the one "
        f"for which it is {adjective}."
    )


def order_named(inquiry: Inquiry) -> Draft | None:
    """Ask for three to five named entities in order."""
    chosen = inquiry.some_ranked(inquiry.rng.choice((3, 3, 4, 5)))
    if not chosen:
        return None
    first, names = inquiry.rng.choice((LEAST, GREATEST)), [ranked.entity for ranked in chosen]
    relation = chosen[0].fact.relation
    program = OrderOf(Values(tuple(names)), relation, first)
    return inquiry.draft(
        inquiry.asker.order(names, relation, first),
        program,
        answer=program.execute(inquiry.world).only_answer or "",
        ability="ordering",
        num_hops=len(names),
    )


def apart(inquiry: Inquiry) -> Draft | None:
    """Ask for the years, months or days between two dates of different documents."""
    chosen = inquiry.some_ranked(2, "date")
    if not chosen:
        return None
    programs = [
        Follow(
            inquiry.entity_program(ranked.entity, 0.5, ranked.fact.relation), ranked.fact.relation
        )
        for ranked in chosen
    ]
    named = [
        inquiry.scene.phraser.value_phrase(program.of, program.relation, {}) for program in programs
    ]
    if None in named:
        return None
    phrase = listed([name or "" for name in named])
    program, how = _difference(inquiry, chosen, programs[0], programs[1])
    variants = (
        f"How many {how[0]} lie between {phrase}, going by the documents given?",
        f"In the documents given, find {phrase}. How many {how[0]} lie between the two dates?",
        f"By how many {how[0]} do {phrase} differ, according to the documents given?",
    )
    return inquiry.draft(
        f"{inquiry.rng.choice(variants)} {how[1]}",
        program,
        answer=program.execute(inquiry.world).only_answer or "",
        ability="temporal",
        num_hops=3,
        value_kind="number",
    )


def _difference(
    inquiry: Inquiry, chosen: list[Ranked], first: Program, second: Program
) -> tuple[Program, tuple[str, str]]:
    """Draw the unit of a difference; return the program, the unit and how to count."""
    precision = min(len(ranked.fact.value) for ranked in chosen)
    years = ("years", "Take the calendar years only and answer with a number.")
    months = ("months", "Take year and month only, not the day, and answer with a number.")
    days = ("days", "Answer with a number.")
    match inquiry.rng.choice(("years", "months", "days")):
        case "months" if precision >= 7:
            return MonthsBetween(first, second), months
        case "days" if precision == 10:
            return DaysBetween(first, second), days
        case _:
            return YearsBetween(first, second), years


def same_value(inquiry: Inquiry) -> Draft | None:
    """Ask whether two entities of different documents agree in a value."""
    # One in ten tries: a yes or no is half guessed, so there should be few.
    if not inquiry.scene.entities or inquiry.rng.random() > 0.1:
        return None
    first = inquiry.scene.some_entity(inquiry.rng)
    kind = inquiry.scene.kind_by_entity[first]
    if kind in QUOTED_KINDS:
        return None
    values = inquiry.scene.values(first)
    names = [
        name
        for name, fact in values.items()
        if fact.value_kind not in ("date", "number")
        and not inquiry.scene.vocabulary.kind(fact.value_kind).is_document
    ]
    if not names:
        return None
    name = inquiry.rng.choice(names)
    others = [
        (entity, fact)
        for entity in inquiry.scene.entities
        if inquiry.scene.kind_by_entity[entity] == kind and entity != first
        if (fact := inquiry.scene.values(entity).get(name)) is not None
        and fact.doc_id != values[name].doc_id
    ]
    wanted = inquiry.rng.random() < 0.5
    fitting = [entity for entity, fact in others if (fact.value == values[name].value) is wanted]
    if not fitting:
        return None
    second = inquiry.rng.choice(fitting)
    of = [inquiry.entity_program(entity, 0.5, name) for entity in (first, second)]
    phrases = [inquiry.scene.phraser.value_phrase(program, name, {}) for program in of]
    if None in phrases:
        return None
    return inquiry.draft(
        f"According to the documents given, is {phrases[0]} the same as {phrases[1]}? "
        "Answer yes or no.",
        SameAs(Follow(of[0], name), Follow(of[1], name)),
        answer="yes" if wanted else "no",
        ability="comparison",
        num_hops=2,
    )


def first_if_moved(inquiry: Inquiry) -> Draft | None:
    """Ask which would come first had one date been some years earlier or later."""
    chosen = inquiry.some_ranked(inquiry.rng.choice((2, 3, 3, 4)), "date")
    if not chosen:
        return None
    names, name = [ranked.entity for ranked in chosen], chosen[0].fact.relation
    first = inquiry.rng.choice((LEAST, GREATEST))
    then = Compare(Values(tuple(names)), name, first)
    moved, years = inquiry.rng.choice(names), inquiry.rng.choice(_SHIFTS)
    program = Had(Named(moved), name, years, then)
    answer = program.execute(inquiry.world).only_answer
    is_changed = answer != then.execute(inquiry.world).only_answer
    relation = inquiry.asker.relation(name)
    # A condition that changes nothing is asked now and then, so that "it changes" is no clue.
    if answer is None or relation is None or (not is_changed and inquiry.rng.random() > 0.2):
        return None
    head = relation_head(relation)
    adjective = adjective_of(relation, first, len(names))
    variants = (
        f"For which of {listed(names)} would it then be the {adjective}?",
        f"Comparing {listed(names)}, for which one would it then be the {adjective}?",
    )
    return inquiry.draft(
        f"{_supposed(head, moved, years)} {inquiry.rng.choice(variants)}",
        program,
        answer=answer,
        ability="comparison",
        num_hops=3,
    )


def apart_if_moved(inquiry: Inquiry) -> Draft | None:
    """Ask how many years would lie between two dates had one of them been another."""
    chosen = inquiry.some_ranked(2, "date")
    if not chosen:
        return None
    name, years = chosen[0].fact.relation, inquiry.rng.choice(_SHIFTS)
    relation, moved = inquiry.asker.relation(name), chosen[0].entity
    other = inquiry.entity_program(chosen[1].entity, 0.7, name)
    then = YearsBetween(Follow(Named(moved), name), Follow(other, name))
    program = Had(Named(moved), name, years, then)
    second = inquiry.scene.phraser.value_phrase(other, name, {})
    if relation is None or second is None:
        return None
    return inquiry.draft(
        f"{_supposed(relation_head(relation), moved, years)} How many years would then lie between "
        f"it and {second}? Take the calendar years only and answer with a number.",
        program,
        answer=program.execute(inquiry.world).only_answer or "",
        ability="counterfactual",
        num_hops=3,
        value_kind="number",
    )


def value_of_first_if_moved(inquiry: Inquiry) -> Draft | None:
    """Ask for a value of whichever would come first had one date been another."""
    chosen = inquiry.some_ranked(inquiry.rng.choice((2, 3)), "date")
    if not chosen:
        return None
    names, name = [ranked.entity for ranked in chosen], chosen[0].fact.relation
    first = inquiry.rng.choice((LEAST, GREATEST))
    winner = Compare(Values(tuple(names)), name, first)
    moved, years = inquiry.rng.choice(names), inquiry.rng.choice(_SHIFTS)
    entity = Had(Named(moved), name, years, winner).execute(inquiry.world).only_answer
    relation = inquiry.asker.relation(name)
    if entity is None or relation is None or entity == winner.execute(inquiry.world).only_answer:
        return None
    asked = [fact for fact in inquiry.scene.values(entity).values() if fact.value_kind != "date"]
    if not asked:
        return None
    fact = inquiry.rng.choice(asked)
    known = {winner: f"that {inquiry.scene.kind_by_entity[entity]}"}
    how = answer_format(fact.value, fact.value_kind, fact.unit)
    ending = inquiry.asker.value(winner, fact.relation, how, known)  # type: ignore[arg-type]
    if ending is None:
        return None
    adjective = adjective_of(relation, first, len(names))
    program = Had(Named(moved), name, years, Follow(winner, fact.relation))
    return inquiry.draft(
        f"{_supposed(relation_head(relation), moved, years)} Of {listed(names)}, take the one for "
        f"which it would then be the {adjective}. {ending}",
        program,
        answer=program.execute(inquiry.world).only_answer or "",
        ability="counterfactual",
        num_hops=4,
        value_kind=fact.value_kind,
    )


def _supposed(head: str, entity: str, years: int) -> str:
    """Return the condition of a counterfactual."""
    said = head.replace("{x}", entity)
    direction = "later" if years > 0 else "earlier"
    return (
        f"Suppose the {said} had been exactly {abs(years)} years {direction} than the documents "
        "given state, and all else were as stated."
    )


def chain_apart(inquiry: Inquiry) -> Draft | None:
    """Ask how far apart the dates at both ends of a walk are."""
    path = inquiry.sampler.sample(inquiry.rng, num_stops=1, asks_entity=True)
    if path is None or not isinstance(path.stops[-1], Only):
        return None
    first, last = path.entities[0], path.entities[-1]
    dates = [inquiry.scene.values(entity) for entity in (first, last)]
    names = [
        name
        for name, fact in dates[0].items()
        if fact.value_kind == "date"
        and name in dates[1]
        and dates[1][name].value != fact.value
        and name not in relations_said(path.anchor) | relations_said(path.stops[-1])
    ]
    if not names:
        return None
    name = inquiry.rng.choice(names)
    program = YearsBetween(Follow(path.anchor, name), Follow(path.stops[-1], name))
    start = inquiry.scene.phraser.noun_phrase(path.anchor, {})
    kind = inquiry.asker.kind(path.anchor)
    relation = inquiry.asker.relation(name)
    if start is None or kind is None or relation is None:
        return None
    known = {path.anchor: f"that {kind}"}
    second = inquiry.scene.phraser.value_phrase(path.stops[-1], name, known)
    own = relation_head(relation).replace("{x}", f"that {kind}")
    if second is None:
        return None
    return inquiry.draft(
        f"Among the documents given, take {start}. How many years lie between the {own} and "
        f"{second}? Take the calendar years only and answer with a number.",
        program,
        answer=program.execute(inquiry.world).only_answer or "",
        ability="temporal",
        num_hops=3,
        value_kind="number",
    )
