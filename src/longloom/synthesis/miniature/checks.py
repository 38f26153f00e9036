"""Decide by execution whether a question is sound on its own context.

    uniqueness    exactly one answer on the facts of the context, and it is the stated one
    harmlessness  the gold pieces alone give the same answer: no distractor changes it
    necessity     without the evidence of any one gold document the program fails
    shortcut      no earlier node is the answer, and the question does not contain it
    spans         the evidence reads the same in the document and in the context

Paper: QwenLong-L1.5, section 3 (knowledge grounding and contextual robustness checks), decided
here by programs instead of by models.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from longloom.records import Context, Document, Evidence
from longloom.synthesis.miniature.fact import Fact
from longloom.synthesis.miniature.programs import (
    Chain,
    Choice,
    FactTable,
    Maximum,
    Program,
    Reply,
    execute,
    trace,
)


class Refusal(StrEnum):
    """Why a question was refused."""

    DOES_NOT_FIT = "does_not_fit"
    HARMFUL_DISTRACTOR = "harmful_distractor"
    NOT_FILLED = "not_filled"
    NOT_NECESSARY = "not_necessary"
    NOT_UNIQUE = "not_unique"
    REPEATED = "repeated"
    SHORTCUT = "shortcut"
    SPAN = "span"
    SQL_DISAGREES = "sql_disagrees"


def check_program(
    program: Program,
    question: str,
    answer: str,
    *,
    gold: FactTable,
    context: FactTable,
) -> Refusal | None:
    """Return why the question is unsound on these facts, or None."""
    expected = frozenset([answer])
    if execute(program, context) != expected:
        return Refusal.NOT_UNIQUE
    if execute(program, gold) != expected:
        return Refusal.HARMFUL_DISTRACTOR
    evidence = trace(program, context)
    for doc_id in dict.fromkeys(fact.doc_id for fact in evidence):
        left_out = [fact for fact in evidence if fact.doc_id == doc_id]
        if execute(program, context.without(left_out)) == expected:
            return Refusal.NOT_NECESSARY
    return Refusal.SHORTCUT if _has_shortcut(program, question, answer, evidence) else None


def _has_shortcut(program: Program, question: str, answer: str, evidence: Sequence[Fact]) -> bool:
    if isinstance(program, Reply):
        return False  # the reply is quoted, so it is necessarily one of the statements
    if isinstance(program, Maximum):
        return len({fact.value for fact in evidence}) < 2
    if isinstance(program, Choice):
        chain = program.chain
        answer = evidence[-1].value
        question = question.partition("\n")[0]
    elif isinstance(program, Chain):
        chain = program
    else:
        return answer in {fact.value for fact in evidence}
    nodes = {chain.subject, *(fact.value for fact in evidence[:-1])}
    words = question.replace("?", " ").replace(",", " ").split()
    return answer in nodes or answer in words


def check_spans(
    context: Context, evidence: Sequence[Evidence], documents: Mapping[str, Document]
) -> Refusal | None:
    """Return whether some evidence reads differently in its document and in the context."""
    for piece in evidence:
        stated = documents[piece.doc_id].text[piece.doc_start : piece.doc_end]
        if context.text[piece.context_start : piece.context_end] != stated or not stated:
            return Refusal.SPAN
    return None
