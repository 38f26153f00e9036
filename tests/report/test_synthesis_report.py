import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from longloom.cli.main import app
from longloom.errors import DataError
from longloom.recipes import api
from longloom.report import synthesis_pages
from longloom.report.refusal_words import REFUSAL_WORDS
from longloom.report.synthesis_contents import read_synthesis
from longloom.report.synthesis_pages import examples_payload, split_options
from longloom.synthesis.checks.drafts import Refusal
from report.synthesis_folder import HOSTILE, TEXTS, write_synthesis_folder


class Tags(HTMLParser):
    """Collect the elements of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += [name for name, _ in attrs]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_synthesis_folder(tmp_path / "questions")


def payload_of(folder: Path, num_examples: int = 10) -> dict:
    contents = read_synthesis(folder)
    return json.loads(examples_payload(contents, num_examples=num_examples, seed=0))


def test_text_of_documents_never_becomes_an_element_or_a_script(folder: Path) -> None:
    page = api.write_report(folder).read_text("utf-8")
    tags = Tags()
    tags.feed(page)
    assert HOSTILE not in page
    assert "<img" not in page
    assert tags.names.count("script") == page.count("</script>") == 3
    assert not [name for name in tags.attributes if name.startswith("on")]
    # Shown as text, so that nobody wonders where it went.
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_page_needs_no_network(folder: Path) -> None:
    page = api.write_report(folder).read_text("utf-8")
    assert "default-src 'none'" in page
    assert not re.search(r"(src|href)=\"?(https?:)?//", page)


def test_same_folder_gives_the_same_page(folder: Path) -> None:
    first = api.write_report(folder).read_bytes()
    assert api.write_report(folder).read_bytes() == first


def test_example_shows_evidence_in_its_document_and_nothing_of_the_next(folder: Path) -> None:
    page = payload_of(folder, 1)["examples"][0]
    (one, _, first), (two, _, second) = page["excerpts"]
    assert first == [
        ["p", f"Notice one {HOSTILE}. It was issued on "],
        ["e", "1999-05-01"],
        ["p", " by the board."],
    ]
    assert second == [["p", "Notice two. It was issued on "], ["e", "2004-02-03"], ["p", "."]]
    assert page["gold"] == [one, two]
    assert len(page["strip"]) == 3  # the distractor too


def test_place_of_evidence_is_a_share_of_the_context(folder: Path) -> None:
    page = payload_of(folder, 1)["examples"][0]
    num_characters = sum(len(text) + 2 for text in TEXTS.values())
    start = TEXTS["one"].index("1999")
    assert page["excerpts"][0][1] == round(100 * start / num_characters, 2)


def test_steps_of_a_program_say_what_they_find(folder: Path) -> None:
    lines = payload_of(folder, 1)["examples"][0]["program"]
    assert [(line[0], line[1], line[2], line[4]) for line in lines] == [
        (0, "", "years between", "5"),
        (1, "first", "look up", "1999-05-01"),
        (2, "", "named", ""),
        (1, "second", "look up", "2004-02-03"),
        (2, "", "named", ""),
    ]
    assert lines[2][3] == [["constant", "entity", "Notice one"]]


def test_documents_of_an_example_have_title_source_and_licence(folder: Path) -> None:
    payload = payload_of(folder, 1)
    gold = payload["documents"][payload["examples"][0]["gold"][1]]
    assert gold["title"] == "Notice two"
    assert gold["licence"] == f"MIT {HOSTILE}"
    assert gold["source"] == f"notices/two.txt {HOSTILE}"


def test_folder_without_documents_and_facts_is_shown_too(folder: Path) -> None:
    for name in ("documents/a.parquet", "facts/a.parquet", "summary.json"):
        (folder / name).unlink()
    payload = payload_of(folder)
    assert payload["documents"][0]["title"] == "one"
    assert not any(line[4] for line in payload["examples"][0]["program"])
    assert "keeps no documents" in api.write_report(folder).read_text("utf-8")


def test_payload_is_shortened_until_it_fits(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = len(examples_payload(read_synthesis(folder), num_examples=3, seed=0))
    monkeypatch.setattr(synthesis_pages, "MAX_PAYLOAD_CHARACTERS", whole // 2)
    payload = examples_payload(read_synthesis(folder), num_examples=3, seed=0)
    assert len(payload) <= whole // 2
    assert len(json.loads(payload)["examples"]) == 1


def test_markdown_has_the_counts_and_no_markup_of_documents(folder: Path) -> None:
    text = api.report_markdown(folder)
    assert "| Multi-hop | 1 | 1 | 100.0% |" in text
    assert "| Numerical | 2 | 1 | 100.0% |" in text
    assert "| temporal | 1 | 2 | 3 |" in text
    assert "| answer in question | 7 | 0 | 7 |" in text
    assert "<img" not in text


def test_command_line_takes_a_folder_of_questions(folder: Path) -> None:
    written = CliRunner().invoke(app, ["report", str(folder)])
    assert written.exit_code == 0, written.output
    assert (folder / "report.html").is_file()
    printed = CliRunner().invoke(app, ["report", "--markdown", str(folder)])
    assert "### Task types" in printed.output


def test_folder_of_neither_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no run folder"):
        api.write_report(tmp_path)


@pytest.mark.parametrize("name", ["examples.parquet", "contexts.parquet", "documents/a.parquet"])
def test_damaged_file_is_named(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"PAR1 not at all")
    with pytest.raises(DataError, match=Path(name).name):
        api.write_report(folder)


def test_missing_context_is_named(folder: Path) -> None:
    table = pq.read_table(folder / "contexts.parquet")
    pq.write_table(table.slice(0, 0), folder / "contexts.parquet")
    with pytest.raises(DataError, match="of an example is not in"):
        api.write_report(folder)


def test_every_reason_of_a_refusal_has_plain_words() -> None:
    assert set(Refusal) <= REFUSAL_WORDS.keys()


def test_lettered_lines_at_the_end_are_options() -> None:
    assert split_options("Which?\nA. one\nB. two") == ("Which?", [("A", "one"), ("B", "two")])


@pytest.mark.parametrize(
    "question", ["Which?", "A. Smith", "Which?\nB. two\nC. three", "Which?\nA. one\nB. two\nSay."]
)
def test_other_lettered_lines_stay_in_the_question(question: str) -> None:
    assert split_options(question) == (question, [])
