"""Families of look-ups: what one or two documents say of something named or described."""

from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.generators.anchors import PLAIN_KINDS, contains_words, is_answer, is_short
from longloom.synthesis.generators.draft import Draft
from longloom.synthesis.generators.inquiry import Inquiry
from longloom.synthesis.generators.prose_relations import is_read
from longloom.synthesis.generators.questions import answer_format, short_head
from longloom.synthesis.generators.table_cells import is_plain_row
from longloom.synthesis.generators.vocabulary import plural_of
from longloom.synthesis.generators.wording import listed
from longloom.synthesis.programs.comparison import GREATEST, LEAST, Compare
from longloom.synthesis.programs.dates import DaysBetween, YearsBetween
from longloom.synthesis.programs.graph import Described, Follow, Named, Only, Values
from longloom.synthesis.programs.graph_sets import Count
from longloom.synthesis.programs.node import Program
from longloom.synthesis.programs.predicates import Equals, to_decimal

_MAX_COUNT = 15
_PAIR_SHARE = 0.2
"""Of the lists with two entries, so many are counted: "two" is too easily guessed."""
_MAX_TABLE_CHARACTERS = 90


def value_of_described(inquiry: Inquiry) -> Draft | None:
    """Ask for a value of an entity that is described."""
    return _value(inquiry, is_named=False)


def value_of_named(inquiry: Inquiry) -> Draft | None:
    """Ask for a value of an entity by its name."""
    return _value(inquiry, is_named=True)


def _value(inquiry: Inquiry, *, is_named: bool) -> Draft | None:
    path = inquiry.sampler.look_up(inquiry.rng, is_named=is_named)
    if path is None:
        return None
    return inquiry.draft(
        inquiry.asker.path(path),
        path.program,
        answer=path.answer,
        ability="look_up",
        num_hops=1,
        value_kind=path.value_kind,
        min_documents=1,
    )


def value_of_titled(inquiry: Inquiry) -> Draft | None:
    """Ask for a value of what a title or another key identifies."""
    keyed = _keyed(inquiry)
    if keyed is None:
        return None
    entity, anchor = keyed
    values = list(inquiry.scene.values(entity).values())
    if not values:
        return None
    fact = inquiry.rng.choice(values)
    how = answer_format(fact.value, fact.value_kind, fact.unit)
    return inquiry.draft(
        inquiry.asker.value(anchor, fact.relation, how, {}),
        Follow(anchor, fact.relation),
        answer=fact.value,
        ability="look_up",
        num_hops=2,
        value_kind=fact.value_kind,
        min_documents=1,
    )


def entity_titled(inquiry: Inquiry) -> Draft | None:
    """Ask which entity a title or another key identifies."""
    keyed = _keyed(inquiry)
    return _identify(inquiry, *keyed) if keyed is not None else None


def entity_described(inquiry: Inquiry) -> Draft | None:
    """Ask which entity a description fits."""
    if not inquiry.scene.entities:
        return None
    entity = inquiry.scene.some_entity(inquiry.rng)
    anchor = inquiry.scene.describe(entity, inquiry.rng)
    return _identify(inquiry, entity, anchor) if anchor is not None else None


def _identify(inquiry: Inquiry, entity: str, anchor: Program) -> Draft | None:
    if not is_short(entity):
        return None
    return inquiry.draft(
        inquiry.asker.entity(anchor, {}),
        anchor,
        answer=entity,
        ability="look_up",
        num_hops=1,
        min_documents=1,
    )


def _keyed(inquiry: Inquiry) -> tuple[str, Program] | None:
    """Draw an entity with a key, as a program that finds it by the key."""
    if not inquiry.scene.entities:
        return None
    entity = inquiry.scene.some_entity(inquiry.rng)
    keys = [fact for fact in inquiry.scene.facts_by_entity[entity] if _is_key(inquiry, fact)]
    if not keys:
        return None
    fact = inquiry.rng.choice(keys)
    anchor = Only(Described(fact.subject_kind, (Equals(fact.relation, fact.value),)))
    found = anchor.execute(inquiry.world).only_answer
    return (entity, anchor) if found == entity else None


def _is_key(inquiry: Inquiry, fact: Fact) -> bool:
    relation = inquiry.scene.vocabulary.relation(fact.relation)
    # A long title is as good a key; what has no place for it in its clause is none.
    is_sayable = len(fact.value) <= 160 and "\n" not in fact.value and not is_read(fact)
    if relation is None or not relation.is_key or not relation.is_functional:
        return False
    return "{v}" in relation.clause and is_sayable


def count_values(inquiry: Inquiry) -> Draft | None:
    """Ask how many values a relation has: authors, sections referred to."""
    if not inquiry.scene.entities:
        return None
    entity = inquiry.scene.some_entity(inquiry.rng)
    facts = [
        fact
        for fact in inquiry.scene.facts_by_entity[entity]
        if not is_read(fact) and inquiry.scene.may_be_followed(fact)
    ]
    relations = [inquiry.asker.relation(fact.relation) for fact in facts]
    many = {r.name: r for r in relations if r is not None and not r.is_functional and not r.is_key}
    if not many:
        return None
    relation = inquiry.rng.choice(list(many.values()))
    of = inquiry.entity_program(entity, 0.4, relation.name)
    subject = inquiry.scene.phraser.noun_phrase(of, {})
    program = Follow(of, relation.name)
    values = program.execute(inquiry.world).answers
    head, kind = short_head(relation), relation.value_kind
    clauses = inquiry.scene.phraser.set_clauses(program, {}) if kind not in PLAIN_KINDS else None
    is_rare = len(values) == 2 and inquiry.rng.random() > _PAIR_SHARE
    if subject is None or is_rare or not 2 <= len(values) <= _MAX_COUNT:
        return None
    question = inquiry.asker.count_named(kind, clauses) if clauses else None
    if question is None and head is not None and " " not in head:
        lead = inquiry.asker.lead()
        question = (
            f"{lead}how many different {plural_of(head)} of {subject} are named? "
            "Answer with a number."
        )
    return inquiry.draft(
        question,
        Count(program),
        answer=str(len(values)),
        ability="aggregation",
        num_hops=1,
        value_kind="number",
        min_documents=1,
    )


def own_dates(inquiry: Inquiry) -> Draft | None:
    """Ask how far apart two dates of one entity are."""
    if not inquiry.scene.entities:
        return None
    entity = inquiry.scene.some_entity(inquiry.rng)
    dates = [fact for fact in inquiry.scene.values(entity).values() if fact.value_kind == "date"]
    if len(dates) < 2:
        return None
    facts = inquiry.rng.sample(dates, 2)
    if facts[0].value == facts[1].value:
        return None
    of = inquiry.entity_program(entity, 0.4)
    known = {of: f"that {inquiry.scene.kind_by_entity[entity]}"}
    phrases = [
        inquiry.scene.phraser.value_phrase(of, fact.relation, said)
        for fact, said in zip(facts, ({}, known), strict=True)
    ]
    if None in phrases:
        return None
    is_daily = all(len(fact.value) == 10 for fact in facts) and inquiry.rng.random() < 0.5
    difference = DaysBetween if is_daily else YearsBetween
    program = difference(Follow(of, facts[0].relation), Follow(of, facts[1].relation))
    unit = "days" if is_daily else "years"
    how = "Answer" if is_daily else "Take the calendar years only and answer"
    return inquiry.draft(
        f"How many {unit} lie between {listed([phrase or '' for phrase in phrases])}, going by "
        f"the documents given? {how} with a number.",
        program,
        answer=program.execute(inquiry.world).only_answer or "",
        ability="temporal",
        num_hops=2,
        value_kind="number",
        min_documents=1,
    )


def compare_within(inquiry: Inquiry) -> Draft | None:
    """Ask which of some named entities comes first, in one document or several."""
    chosen = inquiry.some_ranked(inquiry.rng.choice((2, 3, 4)), is_apart=False)
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
        min_documents=1,
    )


def value_of_cell(inquiry: Inquiry) -> Draft | None:
    """Ask for a cell of a table, by the names of table, row and column."""
    cells = inquiry.scene.cells
    if not cells:
        return None
    fact = inquiry.rng.choice(cells)
    table = dict(fact.qualifiers).get("table", "")
    program = Follow(Named(fact.subject), fact.relation)
    # A row that begins with a number, or an amount in thousands, is easily taken for another.
    is_clear = fact.subject[:1].isalpha() and not fact.scale and "Exhibit" not in fact.label
    # Nobody counts a hundred rows to find the one that has no name.
    is_clear = is_clear and is_plain_row(fact.subject)
    # `0.000000` and a flag of 0 or 1 say little.
    is_clear = is_clear and to_decimal(fact.value) not in (0, 1)
    if not 0 < len(table) <= _MAX_TABLE_CHARACTERS or not is_clear or not is_answer(fact.value):
        return None
    if contains_words(fact.value, fact.subject):
        return None
    is_number = fact.value_kind == "number"
    how = answer_format(fact.value, fact.value_kind)
    how = " Answer with the number as the table shows it." if is_number else how
    variants = (
        f'In the documents given, what does the table "{table}" give as "{fact.label}" for '
        f"{fact.subject}?",
        f'Look up {fact.subject} in the table "{table}" of the documents given. What is its '
        f'"{fact.label}"?',
        f'According to the table "{table}" in the documents given, what is the "{fact.label}" of '
        f"{fact.subject}?",
    )
    return inquiry.draft(
        inquiry.rng.choice(variants) + how,
        program,
        answer=fact.value,
        ability="look_up",
        num_hops=1,
        value_kind=fact.value_kind,
        min_documents=1,
    )


def short_chain(inquiry: Inquiry) -> Draft | None:
    """Ask one step further than a look-up."""
    is_named = inquiry.rng.random() < 0.6
    path = inquiry.sampler.sample(inquiry.rng, num_stops=1, is_named=is_named)
    if path is None:
        return None
    return inquiry.draft(
        inquiry.asker.path(path),
        path.program,
        answer=path.answer,
        ability="multi_fact",
        num_hops=path.num_hops,
        value_kind=path.value_kind,
        min_documents=1,
    )


def both_values(inquiry: Inquiry) -> Draft | None:
    """Ask which entity has two values at once, both named."""
    if not inquiry.scene.entities:
        return None
    entity = inquiry.scene.some_entity(inquiry.rng)
    attributes = inquiry.scene.attributes(entity)
    if len(attributes) < 2 or not is_short(entity):
        return None
    facts = inquiry.rng.sample(attributes, 2)
    if facts[0].relation == facts[1].relation:
        return None
    predicates = tuple(Equals(fact.relation, fact.value) for fact in facts)
    program = Only(Described(facts[0].subject_kind, predicates))
    if program.execute(inquiry.world).only_answer != entity:
        return None
    return inquiry.draft(
        inquiry.asker.entity(program, {}),
        program,
        answer=entity,
        ability="intersection",
        num_hops=1,
        min_documents=1,
    )
