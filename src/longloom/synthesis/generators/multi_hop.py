"""Multi-hop questions over several documents: chains, sets, comparisons and times.

The families take turns, and so do the shapes of what they draw, so that no pattern of the context
takes over. That each document is needed is decided by `checks/`.
"""

from collections.abc import Iterator, Mapping
from random import Random

from longloom.records import TaskType
from longloom.synthesis.facts.catalogue import KINDS, RELATIONS
from longloom.synthesis.facts.relation import EntityKind, Relation
from longloom.synthesis.generators import (
    chain_families,
    restatements,
    set_families,
    time_families,
)
from longloom.synthesis.generators.draft import Draft, Generator, Setting
from longloom.synthesis.generators.inquiry import Family, Inquiry, in_turns

FAMILIES: tuple[Family, ...] = (
    chain_families.bridge,
    chain_families.bridge,
    chain_families.bridge,
    chain_families.bridge_to_entity,
    chain_families.far_bridge,
    chain_families.missing,
    chain_families.named_bridge,
    restatements.restated,
    set_families.count_described,
    set_families.count_naming,
    set_families.first_of_set,
    set_families.order_of_set,
    set_families.shared_value,
    time_families.apart,
    time_families.apart_if_moved,
    time_families.chain_apart,
    time_families.compare_described,
    time_families.compare_named,
    time_families.first_if_moved,
    time_families.order_named,
    time_families.same_value,
    time_families.value_of_first,
    time_families.value_of_first_if_moved,
)
"""Every family; chains are the most of what is asked, so they have the most turns."""


def generator_for(relations: Mapping[str, Relation], kinds: Mapping[str, EntityKind]) -> Generator:
    """Return the generator that words questions with these relations and kinds."""

    def generate_worded(setting: Setting, rng: Random) -> Iterator[Draft]:
        inquiry = Inquiry(
            setting, rng, task_type=TaskType.MULTI_HOP, relations=relations, kinds=kinds
        )
        yield from in_turns(inquiry, FAMILIES)

    return generate_worded


def generate(setting: Setting, rng: Random) -> Iterator[Draft]:
    """Yield multi-hop drafts on one context."""
    return generator_for(RELATIONS, KINDS)(setting, rng)
