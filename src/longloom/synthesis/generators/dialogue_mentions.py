"""Questions about what is said around a word, a speaker or a question, in any conversation.

They need no annotation: words, speakers, order and question marks are all in the text. `Mention`
means the exact word in a turn, whatever its case, and every question says so.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from longloom.records import RewardRule
from longloom.synthesis.generators.dialogue_scene import Candidate, Recipe, Scene
from longloom.synthesis.generators.dialogue_wording import VERBATIM, ordinal, speaker_words
from longloom.synthesis.programs.dialogue import (
    Beside,
    EndingInQuestion,
    Mentioning,
    Since,
    SpokenBy,
    TurnsOf,
)
from longloom.synthesis.programs.dialogue_recall import (
    CountDifference,
    Longest,
    MostTurns,
    Nth,
    NumTurns,
)
from longloom.synthesis.programs.node import Program

_MIN_TURNS = 30
_MAX_ORDINAL = 6
_MIN_SPEAKERS = 3
"""With two, who says something is a coin toss."""
EXACT = "Only the exact words in quotation marks count, in upper or lower case."


@dataclass(frozen=True, slots=True)
class _Talk:
    """One long conversation with what a question may name in it."""

    name: str
    first: str
    """A speaker."""
    second: str
    """Another one."""
    term: str
    """A word that several turns have."""
    other_term: str
    count: int
    """Turns that have `term`."""

    @property
    def turns(self) -> Program:
        """Every turn of it."""
        return TurnsOf(self.name)

    @property
    def mentions(self) -> Program:
        """The turns that have the word."""
        return Mentioning(self.turns, self.term)

    def by(self, speaker: str) -> Program:
        """The turns of a speaker."""
        return SpokenBy(self.turns, speaker)


def _talk(scene: Scene, rng: Random, least: int = 2, most: int = 12) -> _Talk | None:
    names = [
        name
        for kind in ("dialogue", "meeting", "transcript")
        for name in scene.subjects(kind, _MIN_TURNS)
    ]
    if not names:
        return None
    name = rng.choice(names)
    terms = [term for term, count in scene.terms(name).items() if least <= count <= most]
    speakers = scene.speakers(name)
    if len(terms) < 2 or len(speakers) < 2:
        return None
    first, second = rng.sample(speakers, 2)
    term, other = rng.sample(terms, 2)
    return _Talk(name, first, second, term, other, scene.terms(name)[term])


def _recipe(
    ask: Callable[[_Talk, Random], tuple[Program, str]],
    *,
    rule: RewardRule = RewardRule.SEQUENCE_MATCH,
    num_hops: int = 2,
    least: int = 2,
    most: int = 12,
    asks_who: bool = False,
) -> Recipe:
    """Make a recipe of a function that gives program and question."""

    def draw(scene: Scene, rng: Random) -> Candidate | None:
        talk = _talk(scene, rng, least, most)
        if talk is None:
            return None
        if asks_who and len(scene.speakers(talk.name)) < _MIN_SPEAKERS:
            return None
        program, question = ask(talk, rng)
        tail = {RewardRule.SEQUENCE_MATCH: f" {VERBATIM}", RewardRule.NUMERIC: " Give a number."}
        exact = f" {EXACT}" if '"' in question else ""
        is_number = rule is RewardRule.NUMERIC
        return Candidate(
            program=program,
            question=question + exact + tail.get(rule, ""),
            reward_rule=rule,
            ability="counting" if is_number else "recall",
            num_hops=num_hops,
        )

    return draw


def _place(rng: Random, count: int) -> tuple[int, str]:
    return rng.randint(1, max(1, min(count, _MAX_ORDINAL))), rng.choice(("first", "last"))


def _mention(talk: _Talk, rng: Random) -> tuple[Program, str]:
    number, side = _place(rng, talk.count)
    return (
        Nth(talk.mentions, number, side, "said"),
        f'In {talk.name}, what does the {ordinal(number, side)} turn that mentions "{talk.term}" '
        "say?",
    )


def _speaker_of_mention(talk: _Talk, rng: Random) -> tuple[Program, str]:
    number, side = _place(rng, talk.count)
    return (
        Nth(talk.mentions, number, side, "speaker"),
        f'In {talk.name}, who says the {ordinal(number, side)} turn that mentions "{talk.term}"?',
    )


def _beside_mention(steps: int, gives: str) -> Callable[[_Talk, Random], tuple[Program, str]]:
    where = "after" if steps > 0 else "before"
    asked = "what is said in" if gives == "said" else "who says"

    def ask(talk: _Talk, rng: Random) -> tuple[Program, str]:
        number, side = _place(rng, talk.count)
        return (
            Nth(Beside(talk.mentions, steps), number, side, gives),
            f"In {talk.name}, {asked} the turn directly {where} the {ordinal(number, side)} turn "
            f'that mentions "{talk.term}"?',
        )

    return ask


def _since_mention(where: str) -> Callable[[_Talk, Random], tuple[Program, str]]:
    def ask(talk: _Talk, rng: Random) -> tuple[Program, str]:
        number = rng.randint(1, 4)
        side = "first" if where == "after" else "last"
        asked = f"the {ordinal(number, side)} thing {speaker_words(talk.first)} says {where}"
        return (
            Nth(Since(talk.by(talk.first), talk.mentions, where), number, side, "said"),
            f"In {talk.name}, what is {asked} the first turn (anybody's) that mentions "
            f'"{talk.term}"?',
        )

    return ask


def _since_speaker(talk: _Talk, rng: Random) -> tuple[Program, str]:
    number = rng.randint(2, 7)
    return (
        Nth(Since(talk.by(talk.first), talk.by(talk.second), "after"), number, "first", "said"),
        f"In {talk.name}, what is the {ordinal(number)} thing {speaker_words(talk.first)} says "
        f"after {speaker_words(talk.second)} has spoken for the first time?",
    )


def _of_speaker(talk: _Talk, rng: Random) -> tuple[Program, str]:
    number, side = rng.randint(1, 9), rng.choice(("first", "last"))
    return (
        Nth(talk.by(talk.first), number, side, "said"),
        f"In {talk.name}, what does {speaker_words(talk.first)} say in the "
        f"{ordinal(number, side)} of all of {speaker_words(talk.first)}'s turns?",
    )


def _question_of(talk: _Talk, rng: Random) -> tuple[Program, str]:
    number, side = _place(rng, _MAX_ORDINAL)
    return (
        Nth(EndingInQuestion(talk.by(talk.first)), number, side, "said"),
        f"In {talk.name}, what does the {ordinal(number, side)} turn of "
        f"{speaker_words(talk.first)} that ends with a question mark say?",
    )


def _reply_to_question(talk: _Talk, rng: Random) -> tuple[Program, str]:
    number, side = _place(rng, _MAX_ORDINAL)
    return (
        Nth(Beside(EndingInQuestion(talk.by(talk.first)), 1), number, side, "said"),
        f"In {talk.name}, find the {ordinal(number, side)} turn of {speaker_words(talk.first)} "
        "that ends with a question mark. What is said in the turn directly after it?",
    )


def _question_since_mention(talk: _Talk, rng: Random) -> tuple[Program, str]:
    number = rng.randint(1, 3)
    turns = Since(EndingInQuestion(talk.turns), talk.mentions, "after")
    return (
        Nth(turns, number, "first", "said"),
        f"In {talk.name}, what does the {ordinal(number)} turn (anybody's) that ends with a "
        f'question mark say, counting only turns after the first one that mentions "{talk.term}"?',
    )


def _longest(talk: _Talk, rng: Random) -> tuple[Program, str]:
    return (
        Longest(Mentioning(talk.by(talk.first), talk.term), "said"),
        f"In {talk.name}, of the turns in which {speaker_words(talk.first)} mentions "
        f'"{talk.term}", what does the one with the most words say?',
    )


def _both_terms(talk: _Talk, rng: Random) -> tuple[Program, str]:
    return (
        Nth(Mentioning(talk.mentions, talk.other_term), 1, "first", "said"),
        f'In {talk.name}, what does the first turn that mentions both "{talk.term}" and '
        f'"{talk.other_term}" say?',
    )


def _mention_by(talk: _Talk, rng: Random) -> tuple[Program, str]:
    number, side = _place(rng, 3)
    return (
        Nth(Mentioning(talk.by(talk.first), talk.term), number, side, "said"),
        f"In {talk.name}, what does {speaker_words(talk.first)} say in the "
        f"{ordinal(number, side)} of {speaker_words(talk.first)}'s own turns that mention "
        f'"{talk.term}"?',
    )


def _num_mentions(talk: _Talk, rng: Random) -> tuple[Program, str]:
    return (
        NumTurns(Mentioning(talk.by(talk.first), talk.term)),
        f"In {talk.name}, in how many of {speaker_words(talk.first)}'s turns is "
        f'"{talk.term}" mentioned? A turn counts once.',
    )


def _mentions_difference(talk: _Talk, rng: Random) -> tuple[Program, str]:
    more = Mentioning(talk.by(talk.first), talk.term)
    fewer = Mentioning(talk.by(talk.second), talk.term)
    return (
        CountDifference(more, fewer),
        f"In {talk.name}, in how many more turns does {speaker_words(talk.first)} mention "
        f'"{talk.term}" than {speaker_words(talk.second)} does?',
    )


def _most_mentions(talk: _Talk, rng: Random) -> tuple[Program, str]:
    return (
        MostTurns(talk.mentions, "speaker"),
        f'In {talk.name}, whose turns mention "{talk.term}" most often, each turn counting once?',
    )


def _mention_since_other(talk: _Talk, rng: Random) -> tuple[Program, str]:
    return (
        Nth(
            Since(talk.mentions, Mentioning(talk.turns, talk.other_term), "after"),
            1,
            "first",
            "said",
        ),
        f'In {talk.name}, after the first turn that mentions "{talk.other_term}", what does the '
        f'next turn that mentions "{talk.term}" say?',
    )


RECIPES: tuple[Recipe, ...] = (
    _recipe(_mention),
    _recipe(_speaker_of_mention, asks_who=True, rule=RewardRule.COVER_EXACT_MATCH),
    _recipe(_beside_mention(1, "said")),
    _recipe(_beside_mention(-1, "said")),
    _recipe(_beside_mention(1, "speaker"), asks_who=True, rule=RewardRule.COVER_EXACT_MATCH),
    _recipe(_beside_mention(-1, "speaker"), asks_who=True, rule=RewardRule.COVER_EXACT_MATCH),
    _recipe(_since_mention("after")),
    _recipe(_since_mention("before")),
    _recipe(_since_speaker),
    _recipe(_of_speaker, num_hops=1),
    _recipe(_question_of),
    _recipe(_reply_to_question),
    _recipe(_question_since_mention, num_hops=3),
    _recipe(_longest, least=4),
    _recipe(_both_terms, least=4, most=25),
    _recipe(_mention_by, least=3),
    _recipe(_num_mentions, rule=RewardRule.NUMERIC, least=4, most=25),
    _recipe(_mentions_difference, rule=RewardRule.NUMERIC, least=5, most=25),
    _recipe(_most_mentions, asks_who=True, rule=RewardRule.COVER_EXACT_MATCH, least=4, most=20),
    _recipe(_mention_since_other, num_hops=3),
)
