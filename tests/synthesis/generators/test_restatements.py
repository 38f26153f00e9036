"""Two dated documents that differ, and which of them counts."""

from random import Random

from longloom.records import TaskType
from longloom.synthesis.facts.catalogue import KINDS, RELATIONS
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.generators.disputes import disputes
from longloom.synthesis.generators.draft import Setting
from longloom.synthesis.generators.inquiry import Inquiry
from longloom.synthesis.generators.restatements import restated
from longloom.synthesis.programs.world import World


def stated(doc_id: str, subject: str, relation: str, value: str, kind: str = "number") -> Fact:
    table = relation.startswith("cell.")
    return Fact(
        subject=subject,
        relation=relation,
        value=value,
        value_kind=kind,
        subject_kind="row" if table else "document",
        doc_id=doc_id,
        start=len(subject),
        end=len(subject) + 4,
        certainty=1,
        label="points" if table else "",
        qualifiers=(("table", doc_id),) if table else (),
    )


def standings(doc_id: str, day: str, points: str) -> list[Fact]:
    return [
        stated(doc_id, doc_id, "document.date", day, "date"),
        stated(doc_id, "Ghana", "cell.points", points),
    ]


OLD, NEW = (
    standings("cup-20140609", "2014-06-09", "41"),
    standings("cup-20140701", "2014-07-01", "37"),
)


def world_of(*documents: list[Fact]) -> World:
    return World({facts[0].doc_id: facts for facts in documents})


def test_documents_dispute_what_they_state_differently() -> None:
    (one,) = disputes(world_of(OLD, NEW))
    assert {title: fact.value for title, fact in one.by_title.items()} == {
        "cup-20140609": "41",
        "cup-20140701": "37",
    }


def test_equal_values_and_a_single_dated_document_are_no_dispute() -> None:
    same = standings("cup-20140701", "2014-07-01", "41")
    assert disputes(world_of(OLD, same)) == []
    assert disputes(world_of(OLD, NEW[1:])) == []


def test_the_later_document_answers_and_both_are_evidence() -> None:
    world = world_of(NEW, OLD)
    inquiry = Inquiry(
        Setting(world=world, documents={}),
        Random(0),
        task_type=TaskType.MULTI_HOP,
        relations=RELATIONS,
        kinds=KINDS,
    )
    drafts = [draft for _ in range(40) if (draft := restated(inquiry)) is not None]
    assert drafts
    for draft in drafts:
        assert draft.answer == "37"
        assert draft.ability == "restatement"
        evidence = draft.program.execute(world).evidence
        assert {fact.doc_id for fact in evidence} == {"cup-20140609", "cup-20140701"}
        assert len(evidence) == 4
        assert not draft.program.execute(world.without(["cup-20140609"])).answers
