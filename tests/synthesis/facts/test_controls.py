"""Facts of control catalogues, each with the span that shows it."""

import json

from longloom.synthesis.documents import oscal
from longloom.synthesis.documents.reader import SourceFile
from longloom.synthesis.facts import controls

CATALOGUE = {
    "catalog": {
        "metadata": {"title": "Sample"},
        "groups": [
            {
                "id": "zz",
                "title": "Lighting",
                "controls": [
                    {
                        "id": "zz-1",
                        "title": "Lamps",
                        "links": [{"href": "#yy-2.1", "rel": "related"}],
                        "params": [
                            {
                                "id": "p",
                                "props": [{"name": "label", "value": "ZZ-01_ODP"}],
                                "guidelines": [{"prose": "the period of checks is defined;"}],
                            }
                        ],
                        "controls": [{"id": "zz-1.1", "title": "Spare Lamps"}],
                    }
                ],
            }
        ],
    }
}


def test_facts_and_their_spans() -> None:
    payload = json.dumps(CATALOGUE).encode()
    (reading,) = oscal.read(SourceFile(name="c.json", payload=payload))
    text = reading.document.text
    facts = {
        (fact.subject, fact.relation, fact.value, text[fact.start : fact.end])
        for fact in controls.extract(reading)
    }
    assert facts == {
        ("ZZ-1", "control.family", "Lighting", "Lighting"),
        ("ZZ-1", "control.title", "Lamps", "Lamps"),
        ("ZZ-1", "control.related", "YY-2(1)", "YY-2(1)"),
        (
            "parameter ZZ-01_ODP",
            "control.parameter",
            "the period of checks",
            "the period of checks",
        ),
        ("ZZ-1(1)", "control.family", "Lighting", "Lighting"),
        ("ZZ-1(1)", "control.title", "Spare Lamps", "Spare Lamps"),
        ("ZZ-1(1)", "control.enhances", "ZZ-1", "ZZ-1"),
    }
