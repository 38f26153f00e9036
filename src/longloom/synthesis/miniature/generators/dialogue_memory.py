"""Recall from a transcript: `What is the second reply about a class?`, answered verbatim.

A turn is `user: TOPIC`, `assistant: STATEMENT`. The asked topic is requested exactly twice, other
topics fill the transcript; every reply is a real statement of a document, copied unchanged.
"""

from collections.abc import Iterator
from random import Random

from longloom.records import RewardRule, TaskType
from longloom.synthesis.miniature.contexts import Request
from longloom.synthesis.miniature.generators.drafts import Draft, interleaved, passes
from longloom.synthesis.miniature.index import Piece, View
from longloom.synthesis.miniature.programs import Reply

_NUM_REQUESTS = 2


def draft_questions(view: View, rng: Random) -> Iterator[Draft]:
    """Yield questions for the first or second reply about a topic."""
    by_topic = {
        topic: short
        for topic, turns in view.turns_by_topic().items()
        if len(short := [turn for turn in turns if _is_short(view, turn)]) >= _NUM_REQUESTS
    }
    answers = [
        (topic, turn)
        for topic, turns in by_topic.items()
        for turn in turns
        if view.may_answer(turn.facts[0], turn)
    ]
    if len(view.turns_by_topic()) < 2:
        return
    order = interleaved(answers, lambda answer: answer[0], rng)
    for _ in passes(view):
        for topic, turn in order:
            other = rng.choice(by_topic[topic])
            if not turn.keys.isdisjoint(other.keys):
                continue
            ordinal = rng.randint(1, _NUM_REQUESTS)
            turns = (turn, other) if ordinal == 1 else (other, turn)
            yield Draft(
                task_type=TaskType.DIALOGUE_MEMORY,
                ability="recall",
                reward_rule=RewardRule.SEQUENCE_MATCH,
                program=Reply(topic, ordinal),
                answer=turn.text,
                request=Request(
                    required=turns,
                    relations=(turn.facts[0].relation,),
                    dialogue_topic=topic,
                    is_in_order=True,
                    min_values=1,
                ),
            )


def _is_short(view: View, turn: Piece) -> bool:
    fact = turn.facts[0]
    return view.index.name_fits(fact.subject) and view.index.name_fits(fact.value)
