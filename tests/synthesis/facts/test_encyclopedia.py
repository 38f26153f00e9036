"""Facts of encyclopedia pages: infobox rows and links."""

from longloom.records import BlockKind, DocumentKind
from longloom.synthesis.documents.building import DocumentBuilder, Reading
from longloom.synthesis.facts import encyclopedia
from longloom.synthesis.facts.fact import Fact

Piece = tuple[str, str, dict[str, str]]


def infobox(shown: str, label: str, section: str = "") -> Piece:
    """Return an infobox row as the reader marks it."""
    return shown, "infobox", {"label": label, "section": section}


def link(shown: str, target: str) -> Piece:
    """Return a link as the reader marks it."""
    return shown, "link", {"target": target}


def read(*pieces: Piece, genre: str = "encyclopedia") -> tuple[Reading, list[Fact]]:
    """Extract from a page on the film Alpha that shows these texts."""
    builder = DocumentBuilder(
        title="Alpha (film)",
        kind=DocumentKind.GENERAL,
        genre=genre,
        source="alpha.html",
        licence="CC BY-SA 3.0",
    )
    for shown, name, attributes in pieces:
        builder.begin(BlockKind.PARAGRAPH)
        builder.mark(name, builder.add(shown), **attributes)
    reading = builder.build()
    return reading, encyclopedia.extract(reading)


def values(*pieces: Piece) -> list[tuple[str, str, str]]:
    """Return relation, value and kind of the facts."""
    return [(fact.relation, fact.value, fact.value_kind) for fact in read(*pieces)[1]]


def test_infobox_values_are_normalised() -> None:
    assert values(
        infobox("3 May 1951 (aged 30)", "Date of birth"),
        infobox("644.83 sq mi (1,670 km2)", "Area: Total"),
        infobox("1935", "Introduced:"),
        infobox("Overcast, rain", "Weather"),
    ) == [
        ("infobox.date_of_birth", "1951-05-03", "date"),
        ("infobox.area_total", "644.83", "number"),
        ("infobox.introduced", "1935", "date"),
        ("infobox.weather", "Overcast, rain", "text"),
    ]


def test_the_span_shows_the_value_without_what_says_it_again() -> None:
    reading, (fact,) = read(infobox("3 May 1951 (aged 30)", "Born"))
    assert reading.document.text[fact.start : fact.end] == "3 May 1951"
    assert (fact.subject, fact.label) == ("Alpha (film)", "Born")


def test_a_value_that_is_a_link_names_an_article() -> None:
    builder = DocumentBuilder(
        title="Alpha", kind=DocumentKind.GENERAL, genre="encyclopedia", source="a", licence="b"
    )
    builder.begin(BlockKind.TABLE)
    span = builder.add("Bartow arena")
    builder.mark("link", span, target="Bartow Arena")
    builder.mark("infobox", span, label="Arena", section="")
    facts = encyclopedia.extract(builder.build())
    assert ("infobox.arena", "Bartow Arena", "page") in {
        (fact.relation, fact.value, fact.value_kind) for fact in facts
    }


def test_a_label_in_two_sections_is_told_by_its_section() -> None:
    assert values(infobox("Ann Lee", "Driver", "Pole"), infobox("Bo Lee", "Driver", "Lap")) == [
        ("infobox.pole_driver", "Ann Lee", "text"),
        ("infobox.lap_driver", "Bo Lee", "text"),
    ]


def test_lists_long_values_and_repeated_labels_are_left_out() -> None:
    assert values(infobox("one; two", "Crew"), infobox("x" * 101, "Plot")) == []
    assert values(infobox("one", "Crew"), infobox("two", "Crew")) == []


def test_a_page_names_the_pages_it_links_by_their_name() -> None:
    _, facts = read(
        link("Eastman Kodak", "Eastman Kodak"),
        link("Eastman Kodak", "Eastman Kodak"),
        link("the maker", "Eastman Kodak"),
        link("Film", "Film"),
        link("3 May 1951", "3 May 1951"),
        link("second medal", "Silver medal"),
    )
    assert [(fact.relation, fact.value) for fact in facts] == [("page.links_to", "Eastman Kodak")]


def test_the_wording_of_a_row_names_its_label() -> None:
    _, (fact,) = read(infobox("Overcast, rain", "Weather"))
    assert "Weather" in encyclopedia.relation_for(fact).question


def test_other_documents_give_nothing() -> None:
    assert read(infobox("rain", "Weather"), genre="web page")[1] == []


def _infobox(label: str, shown: str, rest: str = "") -> list[tuple[str, str]]:
    builder = DocumentBuilder(
        title="Alpha", kind=DocumentKind.GENERAL, genre="encyclopedia", source="a", licence="b"
    )
    builder.begin(BlockKind.TABLE)
    builder.add(f"{label} | ")
    span = builder.add(shown)
    builder.mark("infobox", span, label=label, section="")
    builder.add(rest)
    return [(fact.value, fact.value_kind) for fact in encyclopedia.extract(builder.build())]


def test_a_year_is_a_date_unless_its_label_counts() -> None:
    assert _infobox("Turned pro", "2002") == [("2002", "date")]
    assert _infobox("Capacity", "2002") == [("2002", "number")]


def test_a_row_with_further_cells_belongs_to_a_table() -> None:
    assert _infobox("Alpha City", "12", " | 4 | .750") == []
