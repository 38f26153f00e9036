from dataclasses import dataclass
from typing import ClassVar

import pytest

from longloom.records import BlockKind, Document, DocumentKind, RewardRule, TaskType
from longloom.synthesis.checks.drafts import Checked, Refusal, check_draft
from longloom.synthesis.documents.building import DocumentBuilder
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.generators.draft import Draft
from longloom.synthesis.programs.node import NOTHING, Execution
from longloom.synthesis.programs.world import World


def _document(name: str, value: str) -> tuple[Document, Fact]:
    builder = DocumentBuilder(
        title=name, kind=DocumentKind.GENERAL, genre="text", source=name, licence="CC0-1.0"
    )
    builder.begin(BlockKind.PARAGRAPH)
    builder.add(f"The size of {name} is ")
    start, end = builder.add(value)
    document = builder.build().document
    fact = Fact(
        subject=name,
        relation="text.size",
        value=value,
        value_kind="number",
        subject_kind="text",
        doc_id=document.doc_id,
        start=start,
        end=end,
        certainty=1,
    )
    return document, fact


A, SIZE_A = _document("A", "3")
B, SIZE_B = _document("B", "4")
C, SIZE_C = _document("C", "9")
DOCUMENTS = {document.doc_id: document for document in (A, B, C)}
WORLD = World({A.doc_id: [SIZE_A], B.doc_id: [SIZE_B], C.doc_id: [SIZE_C]})


@dataclass(frozen=True, slots=True)
class SumOf:
    """The sum of named sizes; nothing if one is missing."""

    KIND: ClassVar[str] = "sum_of"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"names"})
    names: tuple[str, ...]

    def execute(self, world: World) -> Execution:
        facts = [fact for name in self.names for fact in world.facts_of(name, "text.size")]
        if len(facts) != len(self.names):
            return NOTHING
        total = sum(int(fact.value) for fact in facts)
        return Execution(frozenset([str(total)]), tuple(facts))


@dataclass(frozen=True, slots=True)
class Largest:
    """The name with the largest size of all; cites every size."""

    KIND: ClassVar[str] = "largest"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset()

    def execute(self, world: World) -> Execution:
        facts = world.facts_with("text.size")
        best = max(facts, key=lambda fact: int(fact.value), default=None)
        return Execution(frozenset([best.subject]), facts) if best else NOTHING


@dataclass(frozen=True, slots=True)
class CountBesides:
    """How many others there are: cites one, but counts on the whole context."""

    KIND: ClassVar[str] = "count_besides"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset()

    def execute(self, world: World) -> Execution:
        cited = world.facts_of("A", "text.size")
        if not cited:
            return NOTHING
        return Execution(frozenset([str(len(world.facts_with("text.size")) - 1)]), cited)


def _draft(program: object, answer: str, question: str = "How much is it?", **changes) -> Draft:
    settings = {"ability": "aggregation", "min_documents": 1, **changes}
    return Draft(
        task_type=TaskType.NUMERICAL,
        question=question,
        program=program,
        answer=answer,
        reward_rule=RewardRule.NUMERIC,
        num_hops=1,
        **settings,
    )


def test_what_every_document_is_needed_for_is_kept_with_its_evidence() -> None:
    checked = check_draft(_draft(SumOf(("A", "B")), "7"), WORLD, DOCUMENTS)
    assert isinstance(checked, Checked)
    assert checked.gold == (A.doc_id, B.doc_id)
    assert checked.evidence == (SIZE_A, SIZE_B)


@pytest.mark.parametrize(
    ("draft", "reason"),
    [
        (_draft(SumOf(("A", "B")), "8"), Refusal.ANOTHER_ANSWER),
        (_draft(SumOf(("A", "D")), "7"), Refusal.ANOTHER_ANSWER),
        (_draft(SumOf(("A", "B")), "7", "Is it 7?"), Refusal.ANSWER_IN_QUESTION),
        (_draft(SumOf(("A",)), "3", min_documents=2), Refusal.TOO_FEW_DOCUMENTS),
        (_draft(Largest(), "C"), Refusal.DOCUMENT_NOT_NECESSARY),
        (_draft(CountBesides(), "2"), Refusal.DISTRACTOR_MATTERS),
        (_draft(SumOf(()), "0"), Refusal.NO_EVIDENCE),
    ],
)
def test_what_does_not_hold_is_refused(draft: Draft, reason: Refusal) -> None:
    assert check_draft(draft, WORLD, DOCUMENTS) is reason


def test_an_answer_inside_a_longer_word_gives_nothing_away() -> None:
    draft = _draft(SumOf(("A", "B")), "7", "Add 17 and 70?")
    assert isinstance(check_draft(draft, WORLD, DOCUMENTS), Checked)


def test_a_comparison_may_name_its_candidates() -> None:
    only = World({C.doc_id: [SIZE_C]})
    draft = _draft(Largest(), "C", "Which is larger, A or C?", ability="comparison")
    assert isinstance(check_draft(draft, only, DOCUMENTS), Checked)


def test_a_span_outside_of_its_document_is_refused() -> None:
    beyond = Fact(
        **{
            name: getattr(SIZE_A, name) for name in SIZE_A.__slots__ if name not in {"start", "end"}
        },
        start=1_000,
        end=1_001,
    )
    world = World({A.doc_id: [beyond]})
    draft = _draft(SumOf(("A",)), "3")
    assert check_draft(draft, world, DOCUMENTS) is Refusal.SPAN_DOES_NOT_MATCH
