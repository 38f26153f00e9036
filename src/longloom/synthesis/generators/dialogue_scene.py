"""What the questions about conversations are drawn from, and how a candidate becomes a draft."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from longloom.records import RewardRule, TaskType
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.generators.draft import Draft, Setting
from longloom.synthesis.programs.dialogue import TURN, qualifier
from longloom.synthesis.programs.dialogue_state import BOOKED, SLOT
from longloom.synthesis.programs.node import Execution, Program
from longloom.synthesis.programs.world import World

_MIN_ANSWER_WORDS = 5
"""A verbatim reply below that (`Mm-hmm.`) repeats too often to be worth recalling."""
_MAX_ANSWER_WORDS = 120
_MAX_GOLD_DOCUMENTS = 12
_MIN_COUNT = 3
"""Below that a guess is too often right."""
_MAX_COUNT = 25
_WORD = re.compile(r"[A-Za-z]{5,20}")
_COMPOUND = re.compile(r"[a-z]+(?:-[a-z]+)+")
"""Whether `fifty-two` mentions "fifty" is a matter of taste, so such words are not asked for."""
_COMMON_WORDS = """
about above actually after again almost already always another anything around basically
because before being better between bring cause certainly could course definitely doesn
doing either enough especially every everything exactly excuse first going gonna gotta great
guess happen having hello himself itself kinda known later least leave likely little looking
maybe means might mostly myself never nothing other others ourselves perhaps please point
possible pretty probably quite rather really right second seems several shall should since
somebody someone something sometimes somewhere sorry sorta start still stuff taken talking
thank thanks their theirs themselves there these thing things think those though thought
three through today together trying under until using usually wanna wanted welcome whatever
where whether which while whole whose within without wonderful would wouldn years yours
yourself
"""
_COMMON = frozenset(_COMMON_WORDS.split())
"""Words too plain to look for in talk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A program with its wording, before anything is executed."""

    program: Program
    """What is asked."""
    question: str
    """How it is asked."""
    reward_rule: RewardRule
    """How it is scored."""
    ability: str
    """Question category."""
    num_hops: int = 1
    """Steps to the answer."""
    min_documents: int = 1
    """Documents that must be necessary."""


@dataclass(frozen=True, slots=True)
class Scene:
    """The conversations of a context, sorted for drawing."""

    world: World
    """The facts of the context."""
    num_by_event: Mapping[tuple[str, str, str], int]
    """Turns by speaker, act and label, for task dialogues."""
    bookings: Sequence[Mapping[str, Fact]]
    """What every booking is made for, by label."""
    turns_by_subject: Mapping[str, Sequence[Fact]]
    """The turns of every conversation."""
    kind_by_subject: Mapping[str, str]
    """`dialogue`, `meeting` or `transcript`, by conversation."""
    _terms: dict[str, Mapping[str, int]] = field(default_factory=dict, compare=False)
    _speakers: dict[str, Counter[str]] = field(default_factory=dict, compare=False)

    def events(self, speaker: str, act: str) -> list[str]:
        """Return the labels that turns with this act have at least twice."""
        return [
            label
            for (who, what, label), count in self.num_by_event.items()
            if (who, what) == (speaker, act) and count > 1
        ]

    def shown(self, speaker: str, act: str) -> list[str]:
        """Return those labels whose every turn shows its value exactly once.

        Where a value is only implied, a reader might count it and the facts would not.
        """
        return [label for label in self.events(speaker, act) if self._is_shown(label, act)]

    def _is_shown(self, label: str, act: str) -> bool:
        stated = [
            fact
            for fact in self.world.facts_with(SLOT)
            if fact.label == label and qualifier(fact, "act") == act
        ]
        places = {(fact.subject, fact.position) for fact in stated}
        num_turns = sum(
            count
            for (_, what, which), count in self.num_by_event.items()
            if (what, which) == (act, label)
        )
        return len(stated) == len(places) == num_turns

    def subjects(self, kind: str, min_turns: int = 1) -> list[str]:
        """Return the conversations of a kind with enough turns."""
        return [
            subject
            for subject, turns in self.turns_by_subject.items()
            if self.kind_by_subject[subject] == kind and len(turns) >= min_turns
        ]

    def terms(self, subject: str) -> Mapping[str, int]:
        """Return the uncommon words of a conversation with the number of turns that have them."""
        if subject not in self._terms:
            counts: Counter[str] = Counter()
            compounds: set[str] = set()
            for turn in self.turns_by_subject[subject]:
                said = turn.value.lower()
                counts.update(dict.fromkeys(_WORD.findall(said), 1))
                compounds.update(
                    part for word in _COMPOUND.findall(said) for part in word.split("-")
                )
            self._terms[subject] = {
                word: count
                for word, count in counts.items()
                if word not in _COMMON and not word.endswith("ing") and word not in compounds
            }
        return self._terms[subject]

    def speakers(self, subject: str, min_turns: int = 3) -> list[str]:
        """Return who says something often enough in a conversation, in order of appearance."""
        if subject not in self._speakers:
            turns = self.turns_by_subject[subject]
            self._speakers[subject] = Counter(qualifier(turn, "speaker") for turn in turns)
        counts = self._speakers[subject]
        return [speaker for speaker, count in counts.items() if count >= min_turns]


Recipe = Callable[[Scene, Random], Candidate | None]
"""Draws one candidate; None if this draw led nowhere."""


def scene_of(setting: Setting) -> Scene:
    """Sort the facts of a context."""
    num_by_event: Counter[tuple[str, str, str]] = Counter()
    turns_by_subject: dict[str, list[Fact]] = {}
    for fact in setting.world.facts_with(TURN):
        turns_by_subject.setdefault(fact.subject, []).append(fact)
        speaker, acts = qualifier(fact, "speaker"), qualifier(fact, "acts")
        for act in acts.split(";") if acts else ():
            what, _, label = act.partition(":")
            num_by_event[speaker, what, label] += 1
    bookings: dict[tuple[str, int], dict[str, Fact]] = {}
    for fact in setting.world.facts_with(BOOKED):
        bookings.setdefault((fact.subject, fact.position), {})[fact.label] = fact
    return Scene(
        setting.world,
        num_by_event,
        list(bookings.values()),
        turns_by_subject,
        {subject: turns[0].subject_kind for subject, turns in turns_by_subject.items()},
    )


def draft_of(candidate: Candidate, world: World) -> Draft | None:
    """Execute a candidate; None unless its answer is single, fit, and needs its documents."""
    execution = candidate.program.execute(world)
    answer = execution.only_answer
    if answer is None or not _is_fit(answer, candidate) or answer in candidate.question:
        return None
    gold = list(dict.fromkeys(fact.doc_id for fact in execution.evidence))
    if not candidate.min_documents <= len(gold) <= _MAX_GOLD_DOCUMENTS:
        return None
    if not _is_needed(candidate.program, execution, gold, world):
        return None
    return Draft(
        task_type=TaskType.DIALOGUE_MEMORY,
        ability=candidate.ability,
        question=candidate.question,
        program=candidate.program,
        answer=answer,
        reward_rule=candidate.reward_rule,
        num_hops=candidate.num_hops,
        min_documents=len(gold),
    )


def _is_fit(answer: str, candidate: Candidate) -> bool:
    match candidate.reward_rule:
        case RewardRule.SEQUENCE_MATCH:
            return _MIN_ANSWER_WORDS <= len(answer.split()) <= _MAX_ANSWER_WORDS
        case RewardRule.NUMERIC:
            is_count = candidate.ability == "counting"
            return not is_count or _MIN_COUNT <= int(answer) <= _MAX_COUNT
        case _:
            return 0 < len(answer) <= 100


def _is_needed(program: Program, execution: Execution, gold: Sequence[str], world: World) -> bool:
    """Return whether the gold documents give the answer alone and each is necessary."""
    if program.execute(world.only(gold)).answers != execution.answers:
        return False
    if len(gold) == 1:
        return True
    return all(
        program.execute(world.without((doc_id,))).answers != execution.answers for doc_id in gold
    )
