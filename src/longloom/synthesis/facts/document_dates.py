"""The date of a document as its own text states it, for saying which of two is the later.

    World cup table `wc-20140609-140000` -> document.date = 2014-06-09
    RFC 9110, `Published: June 2022`     -> document.date = 2022-06
    a filing's cover                      -> document.date = the last day of its period

The subject is the title of the document. Only what can be restated is dated.
"""

import re
from collections.abc import Iterator

from longloom.synthesis.documents.building import Reading
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.facts.relation import EntityKind, Relation

RELATION = "document.date"
"""The one relation of this module; it orders documents and is never asked for."""

KINDS: tuple[EntityKind, ...] = ()
RELATIONS: tuple[Relation, ...] = ()

_STAMP = re.compile(r"(?<!\d)((?:19|20)\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?!\d)")


def extract(reading: Reading) -> list[Fact]:
    """Return the date of a document, if it is of a genre that is dated and shows its date."""
    dates = list(_dates(reading))
    if len({value for value, _, _ in dates}) != 1:
        return []
    value, start, end = dates[0]
    return [
        Fact(
            subject=reading.document.title,
            relation=RELATION,
            value=value,
            value_kind="date",
            subject_kind="document",
            doc_id=reading.document.doc_id,
            start=start,
            end=end,
            certainty=1,
        )
    ]


def _dates(reading: Reading) -> Iterator[tuple[str, int, int]]:
    """Yield the date with the span that shows it."""
    document = reading.document
    match document.genre:
        case "table":
            title = document.title
            if document.text.startswith(title):
                for stamp in _STAMP.finditer(document.text, 0, len(title)):
                    yield "-".join(stamp.groups()), stamp.start(), stamp.end()
        case "standard":
            for mark in reading.marks:
                if mark.name == "header" and mark.attributes["name"] == "published":
                    yield mark.attributes["value"], mark.start, mark.end
        case "filing":
            for mark in reading.marks:
                is_date = mark.attributes.get("concept") == "DocumentPeriodEndDate"
                if mark.name == "stated" and is_date and document.date:
                    yield document.date, mark.start, mark.end
        case _:
            return
