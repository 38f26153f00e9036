"""Questions for the n-th turn of a kind, over all task dialogues of a context.

What counts is said in the question, each turn counts once, and the order is that of the context,
so that every dialogue with an earlier match is needed to find the n-th.
"""

from dataclasses import dataclass
from random import Random

from longloom.records import RewardRule
from longloom.synthesis.facts.dialogue_words import NAME_SLOTS, is_yes_no
from longloom.synthesis.generators.dialogue_scene import Candidate, Recipe, Scene
from longloom.synthesis.generators.dialogue_wording import (
    VERBATIM,
    event_words,
    ordinal,
    slot_question,
)
from longloom.synthesis.programs.dialogue import (
    AboutService,
    Beside,
    Doing,
    EndOfEach,
    InConversationsWith,
    Since,
    SpokenBy,
    Turns,
    qualifier,
)
from longloom.synthesis.programs.dialogue_recall import (
    CountDifference,
    Nth,
    NumConversations,
    NumTurns,
)
from longloom.synthesis.programs.dialogue_state import Stated
from longloom.synthesis.programs.node import Program

_ALL = Turns("dialogue")
_ORDER = "Read the dialogues in the order in which they are given"
_MAX_ORDINAL = 9
_ACTS = (
    ("USER", "REQUEST"),
    ("USER", "INFORM"),
    ("USER", "REQUEST_ALTS"),
    ("SYSTEM", "REQUEST"),
    ("SYSTEM", "OFFER"),
    ("SYSTEM", "INFORM_COUNT"),
    ("SYSTEM", "CONFIRM"),
    ("SYSTEM", "NOTIFY_FAILURE"),
    ("SYSTEM", "REQ_MORE"),
)
_WITHOUT_SLOT = frozenset({"REQUEST_ALTS", "INFORM_COUNT", "CONFIRM", "NOTIFY_FAILURE", "REQ_MORE"})


@dataclass(frozen=True, slots=True)
class _Event:
    """A kind of turn, with its program, wording and number."""

    program: Program
    words: str
    label: str
    speaker: str
    count: int


def _event(scene: Scene, rng: Random, speaker: str = "", act: str = "") -> _Event | None:
    """Draw a kind of turn that occurs at least twice."""
    kinds = [
        (who, what, label)
        for who, what in _ACTS
        if speaker in ("", who) and act in ("", what)
        for label in scene.events(who, what)
        if _is_clear(what, label)
    ]
    if not kinds:
        return None
    chosen = rng.choice(sorted({kind[:2] for kind in kinds}))
    who, what, label = rng.choice([kind for kind in kinds if kind[:2] == chosen])
    count = scene.num_by_event[who, what, label]
    asked = "" if what in _WITHOUT_SLOT else label
    return _Event(Doing(_ALL, who, what, asked), event_words(who, what, asked), asked, who, count)


def _is_clear(act: str, label: str) -> bool:
    if act == "OFFER":
        return label in NAME_SLOTS
    return not (act == "INFORM" and is_yes_no("", label))


def _place(rng: Random, count: int) -> tuple[int, str]:
    """Draw an ordinal of at least two and the side it is counted from."""
    return rng.randint(2, max(2, min(count, _MAX_ORDINAL))), rng.choice(("first", "last"))


def _recall(program: Program, question: str, num_hops: int) -> Candidate:
    return Candidate(
        program=program,
        question=f"{question} {VERBATIM}",
        reward_rule=RewardRule.SEQUENCE_MATCH,
        ability="recall",
        num_hops=num_hops,
        min_documents=2,
    )


def _beside(steps: int, speaker: str, ask: str) -> Recipe:
    def draw(scene: Scene, rng: Random) -> Candidate | None:
        event = _event(scene, rng, speaker)
        if event is None:
            return None
        number, side = _place(rng, event.count)
        found = f"find the {ordinal(number, side)} turn in which {event.words}"
        return _recall(
            Nth(Beside(event.program, steps), number, side, "said"),
            f"{_ORDER} and {found}. {ask}",
            num_hops=2,
        )

    return draw


def _itself(scene: Scene, rng: Random) -> Candidate | None:
    event = _event(scene, rng)
    if event is None:
        return None
    number, side = _place(rng, event.count)
    found = f"find the {ordinal(number, side)} turn in which {event.words}"
    program = Nth(event.program, number, side, "said")
    return _recall(program, f"{_ORDER} and {found}. What does that turn say?", num_hops=1)


def _which_dialogue(scene: Scene, rng: Random) -> Candidate | None:
    event = _event(scene, rng)
    if event is None:
        return None
    number, side = _place(rng, event.count)
    return Candidate(
        program=Nth(event.program, number, side, "conversation"),
        question=f"{_ORDER} and find the {ordinal(number, side)} turn in which {event.words}. "
        "Which dialogue is it in? Give its name.",
        reward_rule=RewardRule.COVER_EXACT_MATCH,
        ability="recall",
        min_documents=2,
    )


def _first_in_each(scene: Scene, rng: Random) -> Candidate | None:
    event = _event(scene, rng)
    if event is None:
        return None
    number, side = _place(rng, event.count // 2)
    program = Nth(Beside(EndOfEach(event.program, "first"), 1), number, side, "said")
    question = (
        f"{_ORDER} and keep those in which {event.words}. In the {ordinal(number, side)} of them, "
        "what is said directly after the first such turn?"
    )
    return _recall(program, question, num_hops=2)


def _edge_of_dialogue(side_of_dialogue: str, speaker: str) -> Recipe:
    def draw(scene: Scene, rng: Random) -> Candidate | None:
        event = _event(scene, rng)
        if event is None:
            return None
        number, side = _place(rng, event.count // 2)
        turns = InConversationsWith(SpokenBy(_ALL, speaker), event.program, "with")
        question = (
            f"{_ORDER} and keep those in which {event.words}. In the {ordinal(number, side)} of "
            f"them, what is the {side_of_dialogue} thing the {speaker.lower()} says?"
        )
        return _recall(
            Nth(EndOfEach(turns, side_of_dialogue), number, side, "said"), question, num_hops=2
        )

    return draw


def _edge_about_service(side_of_dialogue: str, speaker: str) -> Recipe:
    def draw(scene: Scene, rng: Random) -> Candidate | None:
        services = sorted(
            {qualifier(turns[0], "service") for turns in scene.turns_by_subject.values()} - {""}
        )
        if len(services) < 2:
            return None
        service = rng.choice(services)
        number, side = _place(rng, _MAX_ORDINAL)
        turns = SpokenBy(AboutService(_ALL, service), speaker)
        question = (
            f"{_ORDER} and keep those about {service}. In the {ordinal(number, side)} of them, "
            f"what is the {side_of_dialogue} thing the {speaker.lower()} says?"
        )
        return _recall(
            Nth(EndOfEach(turns, side_of_dialogue), number, side, "said"), question, num_hops=2
        )

    return draw


def _with_other(polarity: str) -> Recipe:
    def draw(scene: Scene, rng: Random) -> Candidate | None:
        event, other = _event(scene, rng), _event(scene, rng)
        if event is None or other is None or event == other:
            return None
        number, side = _place(rng, min(event.count, other.count))
        turns = InConversationsWith(event.program, other.program, polarity)
        kept = "in which" if polarity == "with" else "that have no turn in which"
        question = (
            f"{_ORDER} and keep only those {kept} {other.words}. Within these, find the "
            f"{ordinal(number, side)} turn in which {event.words}. What is said directly after it?"
        )
        return _recall(Nth(Beside(turns, 1), number, side, "said"), question, num_hops=3)

    return draw


def _since_other(side_of_marker: str) -> Recipe:
    def draw(scene: Scene, rng: Random) -> Candidate | None:
        event, other = _event(scene, rng), _event(scene, rng)
        if event is None or other is None or event == other:
            return None
        number, side = _place(rng, min(event.count, other.count) // 2)
        turns = Since(event.program, other.program, side_of_marker)
        question = (
            f"{_ORDER}. Count the turns in which {event.words}, but only if that happens "
            f"{side_of_marker} the first turn of the same dialogue in which {other.words}. What "
            f"does the {ordinal(number, side)} of these turns say?"
        )
        return _recall(Nth(turns, number, side, "said"), question, num_hops=3)

    return draw


def _stated(steps: int) -> Recipe:
    """Ask for the value given in the reply to a request, or in the turn itself."""

    def draw(scene: Scene, rng: Random) -> Candidate | None:
        act = "REQUEST" if steps else rng.choice(("INFORM", "OFFER"))
        speaker = "SYSTEM" if act == "OFFER" else rng.choice(("USER", "SYSTEM"))
        event = _event(scene, rng, "USER" if act == "INFORM" else speaker, act)
        answering = {"INFORM": "USER"}.get(act, "SYSTEM")
        answer_act = act
        if act == "REQUEST":
            answering, answer_act = ("SYSTEM" if speaker == "USER" else "USER"), "INFORM"
        if event is None or event.label not in scene.shown(answering, answer_act):
            return None
        number, side = _place(rng, event.count)
        turns = Beside(event.program, steps) if steps else event.program
        there = "after" if steps else "in"
        also = f" and the very next turn states the {event.label}" if steps else ""
        return Candidate(
            program=Nth(Stated(turns, event.label), number, side, "said"),
            question=f"{_ORDER} and list the turns in which {event.words}{also}. "
            f"{slot_question(event.label)} is stated {there} the {ordinal(number, side)} turn of "
            "that list? Give it as it is written there.",
            reward_rule=RewardRule.COVER_EXACT_MATCH,
            ability="state",
            num_hops=2,
            min_documents=2,
        )

    return draw


def _count(program: Program, question: str) -> Candidate:
    return Candidate(
        program=program,
        question=f"{question} Answer with a number.",
        reward_rule=RewardRule.NUMERIC,
        ability="counting",
        num_hops=1,
        min_documents=2,
    )


def _num_turns(scene: Scene, rng: Random) -> Candidate | None:
    event = _event(scene, rng)
    if event is None or event.count > _MAX_ORDINAL + 3:
        return None
    question = f"In how many turns, over all dialogues, is it the case that {event.words}?"
    return _count(NumTurns(event.program), question)


def _num_dialogues(scene: Scene, rng: Random) -> Candidate | None:
    event = _event(scene, rng)
    if event is None:
        return None
    question = f"In how many of the dialogues is there a turn in which {event.words}?"
    return _count(NumConversations(event.program), question)


def _num_dialogues_with(polarity: str) -> Recipe:
    def draw(scene: Scene, rng: Random) -> Candidate | None:
        event, other = _event(scene, rng), _event(scene, rng)
        if event is None or other is None or event == other:
            return None
        joined = "and also one" if polarity == "with" else "but none"
        return _count(
            NumConversations(InConversationsWith(event.program, other.program, polarity)),
            f"In how many of the dialogues is there a turn in which {event.words}, {joined} in "
            f"which {other.words}?",
        )

    return draw


def _count_difference(scene: Scene, rng: Random) -> Candidate | None:
    events = [event for event in (_event(scene, rng), _event(scene, rng)) if event is not None]
    if len(events) < 2 or sum(event.count for event in events) > 14:
        return None
    fewer, more = sorted(events, key=lambda event: event.count)
    return Candidate(
        program=CountDifference(more.program, fewer.program),
        question=f"Over all dialogues, how many more turns are there in which {more.words} than "
        f"turns in which {fewer.words}? Answer with a number.",
        reward_rule=RewardRule.NUMERIC,
        ability="counting",
        num_hops=2,
        min_documents=2,
    )


RECIPES: tuple[Recipe, ...] = (
    _beside(1, "USER", "What does the system say in direct reply to it?"),
    _beside(1, "SYSTEM", "What does the user say in direct reply to it?"),
    _beside(-1, "SYSTEM", "What does the user say directly before it?"),
    _beside(-1, "USER", "What does the system say directly before it?"),
    _beside(2, "USER", "What does the user say next, in the turn after the system's reply?"),
    _itself,
    _which_dialogue,
    _first_in_each,
    _edge_of_dialogue("first", "USER"),
    _edge_of_dialogue("last", "USER"),
    _edge_of_dialogue("last", "SYSTEM"),
    _edge_about_service("first", "USER"),
    _edge_about_service("first", "SYSTEM"),
    _edge_about_service("last", "SYSTEM"),
    _with_other("with"),
    _with_other("without"),
    _since_other("after"),
    _since_other("before"),
    _stated(1),
    _stated(0),
    _num_turns,
    _num_dialogues,
    _num_dialogues_with("with"),
    _num_dialogues_with("without"),
    _count_difference,
)
