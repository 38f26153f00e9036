import random
import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longloom.memory.answer_phrases import answer_phrases
from longloom.memory.evidence import Notes
from longloom.memory.words import word_spans, words_of
from longloom.records import Citation, Context, ContextPart
from longloom.text.sections import Section

HARBOUR = (
    "The harbour of Velmar was dredged in 1902. Its master, Ilse Brandt, kept a diary.\n"
    "On the ninth of May she wrote that 1,234 barrels had been lost.\n"
)
GARDEN = (
    "Nobody knows who planted the garden. The roses came from Persia.\n\n"
    "A letter says that Edmund Hale paid 77 crowns for the fountain in the garden.\n"
)
TRIAL = (
    "The trial began late. Judge Okoro asked whether the barrels were insured; they were not.\n"
    "Ilse Brandt said nothing.\n"
)


def context_of(*texts: str, layout: str = "") -> tuple[Context, list[Section]]:
    """Return one document and one section for each text, with layout between them."""
    parts, sections, whole = [], [], ""
    for number, text in enumerate(texts):
        parts.append(
            ContextPart(
                doc_id=f"doc-{number}",
                doc_start=100,
                doc_end=100 + len(text),
                context_start=len(whole),
            )
        )
        sections.append(Section(start=len(whole), end=len(whole) + len(text), num_tokens=1))
        whole += text + layout
    return Context(context_id="c", text=whole, parts=tuple(parts)), sections


def cited(answer: str, memories: Sequence[str], *texts: str) -> tuple[Citation, ...]:
    """Return the citations after one memory per section, checked against the documents."""
    context, sections = context_of(*texts)
    notes = Notes()
    for index, memory in enumerate(memories):
        notes.update(memory, index)
    citations = notes.cite(answer, sections, context)
    for citation in citations:
        number = int(citation.doc_id.removeprefix("doc-"))
        assert texts[number][citation.start - 100 : citation.end - 100] == citation.quote
        assert citation.section_index == number + 1
    return citations


def test_answer_is_cited_where_its_note_came_from() -> None:
    first = "- Harbour master of Velmar: Ilse Brandt"
    second = f"{first}\n- The fountain was paid for by Edmund Hale"
    (citation,) = cited("Therefore, the answer is Edmund Hale.", [first, second], HARBOUR, GARDEN)
    assert citation.section_index == 2
    assert citation.is_verified
    assert citation.quote == (
        "A letter says that Edmund Hale paid 77 crowns for the fountain in the garden."
    )


def test_of_places_with_the_answer_the_one_nearest_to_the_note_is_cited() -> None:
    text = "module push heapq\nparameters push 2\n\nmodule pop heapq\nparameters pop 1\n"
    notes = Notes()
    notes.update("module pop heapq", 0)
    (found,) = notes.cite(
        "heapq",
        [Section(start=0, end=len(text), num_tokens=20)],
        Context(context_id="c", text=text, parts=()),
    )
    assert found.quote.startswith("module pop heapq")


def test_note_that_stayed_keeps_the_section_it_came_from() -> None:
    note = "- Ilse Brandt was master of the harbour"
    (citation,) = cited("Ilse Brandt", [note, note, note], HARBOUR, GARDEN, TRIAL)
    assert (citation.section_index, citation.is_verified) == (1, True)
    assert "Its master, Ilse Brandt, kept a diary." in citation.quote


def test_note_that_gained_words_is_looked_for_in_both_sections() -> None:
    memories = [
        "- 1,234 barrels were lost in May",
        "- 1,234 barrels were lost in May",
        "- In May 1,234 barrels were lost and not insured, as Judge Okoro heard",
    ]
    citations = cited("Judge Okoro", memories, HARBOUR, GARDEN, TRIAL)
    assert citations[0].section_index == 3
    citations = cited("1,234 barrels", memories, HARBOUR, GARDEN, TRIAL)
    assert citations[0].section_index == 1
    assert citations[0].is_verified


def test_marks_of_the_model_are_used_and_no_part_of_a_note() -> None:
    memory = "- The fountain cost 77 crowns [c2]"
    (citation,) = cited("77 crowns", ["nothing yet", "", memory], HARBOUR, GARDEN, TRIAL)
    assert (citation.section_index, citation.is_verified) == (2, True)


def test_marks_of_sections_that_were_not_read_are_ignored() -> None:
    memory = "- The master was Ilse Brandt [c9, c0] [c123456]"
    (citation,) = cited("Ilse Brandt", [memory], HARBOUR, GARDEN)
    assert citation.section_index == 1


def test_line_breaks_case_and_separators_hide_nothing() -> None:
    text = "It was found that the LOST\n  cargo was 1\u202f234 barrels\nof oil in all."
    (citation,) = cited("1,234 barrels", ["- lost cargo: 1234 barrels of oil"], text)
    assert citation.is_verified
    assert "1\u202f234 barrels\nof oil" in citation.quote


def test_paraphrase_is_cited_as_not_verified() -> None:
    memory = "- insured barrels question: none, Okoro"
    (citation,) = cited("Okoro: none insured", [memory], TRIAL)
    assert not citation.is_verified
    assert "Judge Okoro asked whether the barrels were insured" in citation.quote


def test_answer_that_stands_in_no_section_has_no_citation() -> None:
    assert cited("Zanzibar", ["- it was Zanzibar, says the archive"], HARBOUR) == ()


@pytest.mark.parametrize("answer", ["", "yes", "The answer is (B).", "it is not", "\ud800"])
def test_answer_without_a_telling_word_has_no_citation(answer: str) -> None:
    assert cited(answer, ["- Ilse Brandt kept a diary"], HARBOUR) == ()


def test_short_answer_needs_company() -> None:
    text = "Page 7 of 9.\n" + "x " * 300 + "\nThe ship had 7 masts and a red keel."
    (citation,) = cited("7", ["- the ship had 7 masts"], text)
    assert citation.quote == "The ship had 7 masts and a red keel."


def test_every_part_of_a_list_is_cited() -> None:
    memory = "- Ilse Brandt kept a diary\n- Edmund Hale paid 77 crowns\n- Judge Okoro led the trial"
    for answer in (
        "Ilse Brandt, Edmund Hale and Judge Okoro",
        '{"people": ["Ilse Brandt", "Edmund Hale", "Judge Okoro"]}',
    ):
        context, sections = context_of(HARBOUR, GARDEN, TRIAL)
        notes = Notes()
        for index in range(3):
            notes.update("\n".join(memory.split("\n")[: index + 1]), index)
        found = {one.section_index for one in notes.cite(answer, sections, context)}
        assert found == {1, 2, 3}


def test_long_answer_is_found_as_a_whole() -> None:
    poem = "Over the marsh a heron flies, grey as the rain in the morning skies, and nobody sees."
    memory = f"The second poem: {poem}"
    citations = cited(f"aYooSG8CQg{poem}", ["", memory], HARBOUR, f"{GARDEN}\n\n{poem}\n")
    assert citations[0].is_verified
    assert poem in citations[0].quote


def test_scripts_without_spaces() -> None:
    text = "\u7b2c\u4e00\u7ae0\u3002" * 50 + (
        "\u516c\u53f8\u4e8e\u4e00\u4e5d\u4e5d\u4e8c\u5e74\u7531\u5f20\u4f1f\u521b\u7acb\u3002"
        "\u4ed6\u4f4f\u5728\u5317\u4eac\u3002"
    )
    memory = "- \u521b\u7acb\u8005\uff1a\u7531\u5f20\u4f1f\u521b\u7acb"
    (citation,) = cited("\u7b54\u6848\u662f\u5f20\u4f1f", [memory], text)
    assert citation.is_verified
    assert citation.quote == (
        "\u516c\u53f8\u4e8e\u4e00\u4e5d\u4e5d\u4e8c\u5e74\u7531\u5f20\u4f1f\u521b\u7acb\u3002"
    )


def test_composed_and_decomposed_letters_are_the_same() -> None:
    (citation,) = cited(
        "Caf\u00e9 Z\u00fcrich",
        ["- owner of Caf\u00e9 Z\u00fcrich"],
        "He owned Cafe\u0301 ZU\u0308RICH.",
    )
    assert citation.is_verified


def test_span_over_two_documents_is_cut_to_the_one_with_most_of_it() -> None:
    first, second = "It ended when old Tom", " Harker of Deal sold the brig Marigold to a stranger"
    context, _ = context_of(first, second)
    notes = Notes()
    notes.update("- Tom Harker of Deal sold the brig Marigold", 0)
    section = Section(start=0, end=len(context.text), num_tokens=1)
    (citation,) = notes.cite("Tom Harker of Deal", [section], context)
    assert (citation.doc_id, citation.start, citation.end) == ("doc-1", 100, 100 + len(second))
    assert citation.quote == second


def test_context_without_parts_keeps_its_own_coordinates() -> None:
    context = Context(context_id="c", text=HARBOUR, parts=())
    notes = Notes()
    notes.update("- the master was Ilse Brandt", 0)
    section = Section(start=0, end=len(HARBOUR), num_tokens=1)
    (citation,) = notes.cite("Ilse Brandt", [section], context)
    assert citation.doc_id == ""
    assert HARBOUR[citation.start : citation.end] == citation.quote


def test_same_sentence_in_many_places_is_cited_once() -> None:
    memory = "- Ilse Brandt kept a diary\n- diary: Ilse Brandt of Velmar"
    assert len(cited("Ilse Brandt", [memory, memory], HARBOUR, HARBOUR)) == 1


@given(
    st.lists(st.text(alphabet='ab cB1,.\n\u4e2d"\u0301', max_size=60), min_size=1, max_size=4),
    st.text(alphabet='ab cB1,.\n\u4e2d"\u0301', max_size=40),
)
def test_quotes_are_always_copied_from_their_section(texts: list[str], answer: str) -> None:
    for memory in (*texts, "\n".join(texts)):
        for citation in cited(answer, [memory] * len(texts), *texts):
            assert citation.quote


@given(st.text(max_size=60), st.integers(0, 10), st.integers(0, 60))
def test_spans_are_those_of_the_words(text: str, start: int, end: int) -> None:
    words = words_of(text[start:end])
    spans = list(word_spans(text, start, end))
    assert len(words) == len(spans)
    assert [words_of(text[first:last]) for first, last in spans] == [[word] for word in words]


@pytest.mark.parametrize(
    ("answer", "phrases"),
    [
        (
            "Therefore, the answer is Paris and Rome.",
            [("paris", "and", "rome"), ("paris",), ("rome",)],
        ),
        ("Answer: 1,234.5", [("12345",)]),
        ('```json\n{"a": {"b": "Ann Lee"}, "c": [7, true]}\n```', [("ann", "lee"), ("7",)]),
        ("", []),
        ("(A)", []),
        ("[" * 100_000, []),
    ],
)
def test_phrases_of_an_answer(answer: str, phrases: list[tuple[str, ...]]) -> None:
    assert list(answer_phrases(answer)) == phrases


def synthetic(num_sections: int, section_characters: int) -> tuple[Context, list[Section]]:
    generator = random.Random(7)
    words = [
        f"{first}{last}" for first in "bcdfghklmnprst" for last in ("alo", "eri", "und", "ist")
    ]
    words += ["the", "of", "and", "to", "in"] * 20
    text = ""
    pieces = []
    while sum(map(len, pieces)) < section_characters:
        pieces.append(f"{' '.join(generator.choices(words, k=14))} {generator.random():.6f}. ")
    block = "".join(pieces)
    sections = []
    for number in range(num_sections):
        start = len(text)
        text += block.replace("alo", f"alo{number}")
        sections.append(Section(start=start, end=len(text), num_tokens=1))
    return Context(context_id="c", text=text, parts=()), sections


def test_long_reading_takes_bounded_time() -> None:
    context, sections = synthetic(num_sections=20, section_characters=130_000)
    notes, lines = Notes(), []
    begin = time.process_time()
    for index, section in enumerate(sections):
        start = section.start + 1_000
        lines += [context.text[start + 200 * n : start + 200 * n + 180] for n in range(12)]
        notes.update("\n".join(lines), index)
    updated = time.process_time()
    citations = notes.cite("\n".join(lines)[-20_000:], sections, context)
    assert updated - begin < 20 * 0.02
    assert time.process_time() - updated < 2.0
    assert citations
    assert all(citation.is_verified for citation in citations)


@pytest.mark.parametrize(
    "memory",
    [
        "a" * 60_000,
        "a " * 30_000,
        "\u4e2d" * 60_000,
        '"' * 60_000,
        ". " * 30_000,
        "[c1" * 20_000,
        "ab cd ef gh. " * 5_000,
    ],
)
def test_hostile_memories_take_bounded_time(memory: str) -> None:
    context, sections = context_of(memory * 2, memory)
    notes = Notes()
    begin = time.process_time()
    for index in range(2):
        notes.update(memory + str(index), index)
    notes.cite(memory, sections, context)
    assert time.process_time() - begin < 4.0
