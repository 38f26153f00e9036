"""Chains of two or three hops over at least two documents: `the module of the base of X`."""

from collections.abc import Iterator
from random import Random

from longloom.records import TaskType
from longloom.synthesis.miniature.contexts import Request
from longloom.synthesis.miniature.generators.drafts import (
    Draft,
    distinct_pieces,
    ordered_paths,
    passes,
    rule_for,
)
from longloom.synthesis.miniature.index import View
from longloom.synthesis.miniature.programs import Chain

_MIN_HOPS = 2


def draft_questions(view: View, rng: Random) -> Iterator[Draft]:
    """Yield chains whose hops cross documents."""
    paths = ordered_paths(view, range(_MIN_HOPS, view.index.config.max_hops + 1), rng)
    for _ in passes(view):
        for path in paths:
            yield Draft(
                task_type=TaskType.MULTI_HOP,
                ability="multi_fact",
                reward_rule=rule_for(path.answer),
                program=Chain(path.facts[0].subject, path.relations),
                answer=path.answer,
                request=Request(required=distinct_pieces(path), relations=path.relations),
            )
