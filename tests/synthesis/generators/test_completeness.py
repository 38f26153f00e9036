"""What the words of the documents say beside their facts."""

from longloom.records import BlockKind, Document, DocumentKind
from longloom.synthesis.documents.building import DocumentBuilder
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.generators.completeness import Completeness
from longloom.synthesis.programs.world import World


def document(title: str, text: str, genre: str = "contract") -> Document:
    builder = DocumentBuilder(
        title=title, kind=DocumentKind.PROFESSIONAL, genre=genre, source="made", licence="CC0"
    )
    builder.begin(BlockKind.PARAGRAPH)
    builder.add(text)
    builder.end()
    return builder.build().document


def fact(
    shown: Document,
    relation: str,
    value: str,
    *,
    value_kind: str = "jurisdiction",
    certainty: int = 2,
    subject: str = "",
) -> Fact:
    return Fact(
        subject=subject or shown.title,
        relation=relation,
        value=value,
        value_kind=value_kind,
        subject_kind="agreement",
        doc_id=shown.doc_id,
        start=0,
        end=1,
        certainty=certainty,
    )


def completeness(*stated: tuple[Document, list[Fact]]) -> Completeness:
    world = World({shown.doc_id: facts for shown, facts in stated})
    return Completeness(world, {shown.doc_id: shown for shown, _ in stated})


LEASE = document("Lease", "This lease is governed by the laws of the State of Ohio.")
OHIO = fact(LEASE, "contract.governing_law", "Ohio")


def test_a_value_is_whole_if_no_other_document_of_the_genre_shows_it() -> None:
    silent = document("Loan", "The laws of Utah apply to this loan.")
    assert completeness((LEASE, [OHIO]), (silent, [])).is_whole(OHIO)


def test_a_value_that_another_document_shows_without_a_fact_is_not_whole() -> None:
    silent = document("Loan", "Ohio courts alone decide what concerns this loan.")
    assert not completeness((LEASE, [OHIO]), (silent, [])).is_whole(OHIO)
    other = fact(silent, "contract.governing_law", "Ohio")
    assert completeness((LEASE, [OHIO]), (silent, [other])).is_whole(OHIO)


def test_documents_of_another_genre_do_not_count() -> None:
    page = document("Ohio River", "The river rises far from Ohio.", genre="encyclopedia")
    assert completeness((LEASE, [OHIO]), (page, [])).is_whole(OHIO)


def test_what_markup_states_is_whole() -> None:
    silent = document("Loan", "Ohio courts alone decide what concerns this loan.")
    asserted = fact(LEASE, "contract.governing_law", "Ohio", certainty=1)
    assert completeness((LEASE, [asserted]), (silent, [])).is_whole(asserted)


def test_numbers_are_looked_for_in_figures_and_in_words_where_nothing_is_stated() -> None:
    notice = fact(LEASE, "contract.notice_days", "30", value_kind="number")
    for words, is_whole in (("Sixty days are enough.", True), ("Thirty days are enough.", False)):
        silent = document("Loan", words)
        assert completeness((LEASE, [notice]), (silent, [])).is_whole(notice) is is_whole


def test_dates_of_the_same_decade_elsewhere_are_in_doubt() -> None:
    dated = fact(LEASE, "contract.date", "2016-03-01", value_kind="date")
    for words, is_whole in (("Made in 2003.", True), ("Made in 2019.", False)):
        silent = document("Loan", words)
        assert completeness((LEASE, [dated]), (silent, [])).is_whole(dated) is is_whole


def test_a_law_cites_all_that_its_facts_say_only_if_its_text_names_no_more() -> None:
    law = document("D.C. Law 9-1", "As in D.C. Law 7-2 and D.C. Law 8-3.", genre="law")
    first = fact(law, "law.cites", "D.C. Law 7-2", value_kind="law")
    second = fact(law, "law.cites", "D.C. Law 8-3", value_kind="law")
    assert not completeness((law, [first])).has_all_values(first)
    assert completeness((law, [first, second])).has_all_values(first)


def test_only_a_document_itself_is_given() -> None:
    law = document("D.C. Law 9-12", "As in D.C. Law 7-2.", genre="law")
    known = completeness((law, []))
    assert known.is_given("D.C. Law 9-12")
    assert not known.is_given("D.C. Law 7-2")
    assert not known.is_given("D.C. Law 9-1")
