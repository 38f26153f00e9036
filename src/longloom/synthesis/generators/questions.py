"""Questions: programs asked in plain English, in several wordings each.

Every question says that it is about the documents given, since what is the only PEP among them
may have many like it elsewhere, and ends with how to answer where that is not plain.
"""

from collections.abc import Sequence
from random import Random

from longloom.synthesis.facts.relation import Relation
from longloom.synthesis.generators.paths import Path
from longloom.synthesis.generators.wording import (
    Known,
    Phraser,
    joined_clauses,
    listed,
    relation_head,
)
from longloom.synthesis.programs.comparison import LEAST
from longloom.synthesis.programs.graph import Filter, Follow, Named, Only
from longloom.synthesis.programs.node import Program

_LEADS = ("Among the documents given, ", "In the documents given, ", "Within the documents given, ")
_STARTS = (
    "Among the documents given, take",
    "From the documents given, take",
    "In the documents given, find",
)
_NEXTS = ("Then take", "Next, find", "From there, go on to")
_PLAIN_KINDS = frozenset({"date", "number", "text"})
_NUMBER_WORDS = (
    "no",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
)
_NOT_STATED = ("something ", "those ", "what ")
"""Nouns that `state the ...` does not go with."""
_MAX_CHARACTERS = 420


def sentence(text: str) -> str:
    """Return a text that begins with a capital letter."""
    return text[:1].upper() + text[1:]


def lowered(question: str) -> str:
    """Return a question as it goes on after a comma; a first word in capitals stays."""
    return question[:1].lower() + question[1:] if question[1:2].islower() else question


def number_word(count: int) -> str:
    """Return a small number as a word."""
    return _NUMBER_WORDS[count] if count < len(_NUMBER_WORDS) else str(count)


def answer_format(answer: str, value_kind: str, unit: str = "") -> str:
    """Return how to answer, with a space before it; nothing where it is plain."""
    if value_kind == "number":
        return f" Answer with a number, in {unit}." if unit else " Answer with a number."
    if value_kind != "date":
        return ""
    match len(answer):
        case 4:
            return " Give the year."
        case 7:
            return " Answer as YYYY-MM."
        case _:
            return " Answer as YYYY-MM-DD."


class Asker:
    """Words questions on one world, drawing among the variants of each pattern."""

    def __init__(self, phraser: Phraser, rng: Random) -> None:
        self.phraser = phraser
        self._rng = rng

    def path(self, path: Path) -> str | None:
        """Ask along a path: in one sentence if it is short, else step by step."""
        is_short = not path.stops or (
            len(path.stops) == 1 and not self._is_embedded(path) and self._rng.random() < 0.6
        )
        question = self._ending(path, {}) if is_short else self._story(path)
        return question if question is not None and len(question) <= _MAX_CHARACTERS else None

    def _story(self, path: Path) -> str | None:
        nodes = [path.anchor, *path.stops]
        # What two stops say fits one sentence; a third nested description would not.
        may_join = len(nodes) > 2 and not self._is_embedded(path)
        first = 1 if may_join and self._rng.random() < 0.6 else 0
        is_own_sentence = bool(path.relation) and self._rng.random() < 0.5
        last = len(nodes) - 1 if is_own_sentence else len(nodes) - 2
        sentences: list[str] = []
        known: dict[Program, str] = {}
        for place in range(min(first, last), last + 1):
            described, kind = self.phraser.noun_phrase(nodes[place], known), self.kind(nodes[place])
            if described is None or kind is None:
                return None
            sentences.append(f"{self._rng.choice(_NEXTS if sentences else _STARTS)} {described}.")
            known = {nodes[place]: f"that {kind}"}
        ending = self._ending(path, known)
        return None if ending is None else " ".join([*sentences, ending])

    def _is_embedded(self, path: Path) -> bool:
        """Return whether the first stop would have a description in its middle.

        `the PEP that the PEP written by Ada replaces` is better said in two sentences.
        """
        match path.stops[0]:
            case Only(of=Follow(relation=name) | Filter(of=Follow(relation=name))):
                relation = self.relation(name)
                is_last = relation is not None and relation.noun.endswith("{x}")
                return not isinstance(path.anchor, Named) and not is_last
            case _:
                return False

    def kind(self, program: Program) -> str | None:
        """Return what to call the answer of a program that an earlier sentence has introduced."""
        return None if isinstance(program, Named) else self.phraser.kind_of(program)

    def _ending(self, path: Path, known: Known) -> str | None:
        last = path.stops[-1] if path.stops else path.anchor
        if path.relation:
            how = answer_format(path.answer, path.value_kind, path.unit)
            return self.value(last, path.relation, how, known)
        return self.entity(last, known)

    def value(self, of: Program, name: str, how: str, known: Known) -> str | None:
        """Ask for a relation of what `of` finds, in one sentence, and say how to answer."""
        relation, subject = self.relation(name), self.phraser.noun_phrase(of, known)
        if relation is None or subject is None:
            return None
        question = relation.question.replace("{x}", subject)
        is_nominal = not relation.noun.startswith(_NOT_STATED)
        if (
            is_nominal
            and self._rng.random() < 0.3
            and len(question) == len(question.split("?")[0]) + 1
        ):
            verb = "state" if relation.value_kind in _PLAIN_KINDS else "name"
            question = f"{verb} the {relation_head(relation).replace('{x}', subject)}."
        return sentence(self._led(question, known)) + how

    def entity(self, program: Program, known: Known) -> str | None:
        """Ask which entity a program finds."""
        if isinstance(program, Only) and isinstance(program.of, Follow):
            return self.value(program.of.of, program.of.relation, "", known)
        described = self.phraser.noun_phrase(program, known)
        if described is None:
            return None
        variants = (f"name {described}.", f"identify {described}.", f"which one is {described}?")
        return sentence(self._led(self._rng.choice(variants), known))

    def count(self, kind: str, clauses: Sequence[str]) -> str:
        """Ask how many of a kind there are."""
        described = f"{self.plural(kind)} {joined_clauses(clauses, is_plural=True)}"
        variants = (
            f"How many {described} are there among the documents given?",
            f"Count the {described} among the documents given. How many are there?",
            f"Among the documents given, what is the number of {described}?",
        )
        return self._rng.choice(variants) + " Answer with a number."

    def count_named(self, kind: str, clauses: Sequence[str]) -> str:
        """Ask how many of a kind a document names, given themselves or not."""
        described = f"different {self.plural(kind)} {joined_clauses(clauses, is_plural=True)}"
        aside = ""
        if self.phraser.vocabulary.kind(kind).is_document:
            aside = ", whether or not they are among the documents given themselves"
        variants = (
            f"Going by the documents given, how many {described} are there{aside}?",
            f"From the documents given, count the {described}{aside}. How many are there?",
        )
        return self._rng.choice(variants) + " Answer with a number."

    def among(self, kind: str, clauses: Sequence[str], count: int) -> str:
        """State how many of a kind there are."""
        described = f"{self.plural(kind)} {joined_clauses(clauses, is_plural=True)}"
        variants = (
            f"Among the documents given there are exactly {number_word(count)} {described}.",
            f"The documents given hold {number_word(count)} {described}.",
            f"Consider the {number_word(count)} {described} among the documents given.",
        )
        return self._rng.choice(variants)

    def compare(
        self, names: Sequence[str], name: str, first: str, introduction: str = ""
    ) -> str | None:
        """Ask which of several comes first; by name, or `of them` after an introduction."""
        relation = self.relation(name)
        if relation is None:
            return None
        num = len(names)
        adjective = adjective_of(relation, first, num)
        head = short_head(relation)
        candidates = listed(names, "or")
        each = relation_head(relation).replace("{x}", "each of them")
        if introduction and head is not None:
            return f"{introduction} Which of them has the {adjective} {head}?"
        if introduction or head is None:
            start = introduction or f"Consider {listed(names)} in the documents given."
            return f"{start} Compare the {each}. For which of them is it the {adjective}?"
        variants = (
            f"According to the documents given, which has the {adjective} {head}: {candidates}?",
            f"Compare {listed(names)} in the documents given. Which has the {adjective} {head}?",
            f"Of {listed(names)} in the documents given, which has the {adjective} {head}?",
        )
        return self._rng.choice(variants)

    def order(self, names: Sequence[str], name: str, first: str) -> str | None:
        """Ask for several entities in order."""
        relation = self.relation(name)
        if relation is None:
            return None
        head = short_head(relation)
        by = head if head is not None else f"the {relation_head(relation).replace('{x}', 'each')}"
        start = f"{adjective_of(relation, first, 3)} first"
        variants = (
            f"Put these in order by {by}, {start}, going by the documents given: {listed(names)}.",
            f"Sort {listed(names)} by {by}, {start}, as the documents given state it.",
            f"In the documents given, what is the order of {listed(names)} by {by}, {start}?",
        )
        return self._rng.choice(variants) + " Give all of them, separated by semicolons."

    def plural(self, kind: str) -> str:
        """Return how several of a kind are called."""
        return self.phraser.vocabulary.kind(kind).plural

    def relation(self, name: str) -> Relation | None:
        """Return the wording of a relation."""
        return self.phraser.vocabulary.relation(name)

    def lead(self) -> str:
        """Return how a question begins, with a comma and a space."""
        return self._rng.choice(_LEADS)

    def _led(self, question: str, known: Known) -> str:
        return question if known else f"{self.lead()}{lowered(question)}"


def short_head(relation: Relation) -> str | None:
    """Return what a noun says before its subject, if that is a plain head: `creation date`."""
    head = relation_head(relation)
    # `the later earliest date` reads badly, and so does `the later "Founded"`.
    if head.startswith(('"', "earliest ", "first ", "last ", "latest ", "least ", "most ")):
        return None
    for preposition in (" of {x}", " for {x}"):
        if head.endswith(preposition) and len(head) < 60:
            return head.removesuffix(preposition)
    return None


def adjective_of(relation: Relation, first: str, num: int) -> str:
    """Return `earlier` or `latest`, `lower` or `highest`, for so many."""
    stem = ("earli", "lat") if relation.value_kind == "date" else ("low", "high")
    ending = "er" if num == 2 else "est"
    return stem[0 if first == LEAST else 1] + ending
