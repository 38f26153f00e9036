"""Control catalogues: one document a family, parameters filled in."""

import json

import pytest

from longloom.errors import DataError
from longloom.synthesis.documents import oscal
from longloom.synthesis.documents.building import Reading
from longloom.synthesis.documents.reader import SourceFile

CONTROL = {
    "id": "zz-1",
    "title": "Lamps",
    "params": [
        {
            "id": "zz-01_odp",
            "props": [{"name": "label", "value": "ZZ-01_ODP"}],
            "label": "period",
            "guidelines": [{"prose": "the period of lamp checks is defined;"}],
        }
    ],
    "props": [{"name": "label", "value": "ZZ-1"}],
    "links": [{"href": "#yy-2", "rel": "related"}, {"href": "#u1", "rel": "reference"}],
    "parts": [
        {
            "name": "statement",
            "parts": [
                {
                    "name": "item",
                    "props": [{"name": "label", "value": "a."}],
                    "prose": "Check lamps {{ insert: param, zz-01_odp }}.",
                }
            ],
        },
        {"name": "guidance", "prose": "Light helps."},
        {
            "name": "assessment-method",
            "props": [{"name": "method", "value": "EXAMINE"}],
            "parts": [{"name": "assessment-objects", "prose": "Lamp policy\n\nlamp records"}],
        },
    ],
}
CATALOGUE = {
    "catalog": {
        "metadata": {"title": "Sample Catalogue"},
        "groups": [
            {"id": "zz", "title": "Lighting", "controls": [CONTROL]},
            {"id": "yy", "title": "Empty"},
        ],
        "back-matter": {"resources": [{"uuid": "u1", "title": "SP 1"}]},
    }
}


def readings_of(plain: object) -> list[Reading]:
    payload = json.dumps(plain).encode()
    return list(oscal.read(SourceFile(name="c.json", payload=payload)))


def test_a_family_is_one_document() -> None:
    (reading,) = readings_of(CATALOGUE)
    assert reading.document.title == "Sample Catalogue: Lighting"
    text = reading.document.text
    assert "ZZ-1 Lamps\n\nRelated controls: YY-2\nReferences: SP 1\n" in text
    assert "Parameter ZZ-01_ODP: the period of lamp checks is defined" in text
    assert "Control:\na. Check lamps [Assignment: period].\n\nDiscussion: Light helps." in text
    assert text.endswith("Examine: Lamp policy; lamp records")


@pytest.mark.parametrize("payload", [b"{", b"[]", b'{"catalog": 3}', b"[" * 100_000])
def test_what_is_no_catalogue_is_refused(payload: bytes) -> None:
    with pytest.raises(DataError):
        list(oscal.read(SourceFile(name="c.json", payload=payload)))


@pytest.mark.parametrize("groups", [None, 3, [3, None], [{"controls": [{"parts": [{}]}]}]])
def test_odd_shapes_do_not_crash(groups: object) -> None:
    assert len(readings_of({"catalog": {"groups": groups}})) <= 1
