"""The amounts of filings that questions may speak of, by company, line and period.

A line is used if a reader can find it without doubt: no dimensions, worded by the filing itself,
stated in one document with one value, its sign as displayed, no other amount of the company under
the same words and period.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from random import Random

from longloom.records import Document
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.generators.draft import Setting
from longloom.synthesis.programs.numeric import Number, flat

PREFIX = "filing."
_UNITS = frozenset({"USD", "USD/share", "shares", "%"})
_UNASKED = re.compile(
    r"ParOrStated|Authorized|^NumberOf|EntityCommonStock|EntityPublicFloat|SharesIssued|"
    r"PreferredStock|StatutoryIncomeTaxRate|StatedPercentage"
)
_NOTE = re.compile(
    r"\s*\((?:see )?notes? [^)]{1,20}\)|,? (?:beginning|ending) balances?$|"
    r",? (?:at |- )?(?:the )?(?:beginning|end) of (?:the )?(?:year|period|quarter)s?$",
    re.IGNORECASE,
)
_VAGUE = re.compile(
    r"(?:sub)?total(?: (?:non-?)?current| deferred| long-term| short-term| net| other)?|"
    r"other(?:, net)?|net|balance|(?:net )?(?:carrying )?amount|change|various|increase|decrease|"
    r"(?:non-?)?current|deferred|thereafter|(?:u\.s\. )?(?:federal|state|foreign).{0,12}",
    re.IGNORECASE,
)
_MAX_LABEL_CHARACTERS = 90
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_DURATIONS = (
    (range(355, 376), "year", "for the fiscal year ended"),
    (range(84, 99), "quarter", "for the three months ended"),
    (range(175, 190), "half", "for the six months ended"),
    (range(265, 281), "nine months", "for the nine months ended"),
)
_DAYS_APART = range(350, 381)


@dataclass(frozen=True, slots=True)
class Line:
    """One amount of a filing."""

    fact: Fact
    """What states it."""
    label: str
    """What the filing calls it."""
    duration: str
    """`year`, `quarter`, `half`, `nine months`, or `instant`."""
    prefix: str
    """`for the fiscal year ended`, `as of`."""

    @property
    def value(self) -> Decimal:
        """The amount in units."""
        return Decimal(self.fact.value)

    @property
    def year(self) -> str:
        """The year in which its period ends."""
        return self.fact.period_end[:4]

    @property
    def day(self) -> str:
        """The last day of its period in words."""
        return worded_day(self.fact.period_end)

    @property
    def period(self) -> str:
        """Its period in words."""
        return f"{self.prefix} {self.day}"

    @property
    def interval(self) -> str:
        """Its period as nodes store it."""
        return f"{self.fact.period_start}/{self.fact.period_end}"

    @property
    def noun(self) -> str:
        """The amount in words, with company and period."""
        return f'{self.owner} "{self.label}" {self.period}'

    @property
    def owner(self) -> str:
        """The company in the possessive."""
        return possessive(self.fact.subject)

    @property
    def number(self) -> Number:
        """The node that looks it up."""
        fact = self.fact
        return Number(
            fact.subject, fact.relation, fact.unit, fact.period_start, fact.period_end, flat(fact)
        )


def worded_day(day: str) -> str:
    """Return an ISO day as filings write it: `September 28, 2024`."""
    year, month, number = day.split("-")
    return f"{_MONTHS[int(month) - 1]} {int(number)}, {year}"


def possessive(name: str) -> str:
    """Return `Apple Inc.'s`, `Union Pacific Railways'`."""
    return f"{name}'" if name.endswith("s") else f"{name}'s"


class FilingLines:
    """The usable amounts of a context."""

    def __init__(self, setting: Setting) -> None:
        found = _usable(setting)
        self.lines: Sequence[Line] = found
        self._by_line: dict[tuple[str, str, str], list[Line]] = defaultdict(list)
        self._peers: dict[tuple[str, str, str], dict[str, list[Line]]] = defaultdict(dict)
        self._statements: dict[tuple[str, str], list[Line]] = defaultdict(list)
        for line in found:
            fact = line.fact
            self._by_line[fact.subject, fact.relation, line.duration].append(line)
            peers = self._peers[fact.relation, line.duration, line.year]
            peers.setdefault(fact.subject, []).append(line)
            self._statements[fact.subject, line.interval].append(line)
        self.series = [one for lines in self._by_line.values() if (one := _yearly(lines))]
        self.crowds = [
            [lines[0] for lines in by_subject.values()]
            for by_subject in self._peers.values()
            if len(by_subject) > 1
            and len({lines[0].fact.unit for lines in by_subject.values()}) == 1
        ]

    def crowd(self, rng: Random, least: int, *, flows: bool = False) -> list[Line] | None:
        """Draw at least so many companies' amounts of one concept in one year."""
        fitting = [
            lines
            for lines in self.crowds
            if len(lines) >= least and (not flows or lines[0].duration == "year")
        ]
        if not fitting:
            return None
        lines = list(rng.choice(fitting))
        rng.shuffle(lines)
        return lines[: rng.randint(least, len(lines))]

    def run(self, rng: Random, least: int, *, flows: bool = False) -> list[Line] | None:
        """Draw at least so many years of one line of one company, in order."""
        fitting = [
            lines
            for lines in self.series
            if len(lines) >= least and (not flows or lines[0].duration == "year")
        ]
        return list(rng.choice(fitting)) if fitting else None

    def statement(self, line: Line) -> Sequence[Line]:
        """Return the other amounts of the same company and period."""
        return self._statements[line.fact.subject, line.interval]

    def same(self, line: Line, relation: str) -> Line | None:
        """Return another amount of the same company and period by its relation."""
        for other in self.statement(line):
            if other.fact.relation == relation and other.fact.unit == line.fact.unit:
                return other
        return None

    def runs_of(self, relation: str, duration: str) -> list[list[Line]]:
        """Return the yearly runs of a concept, one a company."""
        return [
            lines
            for lines in self.series
            if lines[0].fact.relation == relation and lines[0].duration == duration
        ]


def _usable(setting: Setting) -> list[Line]:
    facts_by_key: dict[tuple[str, ...], list[Fact]] = defaultdict(list)
    values_by_words: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for fact in setting.world.facts:
        if not fact.relation.startswith(PREFIX) or fact.value_kind != "number":
            continue
        if fact.qualifiers or not fact.period_end:
            continue
        label = clean_label(fact.label)
        values_by_words[
            fact.subject, label.lower(), fact.period_start, fact.period_end, fact.unit
        ].add(fact.value)
        key = (fact.subject, fact.relation, fact.unit, fact.period_start, fact.period_end)
        facts_by_key[key].append(fact)
    lines = []
    for facts in facts_by_key.values():
        line = _line(facts, setting.documents)
        if line is None:
            continue
        first = line.fact
        words = (
            first.subject,
            line.label.lower(),
            first.period_start,
            first.period_end,
            first.unit,
        )
        if len(values_by_words[words]) == 1:
            lines.append(line)
    return lines


def _line(facts: Sequence[Fact], documents: Mapping[str, Document]) -> Line | None:
    first = facts[0]
    is_single = len({fact.value for fact in facts}) == len({fact.doc_id for fact in facts}) == 1
    name = first.relation.removeprefix(PREFIX)
    if not is_single or first.unit not in _UNITS or _UNASKED.search(name):
        return None
    label = clean_label(first.label)
    if not _is_clear_label(label, name) or not all(
        _is_displayed_with_sign(fact, documents) for fact in facts
    ):
        return None
    duration = _duration(first)
    return None if duration is None else Line(first, label, *duration)


def clean_label(label: str) -> str:
    """Return a label without the notes it refers to."""
    return _NOTE.sub("", label).strip(" :,")


def _is_clear_label(label: str, concept: str) -> bool:
    words = re.findall(r"[A-Za-z]{2,}", label)
    # A label made of the words of the concept is in no document; `Long-term debt` may well be.
    is_fallback = " " in label and label.lower().replace(" ", "") == concept.lower()
    return (
        4 <= len(label) <= _MAX_LABEL_CHARACTERS
        and bool(words)
        and not is_fallback
        and not _VAGUE.fullmatch(label)
        and '"' not in label
    )


def _is_displayed_with_sign(fact: Fact, documents: Mapping[str, Document]) -> bool:
    """Whether a reader sees the sign that the markup gives: brackets mean below zero."""
    document = documents.get(fact.doc_id)
    if document is None:
        return False
    shown = document.text[max(0, fact.start - 2) : fact.end]
    looks_negative = "(" in shown or "-" in shown or "\u2212" in shown
    return looks_negative == fact.value.startswith("-")


def _duration(fact: Fact) -> tuple[str, str] | None:
    try:
        end = date.fromisoformat(fact.period_end)
        if not fact.period_start:
            return "instant", "as of"
        num_days = (end - date.fromisoformat(fact.period_start)).days + 1
    except ValueError:
        return None
    for days, name, prefix in _DURATIONS:
        if num_days in days:
            return name, prefix
    return None


def _yearly(lines: Sequence[Line]) -> list[Line]:
    """Return the longest chain of periods a year apart, in order; empty if there are not two."""
    if lines[0].duration not in ("year", "instant"):
        return []
    ordered = sorted(lines, key=lambda line: line.fact.period_end)
    best: list[Line] = []
    for last in range(len(ordered) - 1, 0, -1):
        chain = [ordered[last]]
        for line in reversed(ordered[:last]):
            gap = date.fromisoformat(chain[-1].fact.period_end) - date.fromisoformat(
                line.fact.period_end
            )
            if gap.days in _DAYS_APART and line.year != chain[-1].year:
                chain.append(line)
        if len(chain) > max(1, len(best)):
            best = chain[::-1]
    return best
