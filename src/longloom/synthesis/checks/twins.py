"""The pseudonymised twin of an example: the same question about a world that never was.

    names, numbers, dates of the facts -> replaced in the facts and in the text, spans kept exact
    program with its constants replaced -> executed on the twin's facts -> the twin's answer

Who answers the original but not the twin used what it remembers, not what it reads: this stands in
for the closed-book check of QwenLong-L1.5, section 3, where there is no model (data.md, 3.6). A
twin is exact or it is refused with a reason. It does not hide what no fact names, and it does not
correct prose that repeats a changed number in other words; other options of a numerical choice
move as the answer moved, so they stay plausible but are no misreadings of the twin.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from longloom.records import Document
from longloom.synthesis.checks.altered_worlds import AlteredWorld, TwinRefusal
from longloom.synthesis.checks.twin_questions import Changes, with_options
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.programs.catalogue import read_program
from longloom.synthesis.programs.choice import Choice
from longloom.synthesis.programs.codec import to_json
from longloom.synthesis.programs.node import Program
from longloom.synthesis.programs.numeric import Rounded

__all__ = ["AlteredWorld", "Twin", "TwinRefusal", "make_twin"]

_MIN_TELLING_DIGITS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """An example about altered documents."""

    documents: Mapping[str, Document]
    """The altered documents by the id of the original, in the order of the context."""
    facts_by_document: Mapping[str, tuple[Fact, ...]]
    """Their facts by the id of the altered document, with spans in its text."""
    program: Program
    """The program with names and values replaced."""
    question: str
    """The question with names and values replaced."""
    answer: str
    """What the program gives on the facts of the twin."""
    original_answer: str
    """What the program gave before, as text; for multiple choice the option, not the letter."""
    is_telling: bool
    """Whether the two answers differ, so that who gives the original's did not read. Counts,
    comparisons, distances of dates and quoted text may stay the same although all else changed."""


def make_twin(altered: AlteredWorld, program: Program, question: str, answer: str) -> Twin:
    """Return the twin of an example.

    Args:
        altered: the context of the example; share it between the questions on one context.
        program: the program of the example.
        question: its question.
        answer: its answer.

    Raises:
        TwinRefusal: there is no exact twin; the message says why.
    """
    _refuse_unalterable(altered.documents[doc_id] for doc_id in altered.world.documents)
    before = _inner(program).execute(altered.world)
    if before.only_answer is None or program.execute(altered.world).only_answer != answer:
        raise TwinRefusal("the program does not give the answer")
    _refuse_repeated_numbers(before.evidence, altered)
    changes = Changes(altered)
    renamed = read_program(json.dumps(changes.node(json.loads(to_json(_inner(program))))))
    after = renamed.execute(altered.altered_world)
    if after.only_answer is None:
        raise TwinRefusal("the program has no answer on the twin")
    if after.evidence != tuple(altered.altered_facts.get(fact) for fact in before.evidence):
        raise TwinRefusal("the answer rests on other facts")
    is_telling = after.only_answer != before.only_answer
    if not is_telling and _rests_on_changed_numbers(renamed, before.evidence, after.evidence):
        raise TwinRefusal("the answer did not change")
    asked = changes.question(question)
    if isinstance(program, Choice):
        options = changes.options(program.options, before.only_answer, after.only_answer)
        asked = with_options(asked, question, program.options, options)
        renamed = Choice(renamed, options)
    final = renamed.execute(altered.altered_world).only_answer
    if final is None:
        raise TwinRefusal("no option is the answer")
    return Twin(
        documents=altered.altered_documents,
        facts_by_document={
            doc_id: altered.altered_world.facts_in(doc_id)
            for doc_id in altered.altered_world.documents
        },
        program=renamed,
        question=asked,
        answer=final,
        original_answer=before.only_answer,
        is_telling=is_telling,
    )


def _rests_on_changed_numbers(
    program: Program, before: Sequence[Fact], after: Sequence[Fact]
) -> bool:
    """Tell whether a program computes a number from numbers that are all others."""
    return isinstance(program, Rounded) and all(
        first.value_kind == "number" and first.value != second.value
        for first, second in zip(before, after, strict=True)
    )


def _inner(program: Program) -> Program:
    return program.program if isinstance(program, Choice) else program


def _refuse_unalterable(documents: Iterable[Document]) -> None:
    if not all(document.may_be_altered for document in documents):
        raise TwinRefusal("a document may not be altered")


def _refuse_repeated_numbers(evidence: Iterable[Fact], altered: AlteredWorld) -> None:
    """Refuse numbers that the twin still shows elsewhere, where no fact tells to change them."""
    for fact in evidence:
        if fact.relation not in altered.values.affine_by_relation:
            continue
        shown = altered.texts[fact.doc_id][fact.start : fact.end]
        if len(re.findall(r"\d", shown)) < _MIN_TELLING_DIGITS:
            continue
        text = altered.altered_documents[fact.doc_id].text
        if re.search(rf"(?<![\d.,]){re.escape(shown)}(?![\d,]|\.\d)", text):
            raise TwinRefusal("a number stands elsewhere too")
