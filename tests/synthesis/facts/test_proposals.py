from pathlib import Path

import pytest

from longloom.synthesis.documents.reader import SourceFile
from longloom.synthesis.documents.rst import read
from longloom.synthesis.facts.proposals import KINDS, RELATIONS, extract
from longloom.synthesis.facts.showing import shows_value

PROPOSAL = """\
PEP: 9001
Title: Lanterns
Author: Ada Lamp <ada@example.org>,
        Bo Wick <bo at example.org>, The Lamp Committee
Sponsor: Cy Glow
BDFL-Delegate: Ada Lamp
Discussions-To: lamps@example.org
Status: Final
Type: Standards Track
Topic: Governance, Packaging
Requires: 8, 9002
Superseded-By: 9003
Created: 03-May-2019
Python-Version: 3.10, 3.x
Post-History: 07-Jun-2019, `04-May-2019 <https://example.org/1>`__
Resolution: `08-Jun-2019 <https://example.org/2>`__

Abstract
========

See :pep:`8`, PEPs 20, 30 and 40, PEP 9001, https://example.org/pep-0050/ and PEP 8 again.
Never mind PEP 1.5 or 77.
"""


def facts_of(text: str) -> list[tuple[str, str, str]]:
    (reading,) = read(SourceFile(name="pep-9001.rst", payload=text.encode()))
    facts = extract(reading)
    assert all(fact.subject == "PEP 9001" for fact in facts)
    return [
        (
            fact.relation.removeprefix("pep."),
            fact.value,
            reading.document.text[fact.start : fact.end],
        )
        for fact in facts
    ]


def test_header_and_body_become_facts_with_their_spans():
    assert facts_of(PROPOSAL) == [
        ("title", "Lanterns", "Lanterns"),
        ("author", "Ada Lamp", "Ada Lamp"),
        ("author", "Bo Wick", "Bo Wick"),
        ("sponsor", "Cy Glow", "Cy Glow"),
        ("delegate", "Ada Lamp", "Ada Lamp"),
        ("discussed_on", "lamps@example.org", "lamps@example.org"),
        ("status", "Final", "Final"),
        ("type", "Standards Track", "Standards Track"),
        ("topic", "Governance", "Governance"),
        ("topic", "Packaging", "Packaging"),
        ("requires", "PEP 8", "8"),
        ("requires", "PEP 9002", "9002"),
        ("superseded_by", "PEP 9003", "9003"),
        ("created", "2019-05-03", "03-May-2019"),
        ("python_version", "3.10", "3.10"),
        ("last_posted", "2019-06-07", "07-Jun-2019"),
        ("first_posted", "2019-05-04", "04-May-2019"),
        ("resolved", "2019-06-08", "08-Jun-2019"),
        ("cites", "PEP 8", "PEP 8"),
        ("cites", "PEP 20", "20"),
        ("cites", "PEP 30", "30"),
        ("cites", "PEP 40", "40"),
        ("cites", "PEP 50", "pep-0050"),
    ]


def test_other_documents_state_nothing():
    (reading,) = read(SourceFile(name="a.rst", payload=b"PEP 8 is a PEP.\n"))
    assert extract(reading) == []


def test_every_span_in_real_proposals_shows_its_value():
    folder = Path(__file__).parents[3].parent / "shared/data/corpus-peps"
    if not folder.is_dir():
        pytest.skip(f"the real proposals are not here: {folder}")
    num_facts = 0
    for path in sorted(folder.glob("*.rst"))[::8]:
        (reading,) = read(SourceFile(name=path.name, payload=path.read_bytes()))
        facts = extract(reading)
        num_facts += len(facts)
        text = reading.document.text
        assert not [fact for fact in facts if not shows_value(fact, text[fact.start : fact.end])]
    assert num_facts > 200


def test_every_relation_is_worded():
    kinds = {kind.name for kind in KINDS} | {"date", "number", "text"}
    assert len({relation.name for relation in RELATIONS}) == len(RELATIONS)
    for relation in RELATIONS:
        assert {relation.subject_kind, relation.value_kind} <= kinds
        assert "{x}" in relation.question
        assert "{x}" in relation.noun
        assert "{v}" in relation.clause
