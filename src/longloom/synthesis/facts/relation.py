"""What a relation is and how it is worded."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A kind of statement, with the phrases that questions are made of.

    `{x}` stands for a description of the subject (`PEP 440`, `the PEP written by Paul Moore`),
    `{v}` for the value or a coarser description of it. Dates come with their preposition (`in
    2019`, `on 3 May 2019`, `in the second half of the 2010s`); numbers as `12` or `between 10 and
    20`.
    """

    name: str
    """Unique name with its genre: `pep.author`."""
    subject_kind: str
    """Kind of entity it speaks about, as questions say it: `PEP`."""
    value_kind: str
    """`date`, `number`, `text`, or a kind of entity."""
    question: str
    """`Who wrote {x}?`: asks for the value."""
    noun: str
    """`the author of {x}`: names the value inside a longer question."""
    clause: str
    """`written by {v}`: follows `the PEP` or `PEPs` and picks subjects by value."""
    is_functional: bool = True
    """Whether a subject normally has one value."""
    is_key: bool = False
    """Whether the value nearly names its subject (a title, a number), so that it is no
    obfuscation and never an answer worth asking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityKind:
    """How entities of a kind are called."""

    name: str
    """`PEP`, `person`; with the article it takes: see `article`."""
    plural: str
    """`PEPs`, `people`."""
    article: str = "a"
    """`a` or `an`."""
    is_document: bool = False
    """Whether an entity of this kind is a document, so that a context holds it or does not."""
