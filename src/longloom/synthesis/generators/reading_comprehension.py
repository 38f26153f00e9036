"""Reading comprehension: what one or two documents say, of whatever genre.

Look-ups by name, by title and by description, counts of what a document lists, dates of one thing,
and comparisons within a document.
"""

from collections.abc import Iterator, Mapping
from random import Random

from longloom.records import TaskType
from longloom.synthesis.facts.catalogue import KINDS, RELATIONS
from longloom.synthesis.facts.relation import EntityKind, Relation
from longloom.synthesis.generators import lookup_families, set_families
from longloom.synthesis.generators.draft import Draft, Generator, Setting
from longloom.synthesis.generators.inquiry import Family, Inquiry, in_turns

FAMILIES: tuple[Family, ...] = (
    lookup_families.both_values,
    lookup_families.compare_within,
    lookup_families.count_values,
    lookup_families.entity_described,
    lookup_families.entity_titled,
    lookup_families.own_dates,
    lookup_families.short_chain,
    lookup_families.value_of_cell,
    lookup_families.value_of_described,
    lookup_families.value_of_described,
    lookup_families.value_of_named,
    lookup_families.value_of_named,
    lookup_families.value_of_titled,
    set_families.count_within,
)


def generator_for(relations: Mapping[str, Relation], kinds: Mapping[str, EntityKind]) -> Generator:
    """Return the generator that words questions with these relations and kinds."""

    def generate_worded(setting: Setting, rng: Random) -> Iterator[Draft]:
        inquiry = Inquiry(
            setting,
            rng,
            task_type=TaskType.READING_COMPREHENSION,
            relations=relations,
            kinds=kinds,
        )
        yield from in_turns(inquiry, FAMILIES)

    return generate_worded


def generate(setting: Setting, rng: Random) -> Iterator[Draft]:
    """Yield reading comprehension drafts on one context."""
    return generator_for(RELATIONS, KINDS)(setting, rng)
