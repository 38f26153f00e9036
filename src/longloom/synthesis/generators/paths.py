"""Path sampling: walks over the facts of a context that end in one answer.

A walk starts at an entity, goes over relations and their inverses to entities not yet seen, in a
new document wherever a hop allows, and ends at the entity itself or at one of its values. A hop
that leads to several entities carries the fewest predicates that single out the one chosen. Walks
are refused as early as they can be: no description, answer shared with an earlier entity
(shortcut), answer said in the question (leak). Paper: QwenLong-L1.5, section 3 (random walk and
breadth-first sampling, information sparsely distributed over documents).
"""

from collections import deque
from dataclasses import dataclass
from random import Random

from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.generators.anchors import (
    PLAIN_KINDS,
    Scene,
    contains_words,
    is_short,
    relations_said,
    values_said,
)
from longloom.synthesis.generators.prose_relations import ANY_KIND, is_read, may_be_same
from longloom.synthesis.programs.graph import Filter, Follow, Inverse, Named, Only, Other
from longloom.synthesis.programs.node import Program

MAX_HOPS = 5


@dataclass(frozen=True, slots=True)
class Move:
    """One step of a walk: along a relation or against it."""

    relation: str
    """Name of the relation."""
    is_inverse: bool
    """Whether it goes from value to subject."""
    targets: frozenset[str]
    """Every entity it leads to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """A walk as a program, with what wording and distractors need."""

    anchor: Program
    """Finds the first entity."""
    stops: tuple[Program, ...]
    """One program per entity after the first, each built on the one before."""
    entities: tuple[str, ...]
    """The entities in order, the first included."""
    relation: str
    """The relation asked of the last entity; empty if the entity itself is the answer."""
    program: Program
    """The whole question."""
    answer: str
    """Its answer."""
    value_kind: str
    """Kind of the answer: `date`, `number`, `text` or a kind of entity."""
    unit: str = ""
    """Unit of a number."""

    @property
    def num_hops(self) -> int:
        """Steps over relations from the first entity to the answer."""
        return len(self.stops) + (1 if self.relation else 0)


class PathSampler:
    """Draws walks over one scene."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._moves: dict[str, tuple[Move, ...]] = {}
        self._inverse: dict[str, list[Fact]] = {}
        for facts in scene.facts_by_entity.values():
            for fact in facts:
                if fact.value_kind not in PLAIN_KINDS and not is_read(fact):
                    self._inverse.setdefault(fact.value, []).append(fact)
        starts: dict[str, list[str]] = {}
        for entity in scene.entities:
            if self.moves(entity):
                starts.setdefault(scene.kind_by_entity[entity], []).append(entity)
        self._starts = tuple(tuple(entities) for entities in starts.values())

    def moves(self, entity: str) -> tuple[Move, ...]:
        """Return the steps that lead from an entity to others."""
        if entity not in self._moves:
            self._moves[entity] = self._find_moves(entity)
        return self._moves[entity]

    def _find_moves(self, entity: str) -> tuple[Move, ...]:
        targets: dict[tuple[str, bool], set[str]] = {}
        for fact in self.scene.facts_by_entity.get(entity, ()):
            if self._leads_on(fact):
                # The whole set counts: it is what a description has to choose from.
                stated = self.scene.world.facts_of(entity, fact.relation)
                values = {other.value for other in stated}
                # No description picks among readings: the model may have left some out.
                if len(values) == 1 or not any(map(is_read, stated)):
                    targets[fact.relation, False] = values
        naming = self._inverse.get(entity, [])
        kind = self.scene.kind_by_entity.get(entity, naming[0].value_kind if naming else "")
        for fact in naming:
            is_entity = self._is_same(fact, kind) and not contains_words(entity, fact.subject)
            if is_entity and self.scene.completeness.is_whole(fact):
                targets.setdefault((fact.relation, True), set()).add(fact.subject)
        return tuple(
            Move(relation, is_inverse, frozenset(found))
            for (relation, is_inverse), found in targets.items()
        )

    def _leads_on(self, fact: Fact) -> bool:
        """Return whether somebody else speaks about a value, as the same kind of thing."""
        is_entity = fact.value_kind not in PLAIN_KINDS and self.scene.may_be_followed(fact)
        if not is_entity or contains_words(fact.value, fact.subject):
            return False
        kind = self.scene.kind_by_entity.get(fact.value)
        if kind is not None:
            return self._is_same(fact, kind)
        return any(
            other.subject != fact.subject and self._is_same(fact, other.value_kind)
            for other in self._inverse.get(fact.value, ())
        )

    def _is_same(self, fact: Fact, kind: str) -> bool:
        """Return whether the value of a fact is the entity of its name, which is of a kind."""
        if fact.value_kind == kind:
            return not is_read(fact) or may_be_same(fact.value, fact.value_kind, kind)
        stated = self.scene.facts_by_entity.get(fact.value, ())
        # Kinds that documents assert are exact; those that a model gave are not.
        is_loose = is_read(fact) or (bool(stated) and all(map(is_read, stated)))
        return is_loose and may_be_same(fact.value, fact.value_kind, kind)

    def sample(
        self, rng: Random, *, num_stops: int, is_named: bool = False, asks_entity: bool = False
    ) -> Path | None:
        """Draw one random walk over `num_stops` entities after the first; None if it is refused."""
        if not self._starts:
            return None
        first = rng.choice(rng.choice(self._starts))
        anchor = Named(first) if is_named else self.scene.describe(first, rng)
        if anchor is None:
            return None
        visited = [(first, anchor)]
        for _ in range(num_stops):
            stop = self._walk(visited, rng)
            if stop is None:
                return None
            visited.append(stop)
        return self._at_entity(visited) if asks_entity else self._at_value(visited, rng)

    def look_up(self, rng: Random, *, is_named: bool) -> Path | None:
        """Draw an entity and one of its values."""
        if not self.scene.entities:
            return None
        entity = self.scene.some_entity(rng)
        anchor = Named(entity) if is_named else self.scene.describe(entity, rng)
        return self._at_value([(entity, anchor)], rng) if anchor is not None else None

    def breadth_first(self, start: str, rng: Random) -> list[Path]:
        """Return a shortest walk from `start` to every entity within reach, each with an ending."""
        anchor = self.scene.describe(start, rng)
        queue = deque([[(start, anchor)]]) if anchor is not None else deque()
        seen = {start}
        paths: list[Path] = []
        while queue:
            visited = queue.popleft()
            if len(visited) > 1 and (path := self._at_value(visited, rng)) is not None:
                paths.append(path)
            if len(visited) == MAX_HOPS:
                continue
            for move in self.moves(visited[-1][0]):
                for target in sorted(move.targets - seen):
                    stop = self._stop(visited, move, target)
                    if stop is not None:
                        seen.add(target)
                        queue.append([*visited, stop])
        return paths

    def _walk(self, visited: list[tuple[str, Program]], rng: Random) -> tuple[str, Program] | None:
        moves = self.moves(visited[-1][0])
        if not moves:
            return None
        move = rng.choice(moves)
        seen = {entity for entity, _ in visited}
        open_targets = sorted(move.targets - seen)
        return self._stop(visited, move, rng.choice(open_targets)) if open_targets else None

    def _stop(
        self, visited: list[tuple[str, Program]], move: Move, target: str
    ) -> tuple[str, Program] | None:
        """Return the entity with its program, or None if it cannot be singled out."""
        previous = visited[-1][1]
        reached: Program = (
            Inverse(previous, move.relation) if move.is_inverse else Follow(previous, move.relation)
        )
        # What the question has said already is no step.
        is_said = not move.is_inverse and move.relation in relations_said(previous)
        if is_said or target in values_said(previous):
            return None
        candidates = move.targets
        returning = [(entity, program) for entity, program in visited if entity in candidates]
        if len(returning) > 1:
            return None
        if returning:
            reached = Other(reached, returning[0][1])
            candidates = candidates - {returning[0][0]}
        predicates = self.scene.narrow(target, candidates)
        if predicates is None:
            return None
        return target, Only(Filter(reached, predicates) if predicates else reached)

    def _at_value(self, visited: list[tuple[str, Program]], rng: Random) -> Path | None:
        """Close a walk with a question about its last entity."""
        fact = self._asked(visited, rng)
        if fact is None:
            return None
        return Path(
            anchor=visited[0][1],
            stops=tuple(stop for _, stop in visited[1:]),
            entities=tuple(entity for entity, _ in visited),
            relation=fact.relation,
            program=Follow(visited[-1][1], fact.relation),
            answer=fact.value,
            value_kind=fact.value_kind,
            unit=fact.unit,
        )

    def _at_entity(self, visited: list[tuple[str, Program]]) -> Path | None:
        """Let a walk ask for its last entity itself."""
        last, program = visited[-1]
        kind = self.scene.kind_by_entity.get(last, "name")
        if len(visited) < 2 or not is_short(last) or kind == ANY_KIND:
            return None
        return Path(
            anchor=visited[0][1],
            stops=tuple(stop for _, stop in visited[1:]),
            entities=tuple(entity for entity, _ in visited),
            relation="",
            program=program,
            answer=last,
            value_kind=kind,
        )

    def _asked(self, visited: list[tuple[str, Program]], rng: Random) -> Fact | None:
        """Draw a value of the last entity that no earlier one shares."""
        askable = self.scene.values(visited[-1][0])
        said = relations_said(visited[-1][1])
        names = [
            name
            for name, fact in askable.items()
            if fact.value not in {entity for entity, _ in visited}
            and name not in said
            and not self._is_shortcut(fact, visited)
        ]
        return askable[rng.choice(names)] if names else None

    def _is_shortcut(self, fact: Fact, visited: list[tuple[str, Program]]) -> bool:
        return any(
            other.value == fact.value
            for entity, _ in visited[:-1]
            for other in self.scene.world.facts_of(entity, fact.relation)
        )
