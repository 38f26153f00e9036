"""Recall over long conversations: replies by ordinal, values that change, bookings, mentions.

    scene -> recipes in turn, each drawing one candidate -> execution -> draft

Recipes take turns, so that no shape of program dominates, in an order drawn anew for each context:
where a context is cut short, it is not always the same shapes that are left out. Answers are the
paper's verbatim replies (dense sequence match), values, names and counts. Paper: QwenLong-L1.5,
sections 3 and 5.1.
"""

from collections.abc import Iterator
from random import Random

from longloom.synthesis.generators.dialogue_across import RECIPES as ACROSS
from longloom.synthesis.generators.dialogue_bookings import RECIPES as BOOKINGS
from longloom.synthesis.generators.dialogue_changes import RECIPES as CHANGES
from longloom.synthesis.generators.dialogue_mentions import RECIPES as MENTIONS
from longloom.synthesis.generators.dialogue_replies import RECIPES as REPLIES
from longloom.synthesis.generators.dialogue_scene import Recipe, Scene, draft_of, scene_of
from longloom.synthesis.generators.draft import Draft, Setting

_MAX_ROUNDS = 40
_DRAWS_A_TURN = 3
_MAX_BARREN_TURNS = 3
"""Turns without a draft after which a recipe is given up for this context."""


def generate(setting: Setting, rng: Random) -> Iterator[Draft]:
    """Yield questions about the conversations of a context; none if it has none."""
    scene = scene_of(setting)
    if not scene.turns_by_subject:
        return
    recipes = [*REPLIES, *BOOKINGS, *CHANGES, *MENTIONS, *ACROSS]
    rng.shuffle(recipes)
    barren = [0] * len(recipes)
    asked: set[str] = set()
    for _ in range(_MAX_ROUNDS):
        for place, recipe in enumerate(recipes):
            if barren[place] >= _MAX_BARREN_TURNS:
                continue
            draft = _drawn(recipe, scene, rng, asked)
            if draft is None:
                barren[place] += 1
                continue
            barren[place] = 0
            asked.add(draft.question)
            yield draft


def _drawn(recipe: Recipe, scene: Scene, rng: Random, asked: set[str]) -> Draft | None:
    """Return the first of a few draws that holds and is new."""
    for _ in range(_DRAWS_A_TURN):
        candidate = recipe(scene, rng)
        if candidate is None or candidate.question in asked:
            continue
        draft = draft_of(candidate, scene.world)
        if draft is not None:
            return draft
    return None
