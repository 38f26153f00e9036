"""Each check refuses its own defect and nothing else."""

import pytest

from longloom.records import (
    Block,
    BlockKind,
    Context,
    ContextPart,
    Document,
    DocumentKind,
    Evidence,
)
from longloom.synthesis.miniature.checks import Refusal, check_program, check_spans
from longloom.synthesis.miniature.fact import Fact
from longloom.synthesis.miniature.programs import Chain, Choice, FactTable, Maximum, Reply, Sum
from longloom.synthesis.miniature.questions import word_question

BASE_MODULE = ("inherits", "defined_in")


def _fact(relation: str, subject: str, value: str, doc_id: str) -> Fact:
    return Fact(
        subject=subject,
        relation=relation,
        value=value,
        is_number=value.isdigit(),
        doc_id=doc_id,
        start=sum(map(ord, relation + subject + value)),
        end=10_000,
        certainty=2,
    )


A_B = _fact("inherits", "A", "B", "one")
B_M = _fact("defined_in", "B", "m", "two")
GOLD = (A_B, B_M)


def _check(program, answer: str, gold, others=()):
    table = FactTable([*gold, *others])
    question = word_question(program)
    return check_program(program, question, answer, gold=FactTable(gold), context=table)


def test_sound_chain_passes() -> None:
    assert _check(Chain("A", BASE_MODULE), "m", GOLD, [_fact("inherits", "C", "D", "x")]) is None


def test_second_answer_in_the_context_is_refused() -> None:
    rival = _fact("inherits", "A", "C", "x")
    table = [rival, _fact("defined_in", "C", "n", "x")]
    assert _check(Chain("A", BASE_MODULE), "m", GOLD, table) is Refusal.NOT_UNIQUE


def test_wrong_answer_is_refused() -> None:
    assert _check(Chain("A", BASE_MODULE), "n", GOLD) is Refusal.NOT_UNIQUE


def test_answer_that_rests_on_a_distractor_is_refused() -> None:
    assert _check(Chain("A", BASE_MODULE), "m", [A_B], [B_M]) is Refusal.HARMFUL_DISTRACTOR


def test_document_that_is_not_needed_is_refused() -> None:
    repeated = _fact("defined_in", "B", "m", "three")
    assert _check(Chain("A", BASE_MODULE), "m", (*GOLD, repeated)) is Refusal.NOT_NECESSARY


def test_answer_that_is_an_earlier_node_is_refused() -> None:
    gold = (_fact("calls", "f", "g", "one"), _fact("calls", "g", "f", "two"))
    assert _check(Chain("f", ("calls", "calls")), "f", gold) is Refusal.SHORTCUT


def test_answer_within_the_question_is_refused() -> None:
    gold = (_fact("calls", "f", "callee", "one"),)
    assert _check(Chain("f", ("calls",)), "callee", gold) is Refusal.SHORTCUT


def test_options_do_not_count_as_the_question() -> None:
    choice = Choice(Chain("A", BASE_MODULE), ("x", "m", "y", "z"))
    assert _check(choice, "B", GOLD) is None


@pytest.mark.parametrize(
    ("operation", "numbers", "answer", "refusal"),
    [
        (Sum, ("2", "5"), "7", None),
        (Sum, ("0", "5"), "5", Refusal.SHORTCUT),
        (Maximum, ("2", "5"), "5", None),
        (Maximum, ("5", "5"), "5", Refusal.SHORTCUT),
    ],
)
def test_arithmetic_must_be_needed(operation, numbers, answer: str, refusal) -> None:
    gold = [
        _fact("parameters", name, number, name) for name, number in zip("fg", numbers, strict=True)
    ]
    program = operation(Chain("f", ("parameters",)), Chain("g", ("parameters",)))
    assert _check(program, answer, gold) is refusal


def test_reply_is_checked_against_its_place() -> None:
    gold = (_fact("inherits", "A", "B", "one"), _fact("inherits", "C", "D", "two"))
    assert _check(Reply("class", 2), "base C D", gold) is None
    assert _check(Reply("class", 1), "base C D", gold) is Refusal.NOT_UNIQUE


def test_evidence_must_read_the_same_in_both_texts() -> None:
    document = Document(
        doc_id="d",
        title="t",
        kind=DocumentKind.CODE,
        source="s",
        licence="l",
        text="base A B",
        blocks=(Block(kind=BlockKind.CODE, start=0, end=8),),
    )
    part = ContextPart(doc_id="d", doc_start=0, doc_end=8, context_start=2)
    context = Context(context_id="c", text="x\nbase A B", parts=(part,))

    def evidence(context_start: int) -> Evidence:
        return Evidence(
            doc_id="d",
            doc_start=0,
            doc_end=8,
            context_start=context_start,
            context_end=context_start + 8,
        )

    assert check_spans(context, [evidence(2)], {"d": document}) is None
    assert check_spans(context, [evidence(1)], {"d": document}) is Refusal.SPAN
