"""Wordings for `small_world.py`, and a larger world of the same kind."""

from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.facts.relation import EntityKind, Relation
from longloom.synthesis.programs.world import World
from synthesis.small_world import stated, world_of


def _relation(
    name: str, kind: str, question: str, noun: str, clause: str, **more: bool
) -> Relation:
    return Relation(
        name=f"memo.{name}",
        subject_kind="memo",
        value_kind=kind,
        question=question,
        noun=noun,
        clause=clause,
        **more,
    )


RELATIONS = {
    relation.name: relation
    for relation in (
        _relation("author", "person", "Who wrote {x}?", "the author of {x}", "written by {v}"),
        _relation(
            "created",
            "date",
            "When was {x} created?",
            "the date on which {x} was created",
            "created {v}",
        ),
        _relation(
            "pages",
            "number",
            "How many pages does {x} have?",
            "the number of pages of {x}",
            "with {v} pages",
        ),
        _relation(
            "replaces",
            "memo",
            "Which memo does {x} replace?",
            "the memo that {x} replaces",
            "that replace {v}",
        ),
        _relation(
            "status", "text", "What is the status of {x}?", "the status of {x}", "marked {v}"
        ),
        _relation(
            "title", "text", "What is {x} called?", "the title of {x}", "titled {v}", is_key=True
        ),
    )
}
KINDS = {
    "memo": EntityKind(name="memo", plural="memos", is_document=True),
    "person": EntityKind(name="person", plural="people"),
}

_PEOPLE = ("Ada Holm", "Bea Poe", "Cleo Marsh", "Dora Finch")
_STATUSES = ("final", "draft", "withdrawn")


def memos(count: int = 12) -> World:
    """Return memos that replace one another by twos and threes, by four people over the years."""
    facts: list[Fact] = []
    for number in range(1, count + 1):
        memo = f"Memo {number}"
        day = f"{2001 + number}-{1 + number % 12:02}-{1 + number * 7 % 28:02}"
        facts += [
            stated(memo, "author", _PEOPLE[number * number % 4], "person"),
            stated(memo, "created", day, "date"),
            stated(memo, "pages", str(5 + number * 3), "number"),
            stated(memo, "status", _STATUSES[number % 3]),
            stated(memo, "title", f"On matter number {number * 11}"),
        ]
        if number > 2:
            facts.append(stated(memo, "replaces", f"Memo {number - 1 - number % 2}", "memo"))
    facts.append(stated("Memo 1", "replaces", "Memo 99", "memo"))
    return world_of(*facts)
