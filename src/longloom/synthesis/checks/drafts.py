"""Decide by execution whether a draft is kept.

Uniqueness, robustness, necessity: one answer on the whole context, the same answer on the gold
documents alone (no distractor changes it), and another or none without any one gold document.
Replaces the model calls of QwenLong-L1.5, section 3 (contextual robustness check).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from longloom.records import Document
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.generators.draft import Draft
from longloom.synthesis.programs.choice import Choice
from longloom.synthesis.programs.world import World


class Refusal(StrEnum):
    """Why a draft is not kept."""

    ANSWER_IN_QUESTION = "answer_in_question"
    ANOTHER_ANSWER = "another_answer"
    DOCUMENT_NOT_NECESSARY = "document_not_necessary"
    DISTRACTOR_MATTERS = "distractor_matters"
    NO_EVIDENCE = "no_evidence"
    SPAN_DOES_NOT_MATCH = "span_does_not_match"
    TOO_FEW_DOCUMENTS = "too_few_documents"
    TOO_MUCH_EVIDENCE = "too_much_evidence"
    REPEATED = "repeated"
    SECOND_OPINION = "second_opinion"


MAX_EVIDENCE = 64
"""More statements than a careful reader would collect."""

_NAMES_ITS_ANSWER = frozenset({"comparison", "ordering", "unanswerable"})
"""Abilities whose questions name the candidates, or say how to answer that there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A draft that is kept."""

    draft: Draft
    """The draft."""
    evidence: tuple[Fact, ...]
    """The facts its answer rests on, in the order of use."""
    gold: tuple[str, ...]
    """The documents that state them, each necessary, in order of first use."""


def check_draft(draft: Draft, world: World, documents: Mapping[str, Document]) -> Checked | Refusal:
    """Return the draft with its evidence, or why it is refused."""
    execution = draft.program.execute(world)
    if execution.only_answer != draft.answer or not draft.answer.strip():
        return Refusal.ANOTHER_ANSWER
    if not execution.evidence:
        return Refusal.NO_EVIDENCE
    if len(execution.evidence) > MAX_EVIDENCE:
        return Refusal.TOO_MUCH_EVIDENCE
    if _gives_away(draft):
        return Refusal.ANSWER_IN_QUESTION
    gold = tuple(dict.fromkeys(fact.doc_id for fact in execution.evidence))
    if len(gold) < draft.min_documents:
        return Refusal.TOO_FEW_DOCUMENTS
    for doc_id in gold:
        if draft.program.execute(world.without([doc_id])).only_answer == draft.answer:
            return Refusal.DOCUMENT_NOT_NECESSARY
    if draft.program.execute(world.only(gold)).only_answer != draft.answer:
        return Refusal.DISTRACTOR_MATTERS
    if not all(_shows_something(fact, documents) for fact in execution.evidence):
        return Refusal.SPAN_DOES_NOT_MATCH
    return Checked(draft=draft, evidence=execution.evidence, gold=gold)


def _gives_away(draft: Draft) -> bool:
    """Tell whether the question contains the answer although it does not name candidates."""
    if isinstance(draft.program, Choice) or draft.ability in _NAMES_ITS_ANSWER:
        return False
    answer = re.escape(draft.answer.casefold())
    return re.search(rf"(?<!\w){answer}(?!\w)", draft.question.casefold()) is not None


def _shows_something(fact: Fact, documents: Mapping[str, Document]) -> bool:
    document = documents.get(fact.doc_id)
    if document is None or not 0 <= fact.start < fact.end <= len(document.text):
        return False
    return bool(document.text[fact.start : fact.end].strip())
