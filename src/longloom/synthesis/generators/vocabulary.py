"""The words of one world: its relations and kinds, with phrases for open families.

Extractors word their own relations. Columns and infobox rows are worded by their label, if all
facts of the relation carry the same one; a relation whose facts are labelled differently has no
wording, since a program could not say which of them it means. What a model has read is worded in
`prose_relations.py`.
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from longloom.synthesis.facts import encyclopedia, tables
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.facts.relation import EntityKind, Relation
from longloom.synthesis.generators.prose_relations import PROSE_PREFIX, prose_relation
from longloom.synthesis.programs.world import World

NOT_IN_GRAPH = ("chapter.", "dialogue.")
"""Families that have generators of their own; a name in a novel joins with nothing."""
QUOTED_KINDS = frozenset({"quotation"})
"""Kinds whose names are words of the text, to be put in quotation marks."""

_LABEL = re.compile(r"[^\W\d_][^{}\n]{1,60}")
_OPEN_FAMILIES: Mapping[str, Callable[[Fact], Relation]] = MappingProxyType(
    {"cell.": tables.relation_for, "infobox.": encyclopedia.relation_for}
)
_SINGULAR_BY_PLURAL = MappingProxyType({"are": "is", "have": "has", "were": "was", "do": "does"})
_PLURAL_BY_SINGULAR = MappingProxyType(
    {singular: plural for plural, singular in _SINGULAR_BY_PLURAL.items()}
)
_BASE_VERBS = frozenset(
    (
        *("amend", "ask", "call", "cite", "cover", "define", "describe"),
        *("extend", "give", "import", "inherit", "list", "make", "mention"),
        *("name", "raise", "refer", "renew", "replace", "require", "state"),
        *("supersede", "trade", "update", "use"),
    )
)
_VERB = re.compile(r"^(that|who|which) (\w+)\b(.*)$", re.DOTALL)


class Vocabulary:
    """The relations and kinds of one world."""

    def __init__(
        self, relations: Mapping[str, Relation], kinds: Mapping[str, EntityKind], world: World
    ) -> None:
        self._kinds = kinds
        self._relations: dict[str, Relation] = {}
        self._quoted: set[str] = set()
        for name in world.relations:
            relation = relations.get(name) or _open_relation(name, world)
            if relation is not None and not name.startswith(NOT_IN_GRAPH):
                self._relations[name] = relation
                self._note_quoted(relation, world)

    def _note_quoted(self, relation: Relation, world: World) -> None:
        if QUOTED_KINDS & {relation.subject_kind, relation.value_kind}:
            for fact in world.facts_with(relation.name):
                self._quoted |= {fact.subject} if fact.subject_kind in QUOTED_KINDS else set()
                self._quoted |= {fact.value} if fact.value_kind in QUOTED_KINDS else set()

    def relation(self, name: str) -> Relation | None:
        """Return how a relation is worded, or None if it has no wording."""
        return self._relations.get(name)

    def kind(self, name: str) -> EntityKind:
        """Return how a kind is called; its name with an `s` if nobody says."""
        known = self._kinds.get(name)
        return known or EntityKind(name=name, plural=plural_of(name))

    def name_of(self, entity: str) -> str:
        """Return an entity's name as a sentence says it."""
        return quoted(entity) if entity in self._quoted else entity


def quoted(text: str) -> str:
    """Return text in quotation marks, unless it has its own."""
    return text if '"' in text or text[:1] in "\u201c'\u2018" else f'"{text}"'


def plural_of(noun: str) -> str:
    """Return the regular plural of a noun."""
    if noun.endswith("y") and noun[-2:-1] not in tuple("aeiou"):
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("s", "x", "ch", "sh")) else f"{noun}s"


def agreed(clause: str, *, is_plural: bool) -> str:
    """Return a clause whose verb agrees with one or several subjects: `that mentions`."""
    match = _VERB.match(clause)
    if match is None:
        return clause
    pronoun, verb, rest = match.groups()
    if is_plural:
        verb = _PLURAL_BY_SINGULAR.get(verb, verb)
        verb = verb[:-1] if verb[:-1] in _BASE_VERBS and verb.endswith("s") else verb
        rest = re.sub(r"^ itself\b", " themselves", rest)
    else:
        verb = _SINGULAR_BY_PLURAL.get(verb, verb)
        verb = f"{verb}s" if verb in _BASE_VERBS else verb
    return f"{pronoun} {verb}{rest}"


def _open_relation(name: str, world: World) -> Relation | None:
    """Make phrases from the label that the documents give a relation of an open family."""
    facts = world.facts_with(name)
    label = facts[0].label.strip()
    if not _LABEL.fullmatch(label) or any(fact.label.strip() != label for fact in facts):
        return None
    if name.startswith(PROSE_PREFIX):
        spoken_of = {fact.subject for fact in facts}
        is_of_pages = any(
            fact.subject in spoken_of for fact in world.facts if fact.subject_kind == "page"
        )
        return prose_relation(facts, is_of_pages=is_of_pages)
    for prefix, relation_for in _OPEN_FAMILIES.items():
        if name.startswith(prefix):
            return relation_for(facts[0])
    return Relation(
        name=name,
        subject_kind=facts[0].subject_kind,
        value_kind=facts[0].value_kind,
        question=f'What do the documents give as "{label}" for {{x}}?',
        noun=f'the "{label}" of {{x}}',
        clause=f'with {{v}} as "{label}"',
    )
