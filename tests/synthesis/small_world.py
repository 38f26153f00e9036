"""Facts by hand for tests of programs."""

from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.programs.world import World


def stated(subject: str, relation: str, value: str, value_kind: str = "text", **more: str) -> Fact:
    """Return a fact of the document named after its subject, unless `doc_id` says another."""
    doc_id = more.pop("doc_id", subject)
    return Fact(
        subject=subject,
        relation=f"memo.{relation}",
        value=value,
        value_kind=value_kind,
        subject_kind="memo",
        doc_id=doc_id,
        start=0,
        end=1,
        certainty=1,
        **more,  # type: ignore[arg-type]
    )


def world_of(*facts: Fact) -> World:
    """Return the world of some facts, by document."""
    by_document: dict[str, list[Fact]] = {}
    for fact in facts:
        by_document.setdefault(fact.doc_id, []).append(fact)
    return World(by_document)


MEMOS = world_of(
    stated("Memo 1", "author", "Ada", "person"),
    stated("Memo 1", "created", "2011-03-05", "date"),
    stated("Memo 1", "pages", "12", "number"),
    stated("Memo 2", "author", "Bea", "person"),
    stated("Memo 2", "created", "2013-07-20", "date"),
    stated("Memo 2", "replaces", "Memo 1", "memo"),
    stated("Memo 2", "pages", "40", "number"),
    stated("Memo 3", "author", "Ada", "person"),
    stated("Memo 3", "created", "2018-03-05", "date"),
    stated("Memo 3", "replaces", "Memo 2", "memo"),
    stated("Memo 3", "pages", "9", "number"),
)
"""Memo 3 replaces Memo 2, which replaces Memo 1; Ada wrote the first and the last."""
