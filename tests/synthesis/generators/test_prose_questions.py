"""What a model read in prose is followed and compared, and never counted or described by."""

import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from longloom.records import BlockKind, Document, DocumentKind, TaskType
from longloom.synthesis.documents.building import DocumentBuilder
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.facts.relation import Relation
from longloom.synthesis.generators import multi_hop, multiple_choice, reading_comprehension
from longloom.synthesis.generators.completeness import Completeness
from longloom.synthesis.generators.draft import Draft, Setting
from longloom.synthesis.generators.prose_relations import (
    is_followable,
    is_noun_phrase,
    may_be_same,
    prose_relation,
)
from longloom.synthesis.generators.vocabulary import Vocabulary
from longloom.synthesis.programs.codec import to_json
from longloom.synthesis.programs.world import World
from synthesis.small_relations import KINDS, RELATIONS

MODULES = {
    TaskType.MULTI_HOP: multi_hop,
    TaskType.MULTIPLE_CHOICE: multiple_choice,
    TaskType.READING_COMPREHENSION: reading_comprehension,
}
PEOPLE = ("Ada Holm", "Bea Poe", "Cleo Marsh", "Dora Finch", "Edda Quill", "Fay Reed")
TOWNS = ("Orrin", "Pelham", "Quarn", "Rusk", "Selby", "Tarn")


def document(title: str, text: str, genre: str = "note") -> Document:
    builder = DocumentBuilder(
        title=title, kind=DocumentKind.GENERAL, genre=genre, source=title, licence="CC0"
    )
    builder.block(BlockKind.PARAGRAPH, text)
    return builder.build().document


def read(
    shown: Document,
    subject: str,
    label: str,
    value: str,
    value_kind: str,
    *,
    subject_kind: str = "entity",
    relation: str = "",
    certainty: int = 3,
) -> Fact:
    """Return a fact whose span is the first place of its value."""
    start = shown.text.index(value)
    return Fact(
        subject=subject,
        relation=relation or f"prose.{label.replace(' ', '_')}",
        value=value,
        value_kind=value_kind,
        subject_kind=subject_kind,
        doc_id=shown.doc_id,
        start=start,
        end=start + len(value),
        certainty=certainty,
        label=label,
    )


def library() -> Setting:
    """Return memos that markup describes, and notes on their authors that a model read."""
    documents: list[Document] = []
    facts: dict[str, list[Fact]] = {}
    for number, (person, town) in enumerate(zip(PEOPLE, TOWNS, strict=True)):
        memo, year = f"Memo {number + 1}", str(2003 + 3 * number)
        page = document(memo, f"{memo}. Written by {person}. Created {year}. Marked final.", "memo")
        stated = [
            ("author", person, "person"),
            ("created", year, "date"),
            ("status", "final", "text"),
        ]
        facts[page.doc_id] = [
            read(
                page,
                memo,
                "",
                value,
                kind,
                subject_kind="memo",
                relation=f"memo.{name}",
                certainty=1,
            )
            for name, value, kind in stated
        ]
        born = str(1941 + 4 * number)
        note = document(person, f"{person} was born in {town} in {born}.")
        facts[note.doc_id] = [
            read(note, person, "place of birth", town, "place", subject_kind="person"),
            read(note, person, "born in", born, "date"),
        ]
        press = document(f"{town} Press", f"{town} Press prints on paper. {person} founded it.")
        facts[press.doc_id] = [
            read(press, f"{town} Press", "founder", person, "person", subject_kind="organization")
        ]
        documents += [page, note, press]
    return Setting(world=World(facts), documents={one.doc_id: one for one in documents})


SETTING = library()


def drafts(task: TaskType, setting: Setting = SETTING) -> list[Draft]:
    return list(MODULES[task].generator_for(RELATIONS, KINDS)(setting, Random(0)))[:500]


def on_prose(task: TaskType) -> list[Draft]:
    return [draft for draft in drafts(task) if '"prose.' in to_json(draft.program)]


def nodes(encoded: Any) -> Iterator[dict[str, Any]]:
    if isinstance(encoded, dict):
        yield encoded
    parts = encoded.values() if isinstance(encoded, dict) else encoded
    for part in parts:
        if isinstance(part, dict | list):
            yield from nodes(part)


@pytest.mark.parametrize("task", MODULES)
def test_readings_are_asked_for_and_answered_by_execution(task: TaskType) -> None:
    made = on_prose(task)
    assert len(made) > 20
    for draft in made:
        execution = draft.program.execute(SETTING.world)
        assert execution.only_answer == draft.answer
        assert len({fact.doc_id for fact in execution.evidence}) >= draft.min_documents


@pytest.mark.parametrize("task", MODULES)
def test_readings_are_only_followed_and_compared(task: TaskType) -> None:
    allowed = {"follow", "compare", "order_of", "had"}
    for draft in on_prose(task):
        for node in nodes(json.loads(to_json(draft.program))):
            if str(node.get("relation", "")).startswith("prose."):
                assert node["op"] in allowed, node


@pytest.mark.parametrize("task", MODULES)
def test_no_claim_of_completeness_rests_on_a_reading(task: TaskType) -> None:
    closed = {"count", "exactly", "same_as", "unanswerable"}
    seen = 0
    for draft in drafts(task):
        if closed & {node["op"] for node in nodes(json.loads(to_json(draft.program)))}:
            seen += 1
            evidence = draft.program.execute(SETTING.world).evidence
            assert all(fact.certainty < 3 for fact in evidence), draft.question
    assert seen


def test_chains_join_markup_and_prose() -> None:
    questions = {draft.question: draft for draft in on_prose(TaskType.MULTI_HOP)}
    mixed = [
        draft
        for draft in questions.values()
        if {fact.certainty for fact in draft.program.execute(SETTING.world).evidence} == {1, 3}
    ]
    assert len(mixed) > 10
    assert any("the place of birth of the author of Memo" in draft.question for draft in mixed)


NOTE = document("Arden Mill", "Arden Mill was built by Ada Holm in 1801. It burnt down.")
BUILDER = read(NOTE, "Arden Mill", "builder", "Ada Holm", "person")


def may_follow(fact: Fact, *documents: Document, others: tuple[Fact, ...] = ()) -> bool:
    facts: dict[str, list[Fact]] = {one.doc_id: [] for one in documents}
    for stated in (fact, *others):
        facts[stated.doc_id].append(stated)
    shown = {one.doc_id: one for one in documents}
    return Completeness(World(facts), shown).has_all_values(fact)


def test_reading_that_nothing_gainsays_is_followed_but_never_whole() -> None:
    assert may_follow(BUILDER, NOTE, document("Rye", "Arden Mill stood in rye."))
    world = World({NOTE.doc_id: [BUILDER]})
    assert not Completeness(world, {NOTE.doc_id: NOTE}).is_whole(BUILDER)
    assert not Completeness(world, {}).is_whole(BUILDER)


@pytest.mark.parametrize(
    "text",
    [
        "Arden Mill was built by Ada Holm and Bea Poe in 1801.",
        "Arden Mill was built by Ada Holm, Bea Poe and others.",
        "Arden Mill was built by Bea Poe & Ada Holm in 1801.",
    ],
)
def test_one_of_a_list_is_not_the_value(text: str) -> None:
    note = document("Arden Mill", text)
    assert not may_follow(read(note, "Arden Mill", "builder", "Ada Holm", "person"), note)


def test_a_place_with_its_county_is_no_list() -> None:
    note = document("Ada Holm", "Ada Holm was born in Orrin, Wales.")
    assert may_follow(read(note, "Ada Holm", "place of birth", "Orrin", "place"), note)
    three = document("Ada Holm", "Ada Holm lived in Orrin, Pelham and Quarn.")
    assert not may_follow(read(three, "Ada Holm", "home", "Orrin", "place"), three)


def test_a_sentence_that_says_otherwise_puts_a_reading_in_doubt() -> None:
    other = document("Bea Poe", "Bea Poe is the builder of the Arden Mill. She died old.")
    assert not may_follow(BUILDER, NOTE, other)
    same = document("Ada Holm", "Ada Holm was the builder of the Arden Mill. Others built huts.")
    assert may_follow(BUILDER, NOTE, same)


def test_two_values_of_like_named_relations_are_in_doubt() -> None:
    second = read(NOTE, "Arden Mill", "builders name", "Ada", "person")
    assert not may_follow(BUILDER, NOTE, others=(second,))
    year = read(NOTE, "Arden Mill", "builder year", "1801", "date")
    assert may_follow(BUILDER, NOTE, others=(year,))


def worded(label: str, kind: str) -> Relation:
    note = document("A", "A is B in C.")
    relation = prose_relation([read(note, "A", label, "B", kind)])
    assert relation is not None
    return relation


@pytest.mark.parametrize(
    ("label", "kind", "question", "noun"),
    [
        ("founder", "person", "Who is the founder of {x}?", "the founder of {x}"),
        ("capital", "place", "What is the capital of {x}?", "the capital of {x}"),
        (
            "place of birth",
            "place",
            "What is the place of birth of {x}?",
            "the place of birth of {x}",
        ),
        (
            "year built",
            "date",
            "What is the year in which {x} was built?",
            "the year in which {x} was built",
        ),
        (
            "founded by",
            "person",
            'Which person is given as "founded by" for {x}?',
            'the person given as "founded by" for {x}',
        ),
        (
            "capital of",
            "entity",
            'Which value is given as "capital of" for {x}?',
            'the value given as "capital of" for {x}',
        ),
    ],
)
def test_any_label_reads_well(label: str, kind: str, question: str, noun: str) -> None:
    relation = worded(label, kind)
    assert (relation.question, relation.noun, relation.clause) == (question, noun, "")


@pytest.mark.parametrize("label", ["built in", "located", "owns", "is part of", "year died", "won"])
def test_verbs_are_no_noun_phrases(label: str) -> None:
    assert not is_noun_phrase(label)


def test_labels_of_pages_are_quoted() -> None:
    note = document("A", "A is B in C.")
    stated = read(note, "A", "founder", "B", "person")
    page = read(note, "A", "Region", "C", "text", subject_kind="page", relation="infobox.region")
    for others, question in (
        ([page], 'Which person is given as "founder" for {x}?'),
        ([], "Who is the founder of {x}?"),
    ):
        vocabulary = Vocabulary(RELATIONS, KINDS, World({note.doc_id: [stated, *others]}))
        relation = vocabulary.relation("prose.founder")
        assert relation is not None
        assert relation.question == question


def test_values_of_many_sorts_have_no_wording() -> None:
    note = document("A", "A is B in C.")
    mixed = [read(note, "A", "origin", "B", "place"), read(note, "A", "origin", "C", "date")]
    assert prose_relation(mixed) is None
    names = [read(note, "A", "origin", "B", "place"), read(note, "A", "origin", "C", "person")]
    relation = prose_relation(names)
    assert relation is not None
    assert relation.value_kind == "entity"


def test_what_a_thing_commonly_has_several_of_is_not_followed() -> None:
    note = document("A", "A is B in C.")
    followed = {
        label: is_followable(read(note, "A", label, "B", "person"))
        for label in ("founder", "place of birth", "member", "members", "member of", "child")
    }
    assert [label for label, is_one in followed.items() if is_one] == ["founder", "place of birth"]


def test_names_join_by_kind_and_unknown_kinds_only_by_several_words() -> None:
    assert may_be_same("Ulver", "place", "city")
    assert may_be_same("Ada Holm", "person", "page")
    assert may_be_same("Ada Holm", "person", "entity")
    assert not may_be_same("Mercury", "entity", "page")
    assert not may_be_same("Ada Holm", "person", "place")
    assert not may_be_same("1801", "date", "page")
