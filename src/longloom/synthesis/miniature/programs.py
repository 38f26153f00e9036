"""Questions as programs over the facts of one context.

    Chain(OrderedDict, inherits, defined_in)     the module of the base of OrderedDict
    Sum(Chain(f, parameters), Chain(g, parameters)), Difference, Maximum
    Choice(chain, options)                       the letter of the option the chain answers with
    Reply(topic, ordinal)                        the n-th reply to a request in a transcript

A chain step is a set-valued look-up. `execute` returns every answer; callers accept exactly one.
Nothing is evaluated: programs are records, and JSON is read back into the same records.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from longloom.errors import DataError
from longloom.synthesis.miniature.fact import Fact
from longloom.synthesis.miniature.facts.relations import relation_named

LETTERS = "ABCD"
"""Letters of the options of a multiple-choice question."""


@dataclass(frozen=True, slots=True)
class Chain:
    """Follow relations from a subject; one relation is a look-up."""

    subject: str
    """Where the chain starts."""
    relations: tuple[str, ...]
    """Relation names in the order in which they are followed."""


@dataclass(frozen=True, slots=True)
class Sum:
    """The sum of two numbers."""

    first: Chain
    """Chain to the first number."""
    second: Chain
    """Chain to the second number."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The first number minus the second."""

    first: Chain
    """Chain to the first number."""
    second: Chain
    """Chain to the second number."""


@dataclass(frozen=True, slots=True)
class Maximum:
    """The larger of two numbers."""

    first: Chain
    """Chain to the first number."""
    second: Chain
    """Chain to the second number."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The letter of the option that a chain answers with."""

    chain: Chain
    """The question."""
    options: tuple[str, ...]
    """The options in letter order."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The n-th reply to requests about a topic."""

    topic: str
    """What the user asked about."""
    ordinal: int
    """1 for the first."""


Program = Chain | Choice | Difference | Maximum | Reply | Sum
Numeric = Difference | Maximum | Sum

_NUMERIC_CLASSES: dict[str, type[Difference] | type[Maximum] | type[Sum]] = {
    "difference": Difference,
    "maximum": Maximum,
    "sum": Sum,
}

_COMBINE: Mapping[type, Callable[[Decimal, Decimal], Decimal]] = {
    Difference: lambda first, second: first - second,
    Maximum: lambda first, second: max(first, second),
    Sum: lambda first, second: first + second,
}


class FactTable:
    """The facts of one context, in the order of its text, with look-up by key."""

    __slots__ = ("_by_key", "facts")

    def __init__(self, facts: Iterable[Fact]) -> None:
        self.facts: tuple[Fact, ...] = tuple(facts)
        by_key: dict[tuple[str, str], list[Fact]] = {}
        for fact in self.facts:
            by_key.setdefault((fact.relation, fact.subject), []).append(fact)
        self._by_key = by_key

    def stating(self, relation: str, subject: str) -> list[Fact]:
        """Return the facts with this key, in order."""
        return self._by_key.get((relation, subject), [])

    def without(self, left_out: Iterable[Fact]) -> "FactTable":
        """Return the table without some facts."""
        dropped = {(fact.doc_id, fact.start) for fact in left_out}
        return FactTable(fact for fact in self.facts if (fact.doc_id, fact.start) not in dropped)


def execute(program: Program, facts: FactTable) -> frozenset[str]:
    """Return every answer of `program` on `facts`; none if a step finds nothing."""
    if isinstance(program, Chain):
        return _follow(program, facts)
    if isinstance(program, Choice):
        found = _follow(program.chain, facts)
        return frozenset(
            letter
            for letter, option in zip(LETTERS, program.options, strict=False)
            if option in found
        )
    if isinstance(program, Reply):
        replies = _replies(program, facts)
        in_range = 0 < program.ordinal <= len(replies)
        return frozenset([_stated(replies[program.ordinal - 1])] if in_range else [])
    return _combine(program, facts)


def _follow(chain: Chain, facts: FactTable) -> frozenset[str]:
    nodes = frozenset([chain.subject])
    for relation in chain.relations:
        nodes = frozenset(
            fact.value for subject in nodes for fact in facts.stating(relation, subject)
        )
    return nodes


def _combine(program: Numeric, facts: FactTable) -> frozenset[str]:
    combine = _COMBINE[type(program)]
    return frozenset(
        number_text(combine(Decimal(first), Decimal(second)))
        for first in _follow(program.first, facts)
        for second in _follow(program.second, facts)
        if _is_decimal(first) and _is_decimal(second)
    )


def _is_decimal(text: str) -> bool:
    return text.removeprefix("-").replace(".", "", 1).isdecimal()


def number_text(number: Decimal) -> str:
    """Return a number without exponent and without trailing zeros."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _replies(program: Reply, facts: FactTable) -> list[Fact]:
    return [fact for fact in facts.facts if relation_named(fact.relation).topic == program.topic]


def _stated(fact: Fact) -> str:
    return f"{relation_named(fact.relation).word} {fact.subject} {fact.value}"


def trace(program: Program, facts: FactTable) -> tuple[Fact, ...]:
    """Return the facts that `program` uses, in the order in which it uses them."""
    if isinstance(program, Chain):
        return _trace_chain(program, facts)
    if isinstance(program, Choice):
        return _trace_chain(program.chain, facts)
    if isinstance(program, Reply):
        replies = _replies(program, facts)
        return tuple(replies[program.ordinal - 1 : program.ordinal])
    return (*_trace_chain(program.first, facts), *_trace_chain(program.second, facts))


def _trace_chain(chain: Chain, facts: FactTable) -> tuple[Fact, ...]:
    used: list[Fact] = []
    nodes = [chain.subject]
    for relation in chain.relations:
        step = [fact for subject in nodes for fact in facts.stating(relation, subject)]
        used += step
        nodes = list(dict.fromkeys(fact.value for fact in step))
    return tuple(used)


def to_json(program: Program) -> str:
    """Return `program` as one line of JSON."""
    return json.dumps(_as_mapping(program), separators=(",", ":"), ensure_ascii=False)


def _as_mapping(program: Program) -> dict[str, object]:
    if isinstance(program, Chain):
        relations = list(program.relations)
        return {"kind": "chain", "subject": program.subject, "relations": relations}
    if isinstance(program, Choice):
        options = list(program.options)
        return {"kind": "choice", "chain": _as_mapping(program.chain), "options": options}
    if isinstance(program, Reply):
        return {"kind": "reply", "topic": program.topic, "ordinal": program.ordinal}
    return {
        "kind": type(program).__name__.lower(),
        "first": _as_mapping(program.first),
        "second": _as_mapping(program.second),
    }


def from_json(text: str) -> Program:
    """Read a program back.

    Raises:
        DataError: the text is not the JSON of a program.
    """
    try:
        return _from_mapping(json.loads(text))
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise DataError(
            f"program {text[:80]!r} cannot be read ({type(error).__name__}: {error}); expected the "
            "JSON that synthesis writes"
        ) from None


def _from_mapping(fields: Mapping[str, object]) -> Program:
    kind = fields["kind"]
    if kind == "chain":
        return _chain(fields)
    if kind == "choice":
        return Choice(_chain(_mapping(fields["chain"])), _texts(fields["options"]))
    if kind == "reply":
        topic, ordinal = fields["topic"], fields["ordinal"]
        if not isinstance(topic, str) or type(ordinal) is not int:
            raise ValueError("topic must be text and ordinal a whole number")
        return Reply(topic, ordinal)
    numeric = _NUMERIC_CLASSES.get(str(kind))
    if numeric is None:
        raise ValueError(f"unknown kind {kind!r}")
    return numeric(_chain(_mapping(fields["first"])), _chain(_mapping(fields["second"])))


def _chain(fields: Mapping[str, object]) -> Chain:
    subject = fields["subject"]
    if fields["kind"] != "chain" or not isinstance(subject, str):
        raise ValueError("a chain needs a subject")
    return Chain(subject, _texts(fields["relations"]))


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise ValueError(f"{value!r} is not an object")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise ValueError(f"{value!r} is not a list of texts")
    return tuple(value)
