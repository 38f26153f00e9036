"""Multiple choice: chains, comparisons and look-ups with four options.

The wrong options are what typical errors lead to (`distractors.py`); the letter of the right one is
dealt, so that letters are balanced.
"""

import re
from collections.abc import Iterator, Mapping
from random import Random

from longloom.records import RewardRule, TaskType
from longloom.synthesis.facts.catalogue import KINDS, RELATIONS
from longloom.synthesis.facts.relation import EntityKind, Relation
from longloom.synthesis.generators import (
    chain_families,
    lookup_families,
    set_families,
    time_families,
)
from longloom.synthesis.generators.distractors import distractors
from longloom.synthesis.generators.draft import Draft, Generator, Setting
from longloom.synthesis.generators.inquiry import Family, Inquiry, in_turns
from longloom.synthesis.programs.choice import LETTERS, Choice

_INNER: tuple[Family, ...] = (
    chain_families.bridge,
    chain_families.bridge,
    chain_families.bridge_to_entity,
    chain_families.far_bridge,
    chain_families.named_bridge,
    lookup_families.compare_within,
    lookup_families.count_values,
    lookup_families.entity_described,
    lookup_families.own_dates,
    lookup_families.value_of_described,
    lookup_families.value_of_titled,
    set_families.count_described,
    set_families.first_of_set,
    set_families.order_of_set,
    set_families.shared_value,
    time_families.apart,
    time_families.chain_apart,
    time_families.compare_described,
    time_families.compare_named,
    time_families.first_if_moved,
    time_families.order_named,
    time_families.value_of_first,
    time_families.value_of_first_if_moved,
)
_HOW_TO_ANSWER = re.compile(
    r"(?: Answer as [Y\-MD]+\.| Answer with (?:a number(?:, in [^.]{1,30})?|its name)\."
    r"| Give the year\.| Give all of them, separated by semicolons\."
    r"| If the documents given do not state it,.*)$"
)
_AND_ANSWER = re.compile(r",? and answer with a number\.$")


def with_options(inquiry: Inquiry, inner: Draft) -> Draft | None:
    """Return a draft as multiple choice, or None if there are no three wrong answers."""
    execution = inner.program.execute(inquiry.world)
    wrong = distractors(inquiry.scene, inner, execution, inquiry.rng)
    if wrong is None or execution.only_answer != inner.answer:
        return None
    place = inquiry.next_place(len(LETTERS))
    options = (*wrong[:place], inner.answer, *wrong[place:])
    lines = [f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=True)]
    return Draft(
        task_type=TaskType.MULTIPLE_CHOICE,
        ability=inner.ability,
        question="\n".join([_without_format(inner.question), *lines]),
        program=Choice(inner.program, options),
        answer=LETTERS[place],
        reward_rule=RewardRule.CHOICE,
        num_hops=inner.num_hops,
        min_documents=inner.min_documents,
    )


def _without_format(question: str) -> str:
    """Leave out how a free answer would have been written."""
    question = _AND_ANSWER.sub(".", question)
    return _HOW_TO_ANSWER.sub("", question).replace(", separated by semicolons", "")


def _offering(family: Family) -> Family:
    def offered(inquiry: Inquiry) -> Draft | None:
        inner = family(inquiry)
        return with_options(inquiry, inner) if inner is not None else None

    return offered


FAMILIES: tuple[Family, ...] = tuple(_offering(family) for family in _INNER)


def generator_for(relations: Mapping[str, Relation], kinds: Mapping[str, EntityKind]) -> Generator:
    """Return the generator that words questions with these relations and kinds."""

    def generate_worded(setting: Setting, rng: Random) -> Iterator[Draft]:
        inquiry = Inquiry(
            setting, rng, task_type=TaskType.MULTIPLE_CHOICE, relations=relations, kinds=kinds
        )
        yield from in_turns(inquiry, FAMILIES)

    return generate_worded


def generate(setting: Setting, rng: Random) -> Iterator[Draft]:
    """Yield multiple choice drafts on one context."""
    return generator_for(RELATIONS, KINDS)(setting, rng)
