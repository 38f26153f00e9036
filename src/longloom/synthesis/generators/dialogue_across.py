"""Questions about words and speakers over several conversations of a kind.

The order is that of the context; an ordinal counts matches in earlier conversations, so these are
needed to find the one that is asked for.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from longloom.records import RewardRule
from longloom.synthesis.generators.dialogue_mentions import EXACT
from longloom.synthesis.generators.dialogue_scene import Candidate, Recipe, Scene
from longloom.synthesis.generators.dialogue_wording import VERBATIM, ordinal, speaker_words
from longloom.synthesis.programs.dialogue import (
    Beside,
    EndingInQuestion,
    EndOfEach,
    InConversationsWith,
    Mentioning,
    SpokenBy,
    Turns,
    TurnsOf,
)
from longloom.synthesis.programs.dialogue_recall import (
    CountDifference,
    EarliestTerm,
    Nth,
    NumConversations,
    NumTurns,
)
from longloom.synthesis.programs.node import Program

_MAX_CONVERSATIONS = 10
_MIN_SPEAKERS = 3
"""With two, who says something is a coin toss."""


@dataclass(frozen=True, slots=True)
class _Group:
    """The conversations of a kind with what a question may name in them."""

    plural: str
    turns: Program
    term: str
    """A word that at least two of them have, and not too many."""
    other_term: str
    speaker: str
    """A speaker of at least two of them."""
    names: tuple[str, str]
    """Two that have the word."""
    count: int
    """Conversations that have the word."""
    is_everywhere: bool
    """Whether the speaker takes part in all of them."""
    num_speakers: int
    """Speakers there are."""

    @property
    def mentions(self) -> Program:
        """The turns that have the word."""
        return Mentioning(self.turns, self.term)

    @property
    def order(self) -> str:
        """How ordinals count."""
        return f"Read the {self.plural} in the order in which they are given"


def _group(scene: Scene, rng: Random) -> _Group | None:
    kinds = [
        kind for kind in ("dialogue", "meeting", "transcript") if len(scene.subjects(kind)) > 1
    ]
    if not kinds:
        return None
    kind = rng.choice(kinds)
    subjects = scene.subjects(kind)
    spread = Counter(term for subject in subjects for term in scene.terms(subject))
    most = min(_MAX_CONVERSATIONS, len(subjects))
    terms = [term for term, count in spread.items() if 2 <= count <= most]
    speakers = Counter(speaker for subject in subjects for speaker in scene.speakers(subject, 1))
    shared = [speaker for speaker, count in speakers.items() if count > 1]
    if len(terms) < 2 or not shared:
        return None
    term, other = rng.sample(terms, 2)
    having = [subject for subject in subjects if term in scene.terms(subject)]
    first, second = rng.sample(having, 2)
    speaker = rng.choice(shared)
    return _Group(
        plural=f"{kind}s",
        turns=Turns(kind),
        term=term,
        other_term=other,
        speaker=speaker,
        names=(first, second),
        count=len(having),
        is_everywhere=speakers[speaker] == len(subjects),
        num_speakers=len(speakers),
    )


_Asked = tuple[Program, str]


def _recipe(
    ask: Callable[[_Group, Random], _Asked],
    *,
    rule: RewardRule = RewardRule.SEQUENCE_MATCH,
    num_hops: int = 2,
    names_words: bool = True,
    asks_who: bool = False,
) -> Recipe:
    def draw(scene: Scene, rng: Random) -> Candidate | None:
        group = _group(scene, rng)
        if group is None or (asks_who and group.num_speakers < _MIN_SPEAKERS):
            return None
        program, question = ask(group, rng)
        tail = {RewardRule.SEQUENCE_MATCH: f" {VERBATIM}", RewardRule.NUMERIC: " Give a number."}
        return Candidate(
            program=program,
            question=question + (f" {EXACT}" if names_words else "") + tail.get(rule, ""),
            reward_rule=rule,
            ability="counting" if rule is RewardRule.NUMERIC else "recall",
            num_hops=num_hops,
            min_documents=2,
        )

    return draw


def _place(group: _Group, rng: Random) -> tuple[int, str]:
    return rng.randint(2, max(2, min(group.count, 6))), rng.choice(("first", "last"))


def _mention(gives: str) -> Callable[[_Group, Random], _Asked]:
    asked = {
        "said": "What does it say?",
        "speaker": "Who says it?",
        "conversation": "Which {} is it in? Give its name.",
    }[gives]

    def ask(group: _Group, rng: Random) -> _Asked:
        number, side = _place(group, rng)
        return (
            Nth(group.mentions, number, side, gives),
            f"{group.order} and find the {ordinal(number, side)} turn that mentions "
            f'"{group.term}". {asked.format(group.plural[:-1])}',
        )

    return ask


def _mention_in_each(gives: str, side_of_each: str) -> Callable[[_Group, Random], _Asked]:
    asked = f"what does the {side_of_each} such turn say?"
    if gives == "speaker":
        asked = f"who says the {side_of_each} such turn?"

    def ask(group: _Group, rng: Random) -> _Asked:
        number, side = _place(group, rng)
        return (
            Nth(EndOfEach(group.mentions, side_of_each), number, side, gives),
            f'{group.order} and keep those with a turn that mentions "{group.term}". In the '
            f"{ordinal(number, side)} of them, {asked}",
        )

    return ask


def _beside_mention(steps: int) -> Callable[[_Group, Random], _Asked]:
    where = "after" if steps > 0 else "before"

    def ask(group: _Group, rng: Random) -> _Asked:
        number, side = _place(group, rng)
        return (
            Nth(Beside(EndOfEach(group.mentions, "first"), steps), number, side, "said"),
            f'{group.order} and keep those with a turn that mentions "{group.term}". In the '
            f"{ordinal(number, side)} of them, what is said directly {where} the first such turn?",
        )

    return ask


def _edge_with_mention(side_of_each: str) -> Callable[[_Group, Random], _Asked]:
    def ask(group: _Group, rng: Random) -> _Asked:
        number, side = _place(group, rng)
        turns = InConversationsWith(SpokenBy(group.turns, group.speaker), group.mentions, "with")
        who = speaker_words(group.speaker)
        takes_part = "" if group.is_everywhere else f"{who} takes part and "
        return (
            Nth(EndOfEach(turns, side_of_each), number, side, "said"),
            f"{group.order} and keep those in which {takes_part}"
            f'some turn mentions "{group.term}". In the {ordinal(number, side)} of them, what is '
            f"the {side_of_each} thing {speaker_words(group.speaker)} says?",
        )

    return ask


def _mention_without(group: _Group, rng: Random) -> _Asked:
    number, side = _place(group, rng)
    without = Mentioning(group.turns, group.other_term)
    turns = InConversationsWith(group.mentions, without, "without")
    return (
        Nth(EndOfEach(turns, "first"), number, side, "said"),
        f'{group.order} and keep those that mention "{group.term}" but nowhere '
        f'"{group.other_term}". In the {ordinal(number, side)} of them, what does the first turn '
        f'that mentions "{group.term}" say?',
    )


def _speaker_question(group: _Group, rng: Random) -> _Asked:
    number, side = rng.randint(2, 5), rng.choice(("first", "last"))
    asked = EndingInQuestion(SpokenBy(group.turns, group.speaker))
    who = speaker_words(group.speaker)
    return (
        Nth(EndOfEach(asked, "first"), number, side, "said"),
        f"{group.order} and keep those in which some turn of {who} ends with a question mark. In "
        f"the {ordinal(number, side)} of them, what does the first such turn say?",
    )


def _speaker_edge(side_of_each: str) -> Callable[[_Group, Random], _Asked]:
    def ask(group: _Group, rng: Random) -> _Asked:
        number, side = rng.randint(2, 6), rng.choice(("first", "last"))
        who = speaker_words(group.speaker)
        kept = "" if group.is_everywhere else f" and keep those in which {who} speaks"
        return (
            Nth(
                EndOfEach(SpokenBy(group.turns, group.speaker), side_of_each), number, side, "said"
            ),
            f"{group.order}{kept}. In the {ordinal(number, side)} of them, what"
            f" is the {side_of_each} thing {who} says?",
        )

    return ask


def _num_conversations(group: _Group, rng: Random) -> _Asked:
    return (
        NumConversations(group.mentions),
        f'In how many of the {group.plural} is "{group.term}" mentioned?',
    )


def _num_turns(group: _Group, rng: Random) -> _Asked:
    return (
        NumTurns(group.mentions),
        f'How many turns, over all {group.plural}, mention "{group.term}"? A turn counts once.',
    )


def _num_both(group: _Group, rng: Random) -> _Asked:
    both = InConversationsWith(group.mentions, Mentioning(group.turns, group.other_term), "with")
    return (
        NumConversations(both),
        f'How many of the {group.plural} mention both "{group.term}" and "{group.other_term}"?',
    )


def _count_difference(group: _Group, rng: Random) -> _Asked:
    first, second = (Mentioning(TurnsOf(name), group.term) for name in group.names)
    return (
        CountDifference(first, second),
        f'How many more turns mention "{group.term}" in {group.names[0]} than in '
        f"{group.names[1]}? A turn counts once.",
    )


def _earliest_term(group: _Group, rng: Random) -> _Asked:
    terms = tuple(sorted((group.term, group.other_term)))
    return (
        EarliestTerm(group.turns, terms),
        f'{group.order}. Which of the two words "{terms[0]}" and "{terms[1]}" is mentioned first?',
    )


RECIPES: tuple[Recipe, ...] = (
    _recipe(_mention("said")),
    _recipe(_mention("speaker"), asks_who=True, rule=RewardRule.COVER_EXACT_MATCH),
    _recipe(_mention("conversation"), rule=RewardRule.COVER_EXACT_MATCH),
    _recipe(_mention_in_each("said", "first")),
    _recipe(_mention_in_each("said", "last")),
    _recipe(_mention_in_each("speaker", "first"), asks_who=True, rule=RewardRule.COVER_EXACT_MATCH),
    _recipe(_beside_mention(1), num_hops=3),
    _recipe(_beside_mention(-1), num_hops=3),
    _recipe(_edge_with_mention("first"), num_hops=3),
    _recipe(_edge_with_mention("last"), num_hops=3),
    _recipe(_mention_without, num_hops=3),
    _recipe(_speaker_question, names_words=False),
    _recipe(_speaker_edge("first"), names_words=False),
    _recipe(_speaker_edge("last"), names_words=False),
    _recipe(_num_conversations, rule=RewardRule.NUMERIC, num_hops=1),
    _recipe(_num_turns, rule=RewardRule.NUMERIC, num_hops=1),
    _recipe(_num_both, rule=RewardRule.NUMERIC),
    _recipe(_count_difference, rule=RewardRule.NUMERIC),
)
