"""An inquiry: all that the families of questions share while they ask about one context."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property
from random import Random

from longloom.records import RewardRule, TaskType
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.facts.relation import EntityKind, Relation
from longloom.synthesis.generators.anchors import Scene, contains_words
from longloom.synthesis.generators.disputes import Dispute, disputes
from longloom.synthesis.generators.draft import Draft, Setting
from longloom.synthesis.generators.paths import PathSampler
from longloom.synthesis.generators.prose_relations import is_read
from longloom.synthesis.generators.questions import Asker
from longloom.synthesis.generators.vocabulary import Vocabulary
from longloom.synthesis.programs.codec import shape_of
from longloom.synthesis.programs.comparison import SameAs
from longloom.synthesis.programs.graph import Named
from longloom.synthesis.programs.graph_sets import Count, Exactly, Unanswerable
from longloom.synthesis.programs.node import Program

NAMING_ABILITIES = frozenset({"comparison", "ordering", "unanswerable"})
"""Abilities whose questions may say their answer: it is one of those they name."""

_CLOSED = (Count, Exactly, SameAs, Unanswerable)
"""Programs that need all there is, or names that are spelled one way only."""
_TRIES_PER_TURN = 6
_MAX_BARREN_TURNS = 4
_TURNS_PER_SHAPE = 3
_MAX_TURNS = 300
"""More than any context is asked; a context that is nearly dry ends in time."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """An entity with the one date or number by which it compares with its like."""

    entity: str
    """The entity."""
    fact: Fact
    """What states the value."""


class Inquiry:
    """One context, one task type, one stream."""

    def __init__(
        self,
        setting: Setting,
        rng: Random,
        *,
        task_type: TaskType,
        relations: Mapping[str, Relation],
        kinds: Mapping[str, EntityKind],
    ) -> None:
        self.setting = setting
        self.rng = rng
        self.task_type = task_type
        self.world = setting.world
        vocabulary = Vocabulary(relations, kinds, setting.world)
        self.scene = Scene(setting.world, vocabulary, setting.documents)
        self.sampler = PathSampler(self.scene)
        self.asker = Asker(self.scene.phraser, rng)
        self.ranked = _ranked(self.scene)
        self._places: list[int] = []

    def draft(
        self,
        question: str | None,
        program: Program,
        *,
        answer: str,
        ability: str,
        num_hops: int,
        value_kind: str = "text",
        min_documents: int = 2,
    ) -> Draft | None:
        """Return a draft; None without a question, or if it says its answer or needs too little."""
        if question is None or not answer:
            return None
        if ability not in NAMING_ABILITIES and contains_words(answer, question):
            return None
        execution = program.execute(self.world)
        num_documents = len({fact.doc_id for fact in execution.evidence})
        if execution.only_answer != answer or num_documents < min_documents:
            return None
        if any(map(is_read, execution.evidence)) and claims_all(program):
            return None
        is_numeric = value_kind == "number" or answer in ("yes", "no")
        return Draft(
            task_type=self.task_type,
            ability=ability,
            question=question,
            program=program,
            answer=answer,
            reward_rule=RewardRule.NUMERIC if is_numeric else RewardRule.COVER_EXACT_MATCH,
            num_hops=num_hops,
            min_documents=min_documents,
        )

    def entity_program(
        self, entity: str, described_share: float = 0.5, avoiding: str = ""
    ) -> Program:
        """Return a description of an entity that does not use a relation, or its name."""
        if self.rng.random() < described_share:
            described = self.scene.describe(entity, self.rng, avoiding)
            if described is not None:
                return described
        return Named(entity)

    def next_place(self, num_places: int) -> int:
        """Deal a place: each comes once before any comes again, in an order drawn anew."""
        if not self._places:
            self._places = self.rng.sample(range(num_places), num_places)
        return self._places.pop()

    @cached_property
    def disputes(self) -> list[Dispute]:
        """What dated documents state differently; two readings of a model are no dispute."""
        return [one for one in disputes(self.world) if not is_read(one.fact)]

    def some_ranked(
        self, count: int, value_kind: str | None = None, *, is_apart: bool = True
    ) -> list[Ranked]:
        """Draw entities of one kind with different values, `is_apart` in different documents."""
        groups = [
            group
            for group in self.ranked
            if len(group) >= count
            and value_kind in (None, group[0].fact.value_kind)
            and (not is_apart or len({ranked.fact.doc_id for ranked in group}) >= count)
        ]
        if not groups:
            return []
        group = list(self.rng.choice(groups))
        self.rng.shuffle(group)
        chosen: list[Ranked] = []
        for ranked in group:
            differs = all(
                ranked.fact.value != other.fact.value
                and not (is_apart and ranked.fact.doc_id == other.fact.doc_id)
                for other in chosen
            )
            if differs:
                chosen.append(ranked)
            if len(chosen) == count:
                return chosen
        return []


Family = Callable[[Inquiry], Draft | None]
"""Draws one draft of its pattern, or none if the draw came to nothing."""


def in_turns(inquiry: Inquiry, families: Sequence[Family]) -> Iterator[Draft]:
    """Yield drafts of all families in turns, the shapes of the programs in turns too.

    A shape that was asked often waits until the others have caught up or have run dry.
    """
    seen: set[Program] = set()
    num_by_shape: dict[str, int] = {}
    waiting: dict[str, list[Draft]] = {}
    turn = num_barren = 0
    while num_barren < _MAX_BARREN_TURNS and turn < _MAX_TURNS:
        turn += 1
        num_drawn = 0
        for shape, draft in _one_turn(inquiry, families, seen):
            num_drawn += 1
            if num_by_shape.get(shape, 0) <= turn // _TURNS_PER_SHAPE:
                num_by_shape[shape] = num_by_shape.get(shape, 0) + 1
                yield draft
            else:
                waiting.setdefault(shape, []).append(draft)
        num_barren = 0 if num_drawn else num_barren + 1
    while waiting:
        for shape in list(waiting):
            yield waiting[shape].pop()
            if not waiting[shape]:
                del waiting[shape]


def _one_turn(
    inquiry: Inquiry, families: Sequence[Family], seen: set[Program]
) -> Iterator[tuple[str, Draft]]:
    for family in inquiry.rng.sample(families, len(families)):
        for _ in range(_TRIES_PER_TURN):
            draft = family(inquiry)
            if draft is not None and draft.program not in seen:
                seen.add(draft.program)
                yield shape_of(draft.program), draft
                break


def claims_all(program: Program) -> bool:
    """Return whether a question holds only if nothing was left out or spelled otherwise.

    What a model has read is followed and compared; it is no ground for such a question.
    """
    waiting: list[object] = [program]
    while waiting:
        node = waiting.pop()
        if isinstance(node, tuple):
            waiting.extend(node)
        elif isinstance(node, _CLOSED):
            return True
        elif is_dataclass(node):
            waiting.extend(getattr(node, field.name) for field in fields(node))
    return False


def _ranked(scene: Scene) -> list[tuple[Ranked, ...]]:
    """Return the entities that compare, by kind, relation and unit; at least two each."""
    groups: dict[tuple[str, str, str], list[Ranked]] = {}
    for entity in scene.entities:
        for name, fact in scene.values(entity).items():
            if fact.value_kind in ("date", "number"):
                key = (fact.subject_kind, name, fact.unit)
                groups.setdefault(key, []).append(Ranked(entity, fact))
    return [tuple(group) for group in groups.values() if len(group) > 1]
