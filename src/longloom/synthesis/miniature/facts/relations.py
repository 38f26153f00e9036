"""The table of relations: how each is stated in a document and named in a question.

A statement is three words on one line, `WORD SUBJECT VALUE`, the value directly after its key.
Relations that are not in the table are table columns: the column's name is both word and phrase.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_RESERVED_CHARACTERS = re.compile(r"\s+")


class ValueType(StrEnum):
    """What the values of a relation are."""

    NAME = "name"
    NUMBER = "number"


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """One kind of fact."""

    name: str
    """Name used in `Fact.relation` and in programs."""
    word: str
    """First word of its statements."""
    phrase: str
    """Noun phrase in questions: `the PHRASE of SUBJECT`."""
    is_functional: bool
    """Whether a subject has one value by nature; others may have several."""
    value_type: ValueType
    """What its values are; see `states_number` for table columns."""
    topic: str
    """What a user of the dialogue task says to be told such a fact; empty if never asked."""


def _relation(
    name: str,
    word: str,
    *,
    functional: bool,
    topic: str = "",
    number: bool = False,
    phrase: str = "",
) -> Relation:
    return Relation(
        name=name,
        word=word,
        phrase=phrase or word,
        is_functional=functional,
        value_type=ValueType.NUMBER if number else ValueType.NAME,
        topic=topic,
    )


RELATIONS: dict[str, Relation] = {
    relation.name: relation
    for relation in (
        _relation("calls", "callee", functional=False, topic="call"),
        _relation("default", "default", functional=True),
        _relation("defined_in", "module", functional=True, topic="place"),
        _relation("imports", "imports", functional=False),
        _relation("inherits", "base", functional=False, topic="class"),
        _relation("licence", "licence", functional=True, topic="licence"),
        _relation("links", "link", functional=False, topic="link"),
        _relation("overrides", "overrides", functional=True),
        _relation(
            "parameters",
            "parameters",
            functional=True,
            topic="function",
            number=True,
            phrase="parameter count",
        ),
        _relation("raises", "error", functional=False, topic="error"),
        _relation("related", "related", functional=False, topic="topic"),
        _relation("requires", "requires", functional=False, topic="package"),
        _relation("version", "version", functional=True, topic="version"),
    )
}
"""All relations with a meaning of their own, by name."""

_NAME_BY_WORD = {relation.word: relation.name for relation in RELATIONS.values()}


@cache
def relation_named(name: str) -> Relation:
    """Return the relation called `name`; an unknown name is a table column."""
    known = RELATIONS.get(name)
    return known or _relation(name, name, functional=True, topic=name)


def relation_of_word(word: str) -> str:
    """Return the relation name that statements beginning with `word` state."""
    return _NAME_BY_WORD.get(word, word)


def as_word(text: str) -> str:
    """Return `text` as one word: blanks inside it become underscores."""
    return _RESERVED_CHARACTERS.sub("_", text.strip())


def statement(relation: str, subject: str, value: str) -> str:
    """Return the line that states `relation(subject) = value`."""
    return f"{relation_named(relation).word} {as_word(subject)} {as_word(value)}"


def states_number(relation: str, value: str) -> bool:
    """Return whether `value` is a plain decimal number that `relation` means as one.

    A version such as 2.0 is a name; in a table column whatever looks like a number is one.
    """
    known = RELATIONS.get(relation)
    may_be_number = known is None or known.value_type is ValueType.NUMBER
    return may_be_number and looks_like_number(value)


def looks_like_number(value: str) -> bool:
    """Return whether `value` is written as a plain decimal number."""
    return _NUMBER.fullmatch(value) is not None
