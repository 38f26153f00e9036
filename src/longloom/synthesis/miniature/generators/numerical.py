"""Arithmetic over two numbers of two documents: `the sum of the parameters of f and of g`."""

from collections import defaultdict
from collections.abc import Iterator
from random import Random

from longloom.records import RewardRule, TaskType
from longloom.synthesis.miniature.contexts import Request
from longloom.synthesis.miniature.generators.drafts import Draft, passes
from longloom.synthesis.miniature.index import Path, View
from longloom.synthesis.miniature.programs import (
    Chain,
    Difference,
    FactTable,
    Maximum,
    Sum,
    execute,
)

_OPERATIONS = (Sum, Difference, Maximum)


def draft_questions(view: View, rng: Random) -> Iterator[Draft]:
    """Yield sums, differences and maxima of two numbers of one relation."""
    by_relation: dict[str, list[Path]] = defaultdict(list)
    for path in view.answer_paths(1):
        if path.facts[0].is_number:
            by_relation[path.relations[0]].append(path)
    relations = [name for name, paths in by_relation.items() if len(paths) > 1]
    if not relations:
        return
    num_draws = sum(len(by_relation[name]) for name in relations) * len(passes(view))
    for draw in range(num_draws):
        paths = by_relation[rng.choice(relations)]
        draft = _draft(rng.choice(paths), rng.choice(paths), draw)
        if draft is not None:
            yield draft


def _draft(first: Path, second: Path, draw: int) -> Draft | None:
    facts = (first.facts[0], second.facts[0])
    if facts[0].doc_id == facts[1].doc_id or facts[0].subject == facts[1].subject:
        return None
    operation = _OPERATIONS[draw % len(_OPERATIONS)]
    if operation is Difference and float(facts[0].value) < float(facts[1].value):
        first, second = second, first
    program = operation(
        Chain(first.facts[0].subject, first.relations),
        Chain(second.facts[0].subject, second.relations),
    )
    (answer,) = execute(program, FactTable(facts))
    return Draft(
        task_type=TaskType.NUMERICAL,
        ability="comparison" if operation is Maximum else "aggregation",
        reward_rule=RewardRule.NUMERIC,
        program=program,
        answer=answer,
        request=Request(required=(*first.pieces, *second.pieces), relations=first.relations),
    )
