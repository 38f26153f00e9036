from collections import Counter
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longloom.records import BlockKind, DocumentKind, Split
from longloom.synthesis.documents.building import DocumentBuilder
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.weaving.assembly import MAX_UNFILLED_FRACTION, Assembled, assemble
from longloom.synthesis.weaving.collection import Collection, CollectionDocument


class WordCounter:
    """Counts words: easy to follow by hand."""

    name = "words"

    def measure(self, text: str) -> float:
        return float(len(text.split()))


COUNTER = WordCounter()


def _entry(name: str, num_words: int, **changes: object) -> CollectionDocument:
    """Return a document of sections of ten words, each with a fact about its first word."""
    settings = {"genre": "text", "may_be_altered": True, "split": Split.TRAIN, **changes}
    builder = DocumentBuilder(
        title=name,
        kind=DocumentKind.GENERAL,
        genre=str(settings["genre"]),
        source=name,
        licence="CC0-1.0",
        may_be_altered=bool(settings["may_be_altered"]),
    )
    facts = []
    for section in range(num_words // 11):
        builder.block(BlockKind.HEADING, f"Heading{section}", level=1)
        builder.begin(BlockKind.PARAGRAPH)
        start, end = builder.add(f"{name}word{section}")
        builder.add(" filler" * 9)
        builder.end()
        facts.append((start, end, f"{name}word{section}"))
    document = builder.build().document
    return CollectionDocument(
        document=document,
        block_tokens=tuple(
            COUNTER.measure(document.text[block.start : block.end]) for block in document.blocks
        ),
        facts=tuple(
            Fact(
                subject=name,
                relation="text.word",
                value=value,
                value_kind="text",
                subject_kind="text",
                doc_id=document.doc_id,
                start=start,
                end=end,
                certainty=1,
            )
            for start, end, value in facts
        ),
        split=settings["split"],
        near_copies=changes.get("near_copies", frozenset()),
    )


def _assemble(entries: list[CollectionDocument], max_tokens: int, seed: int = 0) -> Assembled:
    assembled = assemble(
        Collection(entries),
        COUNTER,
        seed_id=entries[0].doc_id,
        split=Split.TRAIN,
        max_tokens=max_tokens,
        usage=Counter(),
        rng=Random(seed),
    )
    assert assembled is not None
    return assembled


def _check_layout(assembled: Assembled) -> None:
    documents = {placed.entry.doc_id: placed.entry.document for placed in assembled.placed}
    text = assembled.context.text
    for part in assembled.context.parts:
        shown = documents[part.doc_id].text[part.doc_start : part.doc_end]
        assert text[part.context_start : part.context_start + len(shown)] == shown
    for doc_id, facts in assembled.facts_by_document.items():
        for fact in facts:
            assert documents[doc_id].text[fact.start : fact.end] in text
    assert assembled.num_tokens == COUNTER.measure(text)


@given(st.lists(st.integers(30, 900), min_size=3, max_size=12), st.integers(400, 3000))
def test_a_context_is_never_above_its_length(sizes: list[int], max_tokens: int) -> None:
    entries = [_entry(f"d{place}", size) for place, size in enumerate(sizes)]
    assembled = _assemble(entries, max_tokens)
    _check_layout(assembled)
    assert assembled.num_tokens <= max_tokens


def test_a_context_is_filled_within_half_a_percent() -> None:
    entries = [_entry(f"d{place}", 3_000) for place in range(30)]
    for seed in range(5):
        assembled = _assemble(entries, 20_000, seed)
        assert assembled.num_tokens >= 20_000 * (1 - MAX_UNFILLED_FRACTION)


def test_a_long_document_is_cut_to_whole_sections_with_their_facts() -> None:
    entries = [_entry("long", 5_000), _entry("short", 300)]
    assembled = _assemble(entries, 1_000)
    long = next(placed for placed in assembled.placed if placed.entry is entries[0])
    assert not long.is_whole
    assert "(excerpt): long" in assembled.context.text
    shown = assembled.facts_by_document[entries[0].doc_id]
    assert 0 < len(shown) < len(entries[0].facts)
    assert all(f"{fact.value} filler" in assembled.context.text for fact in shown)


def test_a_document_that_may_not_be_altered_stands_whole_or_not_at_all() -> None:
    fixed = [_entry(f"f{place}", 450, may_be_altered=False) for place in range(6)]
    for seed in range(10):
        assembled = _assemble([*fixed, _entry("free", 2_000)], 1_500, seed)
        for placed in assembled.placed:
            assert placed.is_whole or placed.entry.document.may_be_altered


def test_near_copies_never_meet() -> None:
    first, second = _entry("first", 200), _entry("second", 200)
    entries = [
        replace(first, near_copies=frozenset({second.doc_id})),
        replace(second, near_copies=frozenset({first.doc_id})),
        *(_entry(f"d{place}", 200) for place in range(6)),
    ]
    for seed in range(10):
        shown = set(_assemble(entries, 1_600, seed).facts_by_document)
        assert not {first.doc_id, second.doc_id} <= shown


def test_held_out_documents_stay_out_of_training_contexts() -> None:
    entries = [_entry("seed", 100), *(_entry(f"h{n}", 100, split=Split.HELD_OUT) for n in range(5))]
    assert set(_assemble(entries, 600).facts_by_document) == {entries[0].doc_id}


def test_linked_documents_are_preferred() -> None:
    seed = _entry("seed", 200)
    linked = _entry("linked", 200)
    shared = replace(seed.facts[0], subject="linked", value="seed", value_kind="text")
    linked = replace(linked, facts=(*linked.facts, replace(shared, doc_id=linked.doc_id)))
    seed = replace(seed, facts=(*seed.facts, shared))
    others = [_entry(f"d{place}", 200) for place in range(40)]
    entries = [seed, linked, *others]
    found = sum(
        linked.doc_id in _assemble(entries, 800, number).facts_by_document for number in range(40)
    )
    assert found > 20  # by chance alone it would be in about 3 of 40


@pytest.mark.parametrize("max_tokens", [10, 100])
def test_what_does_not_fit_gives_no_context(max_tokens: int) -> None:
    entries = [_entry("only", 500, may_be_altered=False)]
    assembled = assemble(
        Collection(entries),
        COUNTER,
        seed_id=entries[0].doc_id,
        split=Split.TRAIN,
        max_tokens=max_tokens,
        usage=Counter(),
        rng=Random(0),
    )
    assert assembled is None
