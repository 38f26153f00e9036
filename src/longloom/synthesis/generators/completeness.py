"""Completeness: whether what the facts say of a value is all that the documents say of it.

"The agreement governed by the law of California" is fair only if no other agreement of the context
is governed by it. Headers and markup state all there is; what grammar finds in prose may be only a
part. So a value that was found in prose describes, counts or joins only if no other document of
the genre shows it: the words of the text decide, and in doubt the question is not asked. What a
model read is never whole (`readings.py`).
"""

import re
from collections.abc import Mapping

from longloom.records import Document
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.generators.prose_relations import is_read
from longloom.synthesis.generators.readings import Readings
from longloom.synthesis.programs.world import World

_BY_TEXT = frozenset({"page.links_to"})
"""Stated by markup, but a page may name the same thing without a link."""
_NEVER = frozenset({"contract.role", "contract.section_amount"})
"""A section with several amounts states none, and every agreement has its `Company`."""
_WHOLE_FAMILIES = ("code.", "pep.")
"""Syntax trees and headers leave nothing out; PEPs are found by number wherever they stand."""
_IMPLIED = frozenset({("code.inherits", "object"), ("code.inherits", "builtins.object")})
"""True of far more than says so: every class inherits from `object`."""
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_EFFECTIVE = re.compile(rf"effective ((?:{'|'.join(_MONTHS)})) (\d{{1,2}}), (\d{{4}})")
_LAW = re.compile(r"D\.C\. Law \d+-\d+")
_SECTION = re.compile(r"(?:Section|Article|Exhibit) ([\w.]+) of ")
_WORDS = {
    "5": "five",
    "10": "ten",
    "15": "fifteen",
    "20": "twenty",
    "30": "thirty",
    "45": "forty-five",
    "60": "sixty",
    "90": "ninety",
    "1": "one",
    "2": "two",
    "3": "three",
    "4": "four",
    "6": "six",
    "7": "seven",
    "12": "twelve",
}


class Completeness:
    """What one context shows beside its facts."""

    def __init__(self, world: World, documents: Mapping[str, Document]) -> None:
        self._world = world
        self._documents = documents
        self._titles = [_plain(document.title) for document in documents.values()]
        self._folded = {doc_id: one.text.casefold() for doc_id, one in documents.items()}
        self._known: dict[tuple[str, str], bool] = {}
        self._given: dict[str, bool] = {}
        self._readings = Readings(world, documents, self._folded)

    def is_whole(self, fact: Fact) -> bool:
        """Return whether all that have this value of the relation are known by facts."""
        if is_read(fact):
            return False
        if (fact.relation, fact.value) in _IMPLIED:
            return False
        if fact.relation.startswith(_WHOLE_FAMILIES) or not self._documents:
            return True
        if fact.certainty == 1 and fact.relation not in _BY_TEXT | {"law.effective"}:
            return True
        if fact.relation in _NEVER:
            return False
        key = (fact.relation, fact.value)
        if key not in self._known:
            self._known[key] = self._decide(fact)
        return self._known[key]

    def has_all_values(self, fact: Fact) -> bool:
        """Return whether a subject states no further values of a relation than its facts say."""
        if is_read(fact):
            return self._readings.is_undisputed(fact)
        if fact.relation in _BY_TEXT:
            return False
        document = self._documents.get(fact.doc_id)
        if fact.relation not in ("law.cites", "law.amends") or document is None:
            return True
        stated = {other.value for other in self._world.facts_of(fact.subject, fact.relation)}
        return set(_LAW.findall(document.text)) - {fact.subject} == stated

    def is_given(self, entity: str) -> bool:
        """Return whether an entity is one of the documents themselves, not only mentioned."""
        if not self._documents:
            return True
        if entity not in self._given:
            name = _plain(entity)
            pattern = re.compile(rf"(?<!\w){re.escape(name)}(?![\w-])")
            self._given[entity] = any(
                name in title and pattern.search(title) for title in self._titles
            )
        return self._given[entity]

    def _decide(self, fact: Fact) -> bool:
        if fact.relation == "law.effective":
            return self._has_all_effective(fact.value)
        section = _SECTION.match(fact.value)
        if section is not None:
            return self._has_all_references(fact, section.group(1))
        if fact.value_kind == "date":
            pattern = re.compile(rf"\b{re.escape(fact.value[:3])}\d\b")
            return not any(map(pattern.search, self._silent_texts(fact)))
        number = re.match(r"\d+", fact.value)
        if fact.value_kind == "number" or (fact.value_kind == "text" and number):
            figure = number.group() if number else fact.value
            word = _WORDS.get(figure, figure)
            pattern = re.compile(rf"(?<![\w.])(?:{re.escape(figure)}|{word})(?!\w)", re.IGNORECASE)
            return not any(map(pattern.search, self._silent_texts(fact)))
        return self._shown_in(fact) <= {
            other.doc_id for other in self._world.facts_naming(fact.relation, fact.value)
        }

    def _has_all_effective(self, value: str) -> bool:
        """Return whether every law said to be effective in the decade is known."""
        stated = {fact.value for fact in self._world.facts_with("law.effective")}
        for document in self._documents.values():
            for month, day, year in _EFFECTIVE.findall(document.text):
                shown = f"{year}-{_MONTHS.index(month) + 1:02}-{int(day):02}"
                if year[:3] == value[:3] and shown not in stated:
                    return False
        return True

    def _has_all_references(self, fact: Fact, number: str) -> bool:
        """Return whether the number of a section stands no oftener than facts and heading say."""
        document = self._documents.get(fact.doc_id)
        if document is None:
            return False
        pattern = re.compile(rf"(?<![\w.$]){re.escape(number)}(?![\w]|\.\d)")
        num_known = len(self._world.facts_naming(fact.relation, fact.value))
        return len(pattern.findall(document.text)) <= num_known + 1

    def _silent_texts(self, fact: Fact) -> list[str]:
        """Return the texts of the genre that state nothing of the relation."""
        speaking = {other.doc_id for other in self._world.facts_with(fact.relation)}
        genre = self._genre(fact)
        return [
            document.text
            for doc_id, document in self._documents.items()
            if document.genre == genre and doc_id not in speaking
        ]

    def _shown_in(self, fact: Fact) -> set[str]:
        """Return the documents of the genre that show the value as whole words."""
        name = re.escape(fact.value.casefold())
        pattern = re.compile(rf"(?<!\w){name}(?!\w)")
        genre = self._genre(fact)
        return {
            doc_id
            for doc_id, document in self._documents.items()
            if document.genre == genre
            and fact.value.casefold() in self._folded[doc_id]
            and pattern.search(self._folded[doc_id])
        }

    def _genre(self, fact: Fact) -> str:
        document = self._documents.get(fact.doc_id)
        return "" if document is None else document.genre


def _plain(name: str) -> str:
    """Return a name without its quotation marks."""
    return name.strip('"').replace('"', "'").casefold()
