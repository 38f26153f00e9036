from collections.abc import Sequence
from dataclasses import replace

import pytest

from longloom.records import BlockKind, Document, DocumentKind
from longloom.synthesis.checks.altered_worlds import LICENCE_NOTE
from longloom.synthesis.checks.twins import AlteredWorld, Twin, TwinRefusal, make_twin
from longloom.synthesis.documents.building import DocumentBuilder, document_id
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.facts.quantities import shows
from longloom.synthesis.programs.choice import Choice
from longloom.synthesis.programs.codec import shape_of
from longloom.synthesis.programs.dates import YearsBetween
from longloom.synthesis.programs.graph import Described, Follow, Inverse, Named, Only
from longloom.synthesis.programs.node import Program
from longloom.synthesis.programs.numeric import Number, Rounded
from longloom.synthesis.programs.numeric_arithmetic import Difference
from longloom.synthesis.programs.predicates import Equals, InYears
from longloom.synthesis.programs.world import World


class Pages:
    """Small documents whose facts are marked as they are written."""

    def __init__(self) -> None:
        self.documents: dict[str, Document] = {}
        self.facts: dict[str, list[Fact]] = {}

    def add(
        self, title: str, pieces: Sequence[str | tuple[str, dict[str, object]]], **given: bool
    ) -> None:
        builder = DocumentBuilder(
            title=title,
            kind=DocumentKind.PROFESSIONAL,
            genre="filing",
            source=title,
            licence="MIT",
            **given,
        )
        builder.begin(BlockKind.PARAGRAPH)
        stated: list[tuple[tuple[int, int], dict[str, object]]] = []
        for piece in pieces:
            text = piece if isinstance(piece, str) else piece[0]
            span = builder.add(text)
            if not isinstance(piece, str):
                stated.append((span, piece[1]))
        document = builder.build().document
        self.documents[document.doc_id] = document
        self.facts[document.doc_id] = [
            Fact(doc_id=document.doc_id, start=span[0], end=span[1], certainty=1, **fact)  # type: ignore[arg-type]
            for span, fact in stated
        ]

    def altered(self, seed: str = "s") -> AlteredWorld:
        return AlteredWorld(documents=self.documents, world=World(self.facts), seed=seed)


def proposal(number: int, author: str, date: str, shown: str, pages: Pages) -> None:
    name = f"PEP {number}"
    about = {"subject": name, "subject_kind": "PEP"}
    author_fact = about | {"relation": "pep.author", "value": author, "value_kind": "person"}
    date_fact = about | {"relation": "pep.created", "value": date, "value_kind": "date"}
    pages.add(
        name,
        [
            f"PEP: {number}\nAuthor: ",
            (author, author_fact),
            "\nCreated: ",
            (shown, date_fact),
            f"\nPosted on {shown}, {author.split(' ')[1]} wrote PEP {number}.",
        ],
    )


def proposals() -> Pages:
    pages = Pages()
    proposal(440, "Ada Byron", "2012-02-29", "29 February 2012", pages)
    proposal(441, "Grace Hopper", "2015-06-01", "1 June 2015", pages)
    return pages


def amount(company: str, value: str, period_end: str) -> dict[str, object]:
    return {
        "subject": company,
        "subject_kind": "company",
        "relation": "filing.Cash",
        "value": value,
        "value_kind": "number",
        "unit": "USD",
        "scale": 6,
        "period_end": period_end,
    }


def filing(rest: str = "") -> Pages:
    pages = Pages()
    company = "Novalis, Inc."
    pages.add(
        "Novalis, Inc. 10-K",
        [
            "Novalis had cash of $",
            ("1,250", amount(company, "1250000000", "2023-12-31")),
            " million in 2023 and $",
            ("980", amount(company, "980000000", "2022-12-31")),
            f" million in 2022.{rest}",
        ],
    )
    return pages


def cash(year: int) -> Number:
    return Number("Novalis, Inc.", "filing.Cash", "USD", "", f"{year}-12-31", ())


RISE = Rounded(Difference(cash(2023), cash(2022)), 6, 0, "plain")
RISE_QUESTION = "By how many million dollars did the cash of Novalis, Inc. rise in 2023?"


def check_spans(twin: Twin, altered: AlteredWorld) -> None:
    """Every span shows its value, and everything else of a document is as it was."""
    by_id = {document.doc_id: document for document in twin.documents.values()}
    for original, document in twin.documents.items():
        assert document.doc_id == document_id(document.title, document.text)
        assert len(document.blocks) == len(altered.documents[original].blocks)
        assert document.blocks[-1].end == len(document.text)
        assert document.licence == f"MIT ({LICENCE_NOTE})"
    for doc_id, facts in twin.facts_by_document.items():
        for fact in facts:
            shown = by_id[doc_id].text[fact.start : fact.end]
            if fact.value_kind == "number":
                assert shows(shown, fact.value, fact.scale)
            elif fact.value_kind == "date":
                assert fact.value[:4] in shown
            else:
                assert shown == fact.value


def test_names_of_people_and_proposals_change_in_text_question_and_answer() -> None:
    altered = proposals().altered()
    program = Follow(Named("PEP 441"), "pep.author")
    twin = make_twin(altered, program, "Who wrote PEP 441?", "Grace Hopper")
    check_spans(twin, altered)
    number = int(twin.question.removeprefix("Who wrote PEP ").removesuffix("?"))
    assert twin.program == Follow(Named(f"PEP {number}"), "pep.author")
    assert twin.is_telling
    assert [word[0] for word in twin.answer.split(" ")] == ["G", "H"]
    page = next(page for page in twin.documents.values() if page.title == f"PEP {number}")
    assert page.text.startswith(f"PEP: {number}\nAuthor: {twin.answer}\n")
    assert page.text.endswith(f", {twin.answer.split(' ')[1]} wrote PEP {number}.")
    everything = " ".join(page.text for page in twin.documents.values())
    assert not any(name in everything for name in ("Ada", "Byron", "Grace", "Hopper", "PEP 44 "))


def test_dates_move_by_whole_years_wherever_they_are_shown() -> None:
    altered = proposals().altered()
    program = Follow(Named("PEP 440"), "pep.created")
    twin = make_twin(altered, program, "When was PEP 440 created?", "2012-02-29")
    year = int(twin.answer[:4])
    assert (year - 2012) % 20 == 0
    assert year != 2012
    assert twin.answer == f"{year}-02-29"
    page = next(iter(twin.documents.values()))
    assert page.text.count(f"29 February {year}") == 2
    assert "2012" not in page.text


def test_years_that_describe_move_in_program_and_question() -> None:
    altered = proposals().altered()
    described = Only(Described("PEP", (InYears("pep.created", 2010, 5),)))
    program = Follow(described, "pep.author")
    question = "Who wrote the PEP created in the first half of the 2010s?"
    twin = make_twin(altered, program, question, "Ada Byron")
    decade = 2010 + altered.values.years
    assert twin.question == f"Who wrote the PEP created in the first half of the {decade}s?"
    moved = Only(Described("PEP", (InYears("pep.created", decade, 5),)))
    assert twin.program == Follow(moved, "pep.author")
    with pytest.raises(TwinRefusal, match="a date of the program cannot be told"):
        make_twin(altered, program, "Who wrote the earlier PEP?", "Ada Byron")


def test_what_does_not_depend_on_names_stays_and_says_so() -> None:
    program = YearsBetween(
        Follow(Named("PEP 440"), "pep.created"), Follow(Named("PEP 441"), "pep.created")
    )
    question = "How many years lie between PEP 440 and PEP 441?"
    twin = make_twin(proposals().altered(), program, question, "3")
    assert twin.answer == "3"
    assert not twin.is_telling


def test_numbers_change_at_their_spans_and_the_answer_is_computed_again() -> None:
    altered = filing().altered()
    twin = make_twin(altered, RISE, RISE_QUESTION, "270")
    check_spans(twin, altered)
    later, earlier = (
        int(fact.value) // 1_000_000 for fact in next(iter(twin.facts_by_document.values()))
    )
    affine = altered.values.affine_by_relation["filing.Cash"]
    assert later == 1250 * affine.factor + affine.shift / 1_000_000
    assert earlier == 980 * affine.factor + affine.shift / 1_000_000
    page = next(iter(twin.documents.values()))
    assert f"${later:,} million in 2023 and ${earlier:,} million in 2022." in page.text
    assert shape_of(twin.program) == shape_of(RISE)


def telling_seed() -> str:
    """A seed whose numbers are doubled, so that differences change."""
    return next(
        str(seed)
        for seed in range(50)
        if filing().altered(str(seed)).values.affine_by_relation["filing.Cash"].factor == 2
    )


def test_options_of_a_choice_move_with_the_answer() -> None:
    altered = filing().altered(telling_seed())
    program = Choice(RISE, ("250", "270", "1250", "980"))
    question = f"{RISE_QUESTION}\nA. 250\nB. 270\nC. 1250\nD. 980"
    twin = make_twin(altered, program, question, "B")
    assert (twin.answer, twin.original_answer) == ("B", "270")
    assert twin.question.split("\n")[1:] == ["A. 520", "B. 540", "C. 1520", "D. 1250"]
    with pytest.raises(TwinRefusal, match="worded in another way"):
        make_twin(altered, program, f"{RISE_QUESTION}\nA. 250 million", "B")


def test_a_computed_number_that_did_not_change_is_refused() -> None:
    # With factor 1, differences stay although both numbers moved.
    seed = next(
        str(seed)
        for seed in range(50)
        if filing().altered(str(seed)).values.affine_by_relation["filing.Cash"].factor == 1
    )
    with pytest.raises(TwinRefusal, match="the answer did not change"):
        make_twin(filing().altered(seed), RISE, RISE_QUESTION, "270")


def test_a_number_that_stands_elsewhere_too_is_refused() -> None:
    altered = filing(" The 1,250 million were in banks.").altered(telling_seed())
    with pytest.raises(TwinRefusal, match="a number stands elsewhere too"):
        make_twin(altered, RISE, RISE_QUESTION, "270")


def test_documents_that_may_not_be_altered_are_refused() -> None:
    pages = proposals()
    pages.add("Kept", ["A text that stays."], may_be_altered=False)
    program = Follow(Named("PEP 441"), "pep.author")
    with pytest.raises(TwinRefusal, match="may not be altered"):
        make_twin(pages.altered(), program, "Who wrote PEP 441?", "Grace Hopper")


def test_a_wrong_answer_is_refused() -> None:
    program = Follow(Named("PEP 441"), "pep.author")
    with pytest.raises(TwinRefusal, match="does not give the answer"):
        make_twin(proposals().altered(), program, "Who wrote PEP 441?", "Ada Byron")


def test_a_span_that_ends_within_a_name_is_refused() -> None:
    pages = proposals()
    doc_id = next(iter(pages.facts))
    author = pages.facts[doc_id][0]
    cut = replace(author, relation="pep.nickname", value="Ada By", end=author.end - 3)
    pages.facts[doc_id].append(cut)
    program = Follow(Named("PEP 441"), "pep.author")
    with pytest.raises(TwinRefusal, match="a span cuts a name"):
        make_twin(pages.altered(), program, "Who wrote PEP 441?", "Grace Hopper")


def test_numbers_in_a_description_are_told_in_the_question() -> None:
    pages = Pages()
    for place, value in (("Astor", "120"), ("Belmar", "344")):
        cell = {
            "subject": place,
            "subject_kind": "row",
            "relation": "cell.population",
            "value": value,
            "value_kind": "number",
        }
        pages.add(f"Page of {place}", [f"{place} has ", (value, cell), " inhabitants."])
    program: Program = Inverse(Named("344"), "cell.population")
    described = Only(Described("row", (Equals("cell.population", "344"),)))
    altered = pages.altered()
    number = altered.values.value("cell.population", "344")
    twin = make_twin(altered, described, 'Which row has 344 as "population"?', "Belmar")
    assert twin.question == f'Which row has {number} as "population"?'
    assert twin.answer == "Belmar"
    with pytest.raises(TwinRefusal, match="a number of the program cannot be told"):
        make_twin(altered, described, "Which row is it?", "Belmar")
    # A constant that no relation explains stays, and finds nothing.
    with pytest.raises(TwinRefusal, match="no answer on the twin"):
        make_twin(altered, program, "Which row has 344?", "Belmar")


def test_twins_come_from_the_seed() -> None:
    program = Follow(Named("PEP 441"), "pep.author")
    asked = ("Who wrote PEP 441?", "Grace Hopper")
    first, second, third = (
        make_twin(proposals().altered(seed), program, *asked) for seed in ("s", "s", "t")
    )
    assert first == second
    assert first.answer != third.answer
