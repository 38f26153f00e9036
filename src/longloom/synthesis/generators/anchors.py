"""Anchors: what a world says about its entities, and the fewest predicates that single one out.

    Scene(world, vocabulary).describe("PEP 440", rng)
        -> Only(Described("PEP", (Equals("pep.author", "Ada"), InYears("pep.created", 2010, 5))))

Descriptions replace names (the paper's obfuscation, QwenLong-L1.5, section 3); each predicate is
then coarsened as far as the description still fits one entity of the world.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from random import Random
from types import MappingProxyType

from longloom.records import Document
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.generators.completeness import Completeness
from longloom.synthesis.generators.prose_relations import is_followable, is_read
from longloom.synthesis.generators.vocabulary import QUOTED_KINDS, Vocabulary
from longloom.synthesis.generators.wording import Phraser
from longloom.synthesis.programs.coarsening import coarsen, date_rungs, ladder
from longloom.synthesis.programs.graph import (
    Described,
    Filter,
    Follow,
    Inverse,
    Named,
    Only,
    Other,
)
from longloom.synthesis.programs.node import Program
from longloom.synthesis.programs.predicates import Equals, Role
from longloom.synthesis.programs.world import World

PLAIN_KINDS = frozenset({"date", "number", "text"})
"""Kinds of value that are no entities."""

_MAX_VALUE_CHARACTERS = 70
_MAX_PREDICATES = 3
_MAX_ATTRIBUTES = 14
_MAX_ENTITIES = 4_000
_MAX_COMBINATIONS = 8
_MAX_ANSWER_WORDS = 8


class Scene:
    """The entities of a world, with what describes, joins and answers; built once per context."""

    def __init__(
        self,
        world: World,
        vocabulary: Vocabulary,
        documents: Mapping[str, Document] = MappingProxyType({}),
    ) -> None:
        self.world = world
        self.vocabulary = vocabulary
        self.completeness = Completeness(world, documents)
        self.phraser = Phraser(vocabulary)
        self.facts_by_entity: dict[str, list[Fact]] = {}
        self.kind_by_entity: dict[str, str] = {}
        self._holders: dict[tuple[str, str], frozenset[str]] = {}
        self._descriptions: dict[str, list[Program]] = {}
        self._narrowings: dict[tuple[str, frozenset[str]], tuple[Program, ...] | None] = {}
        self.cells: list[Fact] = []
        self._attributes: dict[str, list[Fact]] = {}
        self._values: dict[str, dict[str, Fact]] = {}
        # What a model read of an entity comes last: its kind is what a document asserts.
        for fact in sorted(world.facts, key=is_read):
            self._note(fact)
        self.entities = tuple(self.facts_by_entity)
        by_kind: dict[str, list[str]] = {}
        for entity, kind in self.kind_by_entity.items():
            by_kind.setdefault(kind, []).append(entity)
        self._entities_by_kind = tuple(tuple(entities) for entities in by_kind.values())

    def some_entity(self, rng: Random) -> str:
        """Draw an entity; each kind has its turn, so that sections do not crowd out contracts."""
        group = rng.choice(self._entities_by_kind)
        return rng.choice(group)

    def _note(self, fact: Fact) -> None:
        if not is_askable(fact) or self.vocabulary.relation(fact.relation) is None:
            return
        if fact.subject_kind == "row":
            # Rows have no description that a reader would recognise: they are only looked up.
            if any(letter.isalpha() for letter in fact.subject) and is_short(fact.subject):
                self.cells.append(fact)
            return
        if fact.subject not in self.facts_by_entity:
            if len(self.facts_by_entity) == _MAX_ENTITIES:
                return
            self.facts_by_entity[fact.subject] = []
            self.kind_by_entity[fact.subject] = fact.subject_kind
        self.facts_by_entity[fact.subject].append(fact)

    def attributes(self, entity: str) -> list[Fact]:
        """Return the facts by which an entity may be described, one per relation and value."""
        if entity not in self._attributes:
            self._attributes[entity] = self._find_attributes(entity)
        return self._attributes[entity]

    def _find_attributes(self, entity: str) -> list[Fact]:
        chosen: dict[tuple[str, str], Fact] = {}
        for fact in self.facts_by_entity.get(entity, ()):
            relation = self.vocabulary.relation(fact.relation)
            if relation is None or relation.is_key or "{v}" not in relation.clause:
                continue
            is_telling = entity not in fact.value and not contains_words(fact.value, entity)
            if not is_read(fact) and is_short(fact.value) and is_telling and self._is_sure(fact):
                chosen.setdefault((fact.relation, fact.value), fact)
        # What names many other entities (citations) describes worst, so it comes last.
        ordered = sorted(chosen.values(), key=self._describes_badly)
        return ordered[:_MAX_ATTRIBUTES]

    def _is_sure(self, fact: Fact) -> bool:
        """Return whether all that have the value are known, so that it may describe."""
        return self.completeness.is_whole(fact)

    def _describes_badly(self, fact: Fact) -> bool:
        relation = self.vocabulary.relation(fact.relation)
        is_entity = self.vocabulary.kind(fact.value_kind).is_document
        return is_entity and relation is not None and not relation.is_functional

    def values(self, entity: str) -> dict[str, Fact]:
        """Return the facts that may be asked of an entity: relations with one value."""
        if entity not in self._values:
            self._values[entity] = self._find_values(entity)
        return self._values[entity]

    def _find_values(self, entity: str) -> dict[str, Fact]:
        single: dict[str, Fact | None] = {}
        for fact in self.facts_by_entity.get(entity, ()):
            known = single.setdefault(fact.relation, fact)
            if known is not None and known.value != fact.value:
                single[fact.relation] = None
        return {
            name: fact
            for name, fact in single.items()
            if fact is not None and self.is_worth_asking(fact)
        }

    def is_worth_asking(self, fact: Fact) -> bool:
        """Return whether the value of a fact makes an answer: short, and no key of its subject."""
        relation = self.vocabulary.relation(fact.relation)
        if relation is None or relation.is_key or not is_answer(fact.value):
            return False
        return self.may_be_followed(fact) and not contains_words(fact.value, fact.subject)

    def may_be_followed(self, fact: Fact) -> bool:
        """Return whether a question may go from subject to value.

        What grammar alone finds among many (names in a text) is not all there is, so that "the
        name" would be unfair. What a model read is followed if no text says otherwise.
        """
        relation = self.vocabulary.relation(fact.relation)
        if relation is None:
            return False
        if is_read(fact):
            return is_followable(fact) and self.completeness.has_all_values(fact)
        is_complete = relation.is_functional or fact.certainty == 1
        is_document = self.vocabulary.kind(fact.value_kind).is_document
        return (is_complete or is_document) and self.completeness.has_all_values(fact)

    def describe(self, entity: str, rng: Random, avoiding: str = "") -> Program | None:
        """Return a description that fits only this entity, without one relation, or None."""
        if entity not in self._descriptions:
            self._descriptions[entity] = self._describe(entity, rng)
        found = self._descriptions[entity]
        if avoiding:
            found = [program for program in found if avoiding not in relations_said(program)]
        return rng.choice(found) if found else None

    def _describe(self, entity: str, rng: Random) -> list[Program]:
        kind = self.kind_by_entity.get(entity)
        # Nobody collects all that is said, so what is quoted is named and never described.
        if kind is None or kind in QUOTED_KINDS:
            return []
        attributes = list(self.attributes(entity))
        rng.shuffle(attributes)
        attributes.sort(key=self._describes_badly)
        found: list[Program] = []
        for size in range(1, min(_MAX_PREDICATES, len(attributes)) + 1):
            for facts in combinations(attributes, size):
                if len({fact.relation for fact in facts}) == size and self._singles_out(
                    facts, entity, kind
                ):
                    found.append(self._coarsened(kind, facts, entity))
                if len(found) == _MAX_COMBINATIONS:
                    return found
            # One attribute alone reads like a look-up, so a second one is let in where it fits.
            if found and size > 1:
                break
        return found

    def _singles_out(self, facts: Sequence[Fact], entity: str, kind: str) -> bool:
        holders = [self._holding(fact, kind) for fact in facts]
        return frozenset.intersection(*holders) == {entity}

    def _holding(self, fact: Fact, kind: str) -> frozenset[str]:
        key = (fact.relation, fact.value)
        if key not in self._holders:
            naming = self.world.facts_naming(*key)
            self._holders[key] = frozenset(
                other.subject for other in naming if other.subject_kind == kind
            )
        return self._holders[key]

    def _coarsened(self, kind: str, facts: Sequence[Fact], entity: str) -> Program:
        ladders = [self._fair_rungs(fact) for fact in facts]
        return coarsen(lambda chosen: Only(Described(kind, chosen)), ladders, self.world, entity)

    def _fair_rungs(self, fact: Fact) -> tuple[Program, ...]:
        """Return the ladder of a fact without the roles that a model read."""
        rungs = ladder(fact, self.world)
        return tuple(rung for rung in rungs if not self._rests_on_reading(rung))

    def _rests_on_reading(self, rung: Program) -> bool:
        match rung:
            case Role(of=Only(of=Follow(relation=name))):
                return any(map(is_read, self.world.facts_with(name)))
            case _:
                return False

    def narrow(self, entity: str, candidates: frozenset[str]) -> tuple[Program, ...] | None:
        """Return the fewest predicates that tell `entity` from the other candidates."""
        if len(candidates) == 1:
            return ()
        key = (entity, candidates)
        if key not in self._narrowings:
            self._narrowings[key] = self._narrow(entity, candidates)
        return self._narrowings[key]

    def _narrow(self, entity: str, candidates: frozenset[str]) -> tuple[Program, ...] | None:
        others = sorted(candidates - {entity})
        attributes = self.attributes(entity)
        for size in (1, 2):
            for facts in combinations(attributes, size):
                exact = tuple(Equals(fact.relation, fact.value) for fact in facts)
                if not self._any_fits(exact, others):
                    return self._coarse_enough(facts, others)
        return None

    def _coarse_enough(self, facts: Sequence[Fact], others: Sequence[str]) -> tuple[Program, ...]:
        """Return the coarsest predicates on dates that no other candidate satisfies."""
        chosen: list[Program] = [Equals(fact.relation, fact.value) for fact in facts]
        for place, fact in enumerate(facts):
            if fact.value_kind != "date":
                continue
            for rung in reversed(date_rungs(fact)):
                coarser = [*chosen[:place], rung, *chosen[place + 1 :]]
                if not self._any_fits(coarser, others):
                    chosen = coarser
                    break
        return tuple(chosen)

    def _any_fits(self, predicates: Iterable[Program], entities: Iterable[str]) -> bool:
        wanted = tuple(predicates)
        return any(
            all(predicate.proof(self.world, entity) for predicate in wanted)  # type: ignore[attr-defined]
            for entity in entities
        )


def is_askable(fact: Fact) -> bool:
    """Return whether a fact may take part: no period (that is the numerical generator's)."""
    return not fact.period_end and bool(fact.value.strip())


def is_short(value: str) -> bool:
    """Return whether a value can stand in a question or be an answer: one short line."""
    return 0 < len(value) <= _MAX_VALUE_CHARACTERS and "\n" not in value


def is_answer(value: str) -> bool:
    """Return whether a value makes an answer that can be matched: a few words, no address."""
    return is_short(value) and len(value.split()) <= _MAX_ANSWER_WORDS and "://" not in value


def contains_words(needle: str, text: str) -> bool:
    """Return whether `needle` occurs in `text` as whole words, case aside."""
    low, inside = needle.casefold(), text.casefold()
    start = inside.find(low)
    while start >= 0:
        end = start + len(low)
        is_cut_before = start > 0 and inside[start - 1].isalnum() and low[:1].isalnum()
        is_cut_after = end < len(inside) and inside[end].isalnum() and low[-1:].isalnum()
        if not is_cut_before and not is_cut_after:
            return True
        start = inside.find(low, start + 1)
    return False


def relations_said(stop: Program) -> set[str]:
    """Return the relations by which a stop was singled out: their values are half told."""
    match stop:
        case Only(of=Filter(predicates=predicates) | Described(predicates=predicates)):
            return {str(getattr(predicate, "relation", "")) for predicate in predicates}
        case _:
            return set()


def values_said(program: Program) -> set[str]:
    """Return the names and values that a description of `program` would say."""
    match program:
        case Named(entity=value) | Equals(value=value):
            return {value}
        case Described(predicates=parts):
            return set().union(*map(values_said, parts))
        case Filter(of=of, predicates=parts):
            return values_said(of).union(*map(values_said, parts))
        case Only(of=of) | Follow(of=of) | Inverse(of=of) | Other(of=of) | Role(of=of):
            return values_said(of)
        case _:
            return set()
