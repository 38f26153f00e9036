"""Chains of one or two hops with four options, the wrong ones answers of other programs.

Every wrong option is the value of the same relation for another subject of the same context.
"""

from collections.abc import Iterator
from random import Random

from longloom.records import RewardRule, TaskType
from longloom.synthesis.miniature.contexts import Request
from longloom.synthesis.miniature.generators.drafts import (
    Draft,
    distinct_pieces,
    ordered_paths,
    passes,
)
from longloom.synthesis.miniature.index import Path, Piece, View
from longloom.synthesis.miniature.programs import LETTERS, Chain, Choice

_MAX_DRAWS = 24


def draft_questions(view: View, rng: Random) -> Iterator[Draft]:
    """Yield questions with lettered options; the right letter takes turns."""
    paths = ordered_paths(view, range(1, view.index.config.max_choice_hops + 1), rng)
    letters: list[int] = []
    for _ in passes(view):
        for path in paths:
            others = _other_answers(view, path, rng)
            if others is None:
                continue
            if not letters:
                letters = list(range(len(LETTERS)))
                rng.shuffle(letters)
            place = letters.pop()
            options = [value for value, _ in others]
            options.insert(place, path.answer)
            pieces = (*distinct_pieces(path), *(piece for _, piece in others))
            yield Draft(
                task_type=TaskType.MULTIPLE_CHOICE,
                ability="multi_fact" if len(path.facts) > 1 else "recall",
                reward_rule=RewardRule.CHOICE,
                program=Choice(Chain(path.facts[0].subject, path.relations), tuple(options)),
                answer=LETTERS[place],
                request=Request(required=pieces, relations=path.relations),
            )


def _other_answers(view: View, path: Path, rng: Random) -> list[tuple[str, Piece]] | None:
    """Return three other values of the last relation with their pieces; None if too rare."""
    relation = path.relations[-1]
    pool = view.pool_by_relation[relation]
    taken = {path.facts[0].subject, *(fact.value for fact in path.facts)}
    keys = {key for piece in path.pieces for key in piece.keys}
    # Small pieces first: four statements must fit the shortest prompts.
    drawn = sorted(
        (rng.choice(pool) for _ in range(_MAX_DRAWS)), key=lambda piece: piece.num_tokens
    )
    others: list[tuple[str, Piece]] = []
    for piece in drawn:
        if not keys.isdisjoint(piece.keys):
            continue
        values = [fact.value for fact in piece.facts if fact.relation == relation]
        if values[0] in taken or not view.index.name_fits(values[0]):
            continue
        taken.add(values[0])
        keys |= piece.keys
        others.append((values[0], piece))
        if len(others) == len(LETTERS) - 1:
            rng.shuffle(others)
            return others
    return None
