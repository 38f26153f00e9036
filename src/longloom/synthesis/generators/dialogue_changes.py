"""Questions about values that change within a dialogue: what was first, before, and last."""

from random import Random

from longloom.records import RewardRule
from longloom.synthesis.facts.dialogue_words import NAME_SLOTS
from longloom.synthesis.generators.dialogue_bookings import state_candidate
from longloom.synthesis.generators.dialogue_scene import Candidate, Recipe, Scene
from longloom.synthesis.generators.dialogue_wording import ordinal
from longloom.synthesis.programs.dialogue import Doing, EndOfEach, Turns
from longloom.synthesis.programs.dialogue_recall import Nth, NumConversations
from longloom.synthesis.programs.dialogue_state import Among, Changed, Runs, Stated
from longloom.synthesis.programs.node import Program

_ALL = Turns("dialogue")


def _changing(scene: Scene, rng: Random) -> tuple[Program, str, str] | None:
    """Draw a slot that changes within dialogues: its values, label and what a change is."""
    offered = [label for label in scene.shown("SYSTEM", "OFFER") if label in NAME_SLOTS]
    confirmed = scene.shown("SYSTEM", "CONFIRM")
    if offered and (not confirmed or rng.random() < 0.6):
        label = rng.choice(offered)
        turns = Doing(_ALL, "SYSTEM", "OFFER", label)
        return Runs(Stated(turns, label)), label, "the system suggests"
    if not confirmed:
        return None
    label = rng.choice(confirmed)
    turns = Doing(_ALL, "SYSTEM", "CONFIRM", label)
    return Runs(Stated(turns, label)), label, "the system asks the user to confirm"


def _changed_value(side: str) -> Recipe:
    def draw(scene: Scene, rng: Random) -> Candidate | None:
        drawn = _changing(scene, rng)
        if drawn is None:
            return None
        values, label, does = drawn
        number, end = rng.randint(2, 6), rng.choice(("first", "last"))
        return state_candidate(
            Nth(EndOfEach(Changed(values), side), number, end, "said"),
            f"In some dialogues {does} more than one {label}, one after the other. Take these "
            f"dialogues in the order in which they are given. In the {ordinal(number, end)} of "
            f"them, which {label} is the {side} that {does}? Give it as it is written there.",
            RewardRule.COVER_EXACT_MATCH,
            3,
            2,
        )

    return draw


def _num_changing(scene: Scene, rng: Random) -> Candidate | None:
    drawn = _changing(scene, rng)
    if drawn is None:
        return None
    values, label, does = drawn
    return state_candidate(
        NumConversations(Changed(values)),
        f"In how many of the dialogues is there more than one {label} that {does}?",
        RewardRule.NUMERIC,
        2,
        2,
    )


def _value_in_dialogue(which: str) -> Recipe:
    """Ask for a value that was given up, or for the one that it became."""

    def draw(scene: Scene, rng: Random) -> Candidate | None:
        drawn = _changing(scene, rng)
        if drawn is None:
            return None
        values, label, does = drawn
        picks = Changed(values).picks(scene.world)
        if not picks:
            return None
        subject = rng.choice(sorted({pick[0].subject for pick in picks}))
        within = Among(values, (subject,))
        number, side = (2, "last") if which == "before" else (1, which)
        asked = "directly before the last" if which == "before" else which
        question = f"In {subject}, which {label} is the {asked} that {does}?"
        if which == "before":
            question = (
                f"In {subject}, {does} one {label} after another. Which {label} comes directly "
                "before the last one?"
            )
        return state_candidate(
            Nth(within, number, side, "said"),
            f"{question} Give it as it is written there.",
            RewardRule.COVER_EXACT_MATCH,
            2,
            1,
        )

    return draw


RECIPES: tuple[Recipe, ...] = (
    _changed_value("first"),
    _changed_value("last"),
    _num_changing,
    _value_in_dialogue("before"),
)
