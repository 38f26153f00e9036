"""Questions whose answer was not computed but agreed on by independent solvers.

What it is NOT: a proof. The record of the vote lies among the facts, one for every quotation of the
evidence, each with the answer that was agreed on; the program gives that answer only where all the
quotations are shown. So a changed answer, a changed span and a missing document are all seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.programs.node import NOTHING, Execution, Program, distinct
from longloom.synthesis.programs.world import World

QUOTE_RELATION = "voted.quote"
"""Relation of the quotations; the subject is the id of the question."""
_ANSWER, _VOTES = "answer", "votes"
_CERTAINTY = 3
_OPENING_WORDS = 3


@dataclass(frozen=True, slots=True)
class Voted:
    """The answer on which proposer and solvers agreed, where its evidence is shown."""

    KIND: ClassVar[str] = "voted"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"question_id", "answer"})

    question_id: str
    """Digest of question, answer and documents."""
    category: str
    """Kind of question that was asked for."""
    opening: str
    """First words of the question: all the shape that free wording has."""
    num_quotes: int
    """Quotations of the evidence."""
    answer: str
    """What was agreed on; for multiple choice the text of the option."""

    def execute(self, world: World) -> Execution:
        """Return the answer if every quotation of its vote is in the world."""
        quotes = distinct(world.facts_of(self.question_id, QUOTE_RELATION))
        is_whole = len(quotes) == self.num_quotes > 0
        if not is_whole or any(_agreed(quote) != self.answer for quote in quotes):
            return NOTHING
        return Execution(frozenset((self.answer,)), quotes)


def quote_facts(
    question_id: str,
    answer: str,
    spans: Sequence[tuple[str, int, int, str]],
    *,
    votes: str,
) -> list[Fact]:
    """Return the record of a vote: a fact for each quotation.

    Args:
        question_id: the question.
        answer: what was agreed on.
        spans: document, first character, one past the last, and the text between.
        votes: how many agreed, as in `7 of 8`.
    """
    return [
        Fact(
            subject=question_id,
            relation=QUOTE_RELATION,
            value=text,
            value_kind="text",
            subject_kind="question",
            doc_id=doc_id,
            start=start,
            end=end,
            certainty=_CERTAINTY,
            qualifiers=((_ANSWER, answer), (_VOTES, votes)),
        )
        for doc_id, start, end, text in spans
    ]


def opening_of(question: str) -> str:
    """Return the first words of a question, in lower case."""
    return " ".join(question.casefold().split()[:_OPENING_WORDS])


def _agreed(fact: Fact) -> str:
    return dict(fact.qualifiers).get(_ANSWER, "")


NODES: tuple[type[Program], ...] = (Voted,)
"""The node classes of this module."""
