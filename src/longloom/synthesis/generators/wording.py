"""Wording: descriptions and clauses in plain English, from programs and the phrases of relations.

    Only(Described("PEP", (Equals("pep.author", "Ada"), InYears("pep.created", 2010, 5))))
        -> "the PEP written by Ada and created in the first half of the 2010s"

A description is worded from the program that finds it, so that both always say the same. What has
no readable wording gives None, and the question is not asked.
"""

import re
from collections.abc import Mapping, Sequence

from longloom.synthesis.facts.relation import Relation
from longloom.synthesis.generators.vocabulary import Vocabulary, agreed, quoted
from longloom.synthesis.programs.graph import Described, Filter, Follow, Inverse, Named, Only, Other
from longloom.synthesis.programs.node import Program
from longloom.synthesis.programs.predicates import (
    After,
    Before,
    Equals,
    InBand,
    InMonth,
    InYears,
    Role,
    to_decimal,
)

_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_RELATIVE = ("that ", "which ", "who ", "whose ", "for which ", "in which ", "to which ")
_ISO_DATE = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?")
_PLAIN_KINDS = frozenset({"date", "number", "text"})

_NOUN_BEFORE = re.compile(r"\bthe (?:imported )?((?:control )?\w+) $")
_WITH_ARTICLE = ("Bahamas", "Czech Republic", "Gambia", "Netherlands", "Philippines", "United ")

_MAX_PLAIN_CHARACTERS = 40
_MAX_WORDS_AFTER = 2

Known = Mapping[Program, str]
"""Programs that an earlier sentence has introduced, with what to call their answer."""


def value_text(value: str, value_kind: str) -> str:
    """Return a value as a clause says it: dates with their preposition, numbers with commas."""
    if value_kind == "date":
        return date_text(value)
    if value_kind == "number":
        return number_text(value)
    return value


def date_text(value: str) -> str:
    """Return `in 2019`, `in May 2019` or `on 3 May 2019`; other text unchanged."""
    if not _ISO_DATE.fullmatch(value):
        return value
    year, month, day = value[:4], value[5:7], value[8:]
    if not month or not 1 <= int(month) <= 12:
        return f"in {year}"
    name = _MONTHS[int(month) - 1]
    return f"on {int(day)} {name} {year}" if day else f"in {name} {year}"


def number_text(value: str) -> str:
    """Return a plain decimal with commas."""
    number = to_decimal(value)
    return value if number is None else f"{number:,f}"


def years_text(first: int, num_years: int) -> str:
    """Return the preposition and the name of some years."""
    if num_years == 1:
        return f"in {first}"
    if num_years == 10:
        return f"in the {first}s"
    half = "first" if first % 10 < 5 else "second"
    return f"in the {half} half of the {first - first % 10}s"


def listed(names: Sequence[str], last: str = "and") -> str:
    """Return `a, b and c`."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}"


def joined_clauses(said: Sequence[str], *, is_plural: bool) -> str:
    """Return clauses as they follow a noun: short ones first, relative clauses last."""
    clauses = [agreed(clause, is_plural=is_plural) for clause in said]
    short = [clause for clause in clauses if not clause.startswith(_RELATIVE)]
    relative = [clause for clause in clauses if clause.startswith(_RELATIVE)]
    # The clause with a nested description goes last, so that what follows it is not its own.
    short.sort(key=lambda clause: " the " in clause and len(clause) > _MAX_PLAIN_CHARACTERS)
    parts = [listed(short)] if short else []
    return " ".join([*parts, *([" and ".join(relative)] if relative else [])])


def _is_ambiguous(clauses: Sequence[str]) -> bool:
    """Return whether a clause with a description of its own stands before a relative clause."""
    is_nested = any(
        len(clause) > _MAX_PLAIN_CHARACTERS
        and " the " in clause
        and not clause.startswith(_RELATIVE)
        for clause in clauses
    )
    return is_nested and any(clause.startswith(_RELATIVE) for clause in clauses)


class Phraser:
    """Words programs of one world."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary

    def clause(self, predicate: Program, known: Known) -> str | None:
        """Return a predicate as a clause that follows the noun."""
        relation = self.vocabulary.relation(getattr(predicate, "relation", ""))
        if relation is None or "{v}" not in relation.clause:
            return None
        match predicate:
            case Equals(value=value):
                said: str | None = self._value(value, relation)
            case InMonth(month=month):
                said = date_text(month)
            case InYears(first=first, num_years=num_years):
                said = years_text(first, num_years)
            case Before(date=date):
                said = f"before {_bare_date(date)}"
            case After(date=date):
                said = f"after {_bare_date(date)}"
            case InBand(low=low, high=high) if "least" not in relation.clause:
                said = f"between {number_text(low)} and {number_text(high)}"
            case Role(of=of):
                said = self.noun_phrase(of, known)
            case _:
                said = None
        if said is not None and relation.name.startswith("infobox."):
            said = _as_entry(predicate, said, relation)
        return None if said is None else filled(relation.clause, "{v}", said)

    def clauses(self, predicates: Sequence[Program], known: Known) -> list[str] | None:
        """Return all predicates as clauses, or None if one has no wording."""
        worded = [self.clause(predicate, known) for predicate in predicates]
        return None if None in worded else [clause for clause in worded if clause]

    def noun_phrase(self, program: Program, known: Known) -> str | None:
        """Return a definite description of a program's one answer."""
        if program in known:
            return known[program]
        match program:
            case Named(entity=entity):
                return self.vocabulary.name_of(entity)
            case Only(of=Follow(of=of, relation=name)):
                return self.value_phrase(of, name, known)
            case Only(of=of):
                return self._the_only(of, known)
            case _:
                return None

    def value_phrase(self, of: Program, name: str, known: Known) -> str | None:
        """Return the name of a relation's value: `the author of PEP 440`."""
        relation, subject = self.vocabulary.relation(name), self.noun_phrase(of, known)
        if relation is None or subject is None or relation_head(relation) == relation.noun:
            return None
        phrase = filled(relation_head(relation), "{x}", subject)
        return None if phrase is None else f"the {phrase}"

    def kind_of(self, program: Program) -> str | None:
        """Return the kind of entity a program answers; None if it cannot be told."""
        match program:
            case Described(kind=kind):
                return kind
            case Inverse(relation=name):
                relation = self.vocabulary.relation(name)
                return relation.subject_kind if relation else None
            case Follow(relation=name):
                relation = self.vocabulary.relation(name)
                is_entity = relation is not None and relation.value_kind not in _PLAIN_KINDS
                return relation.value_kind if relation and is_entity else None
            case Only(of=of) | Filter(of=of) | Other(of=of):
                return self.kind_of(of)
            case _:
                return None

    def set_clauses(self, program: Program, known: Known) -> list[str] | None:
        """Return the clauses that describe a set of one kind, as they follow its noun.

        None too if a reader could not tell what the last clause belongs to.
        """
        clauses = self._set_clauses(program, known)
        return None if clauses is None or _is_ambiguous(clauses) else clauses

    def _set_clauses(self, program: Program, known: Known) -> list[str] | None:
        match program:
            case Described(predicates=predicates):
                return self.clauses(predicates, known)
            case Filter(of=of, predicates=predicates):
                inner, own = self._set_clauses(of, known), self.clauses(predicates, known)
                return None if inner is None or own is None else [*own, *inner]
            case Other(of=of):
                return self._set_clauses(of, known)
            case Inverse(of=of, relation=name):
                relation, value = self.vocabulary.relation(name), self.noun_phrase(of, known)
                if relation is None or value is None or "{v}" not in relation.clause:
                    return None
                clause = filled(relation.clause, "{v}", value)
                return None if clause is None else [clause]
            case Follow(of=of, relation=name):
                return self._followed(of, name, known)
            case _:
                return None

    def _followed(self, of: Program, name: str, known: Known) -> list[str] | None:
        """Return what follows the kind in `the PEP that {x} cites`, if its noun is of that form."""
        relation, subject = self.vocabulary.relation(name), self.noun_phrase(of, known)
        if relation is None or subject is None:
            return None
        head = f"{relation.value_kind} "
        phrase = relation_head(relation)
        if not phrase.startswith(head):
            return None
        clause = filled(phrase.removeprefix(head), "{x}", subject)
        return None if clause is None else [clause]

    def _value(self, value: str, relation: Relation) -> str:
        """Return a value inside a clause; a title or several words stand in quotation marks."""
        if relation.value_kind == "country" and value.startswith(_WITH_ARTICLE):
            return f"the {value}"
        if relation.value_kind != "text":
            said = value_text(value, relation.value_kind)
            return self.vocabulary.name_of(said)
        if '"{v}"' in relation.clause:
            return value.replace('"', "'")
        is_title = relation.clause.startswith(("entitled ", "headed ", "titled "))
        return quoted(value) if is_title or len(value.split()) > 2 else value

    def _the_only(self, of: Program, known: Known) -> str | None:
        kind, clauses = self.kind_of(of), self.set_clauses(of, known)
        if kind is None or not clauses:
            return None
        article = "the other" if _leaves_out(of) else "the"
        return f"{article} {kind} {joined_clauses(clauses, is_plural=False)}"


def filled(template: str, place: str, said: str) -> str | None:
    """Return a phrase with its place filled.

    None if a long description would stand in the middle: `the PEP that the PEP that cites PEP 8
    names as related` is no English.
    """
    before, _, after = template.partition(place)
    noun = _NOUN_BEFORE.search(before)
    if noun is not None and re.match(rf"(?:(?:the|that|the other) )?{noun.group(1)} ", f"{said} "):
        # `defining the function the function that ...`: the description has its noun already.
        before = before[: noun.start()]
    is_late = len(after.split()) <= _MAX_WORDS_AFTER
    is_brief = len(said) <= _MAX_PLAIN_CHARACTERS or not said.startswith("the ")
    return f"{before}{said}{after}" if is_late or is_brief else None


def _as_entry(predicate: Program, said: str, relation: Relation) -> str:
    """Return a date or a span of numbers as what an infobox gives: `a date in the 1970s`."""
    match predicate:
        case InBand():
            return f"a number {said}"
        case Equals(value=value) if relation.value_kind == "date":
            return f"the {'year' if len(value) == 4 else 'date'} {_bare_date(value)}"
        case InMonth() | InYears() | Before() | After():
            return f"a date {said}"
        case _:
            return said


def relation_head(relation: Relation) -> str:
    """Return a relation's noun without its article: `author of {x}`."""
    return re.sub(r"^(?:the|an?|another) ", "", relation.noun)


def _leaves_out(program: Program) -> bool:
    match program:
        case Other():
            return True
        case Filter(of=of):
            return _leaves_out(of)
        case _:
            return False


def _bare_date(value: str) -> str:
    return date_text(value).split(" ", 1)[-1]
