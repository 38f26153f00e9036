"""Single look-ups: `What is the base of OrderedDict?`."""

from collections.abc import Iterator
from random import Random

from longloom.records import TaskType
from longloom.synthesis.miniature.contexts import Request
from longloom.synthesis.miniature.generators.drafts import Draft, ordered_paths, passes, rule_for
from longloom.synthesis.miniature.index import View
from longloom.synthesis.miniature.programs import Chain


def draft_questions(view: View, rng: Random) -> Iterator[Draft]:
    """Yield one-hop questions."""
    paths = ordered_paths(view, (1,), rng)
    for _ in passes(view):
        for path in paths:
            yield Draft(
                task_type=TaskType.READING_COMPREHENSION,
                ability="recall",
                reward_rule=rule_for(path.answer),
                program=Chain(path.facts[0].subject, path.relations),
                answer=path.answer,
                request=Request(required=path.pieces, relations=path.relations),
            )
