"""Hostile XML is refused with a reason, and text is never lost."""

from itertools import pairwise

import pytest

from longloom.errors import DataError
from longloom.records import BlockKind, DocumentKind
from longloom.synthesis.documents.building import DocumentBuilder
from longloom.synthesis.documents.reader import SourceFile
from longloom.synthesis.documents.safe_xml import (
    attribute,
    child,
    parse_xml,
    plain_text,
    root_name,
)
from longloom.synthesis.documents.xml_prose import Prose, Run, inner_run, split_blocks
from longloom.synthesis.documents.xml_tables import grid_of, row_keys


def _laughs() -> bytes:
    names = "abcdefghij"
    entities = ['<!ENTITY a "ha">']
    for before, name in pairwise(names):
        entities.append(f'<!ENTITY {name} "{f"&{before};" * 10}">')
    return f"<!DOCTYPE l [{''.join(entities)}]><l>&j;</l>".encode()


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (_laughs(), "entity|amplification"),
        (b'<!DOCTYPE l [<!ENTITY a "x"><!ENTITY b "&a;&a;">]><l>&b;</l>', "further entities"),
        (b'<!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]><l>&a;</l>', "external entity"),
        (b'<!DOCTYPE l [<!ENTITY a SYSTEM "http://x.test/a">]><l>&a;</l>', "external entity"),
        (b"<a>" * 200 + b"</a>" * 200, "deeper than 150"),
        (b"<a>" * 100_000, "not well-formed"),
        (b"", "not well-formed"),
        (b"<a><b></a>", "not well-formed"),
    ],
)
def test_hostile_or_broken_xml_is_refused_with_a_reason(payload: bytes, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        parse_xml(payload)


def test_an_external_dtd_is_not_loaded() -> None:
    root = parse_xml(b'<!DOCTYPE l SYSTEM "file:///etc/passwd"><l>plain</l>')
    assert plain_text(root) == "plain"


def test_an_entity_of_plain_text_is_put_in_and_comments_are_gone() -> None:
    payload = b'<!DOCTYPE l [<!ENTITY M "MUST">]><l>You &M; <!-- x -->not <i>do</i> &M; so.</l>'
    root = parse_xml(payload)
    assert plain_text(root) == "You MUST not do MUST so."


def test_names_and_attributes_are_found_without_name_spaces() -> None:
    root = parse_xml(b'<a xmlns="u:1" xmlns:x="u:2"><b x:href="there"/></a>')
    found = child(root, "b")
    assert found is not None
    assert attribute(found, "href") == "there"


def test_root_name_skips_the_prolog_and_believes_a_doctype() -> None:
    payload = b'\xef\xbb\xbf<?xml version="1.0"?><!-- c --><x:rfc number="1"/>'
    assert root_name(SourceFile(name="a.xml", payload=payload)) == "rfc"
    doctype = b'<!DOCTYPE article PUBLIC "x" "y"><article/>'
    assert root_name(SourceFile(name="a.xml", payload=doctype)) == "article"
    assert root_name(SourceFile(name="a.txt", payload=b"no markup")) == ""


def test_spaces_across_elements_are_neither_lost_nor_doubled() -> None:
    root = parse_xml(b"<p>One <b> two</b>\n three<i>four </i> five.</p>")
    builder = DocumentBuilder(
        title="t", kind=DocumentKind.GENERAL, genre="xml", source="s", licence="l"
    )
    spans = []
    prose = Prose(builder, notice=lambda element, span: spans.append(span))
    prose.begin(BlockKind.PARAGRAPH)
    whole = prose.run(inner_run(root))
    text = builder.build().document.text
    assert text == "One two threefour five."
    assert [text[start:end] for start, end in spans] == ["two", "four"]
    assert text[slice(*whole)] == text


def test_mixed_content_is_split_at_blocks() -> None:
    root = parse_xml(b"<p>before <i>x</i><list/> <list/>after</p>")
    parts = split_blocks(root, {"list"})
    assert [isinstance(part, Run) for part in parts] == [True, False, False, True]


def test_tables_spread_spans_and_join_header_rows() -> None:
    table = parse_xml(
        b"<table><thead><tr><th rowspan='2'>Name</th><th colspan='2'>Size</th></tr>"
        b"<tr><th>old</th><th>new</th></tr></thead>"
        b"<tbody><tr><td rowspan='2'>A</td><td>1</td><td>2</td></tr>"
        b"<tr><td>3</td><td>4</td></tr></tbody></table>"
    )
    grid = grid_of(table, plain_text)
    assert grid.header == ("Name", "Size / old", "Size / new")
    assert grid.rows == (("A", "1", "2"), ("A", "3", "4"))


def test_row_keys_tell_rows_apart() -> None:
    rows = [("Men", "", ""), ("young", "1", "2"), ("Women", "", ""), ("young", "3", "4")]
    assert row_keys(rows) == ["", "Men: young", "", "Women: young"]
    grouped = [("Course", "Stable", "9"), ("", "Worse", "5"), ("Age", "37", "31")]
    assert row_keys(grouped) == ["Course, Stable", "Course, Worse", "Age"]
