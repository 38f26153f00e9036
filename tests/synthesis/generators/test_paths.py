"""Paths answer what their programs answer, without shortcuts, leaks or steps back."""

from random import Random

from longloom.synthesis.generators.anchors import Scene, contains_words, relations_said, values_said
from longloom.synthesis.generators.paths import Path, PathSampler
from longloom.synthesis.generators.vocabulary import Vocabulary
from longloom.synthesis.programs.graph import Named, Only
from longloom.synthesis.programs.predicates import Equals
from longloom.synthesis.programs.world import World
from synthesis.small_relations import KINDS, RELATIONS, memos

WORLD = memos()


def sampler(world: World = WORLD) -> PathSampler:
    return PathSampler(Scene(world, Vocabulary(RELATIONS, KINDS, world)))


def many(num_stops: int, **how: bool) -> list[Path]:
    drawing, rng = sampler(), Random(num_stops)
    drawn = [drawing.sample(rng, num_stops=num_stops, **how) for _ in range(300)]
    return [path for path in drawn if path is not None]


def test_every_path_answers_its_program() -> None:
    for num_stops in (1, 2, 3):
        paths = many(num_stops)
        assert len(paths) > 20
        assert all(path.program.execute(WORLD).only_answer == path.answer for path in paths)
        assert {path.num_hops for path in paths} == {num_stops + 1}


def test_entities_are_not_visited_twice_and_are_found_by_their_programs() -> None:
    for path in many(3):
        assert len(set(path.entities)) == len(path.entities)
        for entity, stop in zip(path.entities[1:], path.stops, strict=True):
            assert stop.execute(WORLD).only_answer == entity


def test_no_earlier_entity_has_the_same_answer() -> None:
    for path in many(2):
        for entity in path.entities[:-1]:
            stated = {fact.value for fact in WORLD.facts_of(entity, path.relation)}
            assert path.answer not in stated


def test_anchor_is_described_or_named_as_asked() -> None:
    assert all(isinstance(path.anchor, Only) for path in many(1))
    assert all(isinstance(path.anchor, Named) for path in many(1, is_named=True))


def test_walk_may_end_at_the_entity_itself() -> None:
    for path in many(2, asks_entity=True):
        assert path.answer == path.entities[-1]
        assert path.num_hops == 2


def test_breadth_first_reaches_each_entity_once_by_a_shortest_way() -> None:
    paths = sampler().breadth_first("Memo 12", Random(0))
    ends = [path.entities[-1] for path in paths]
    assert len(set(ends)) == len(ends) > 3
    assert all(path.program.execute(WORLD).only_answer == path.answer for path in paths)
    assert [path.num_hops for path in paths] == sorted(path.num_hops for path in paths)


def test_empty_world_has_no_paths() -> None:
    empty = sampler(World({}))
    assert empty.sample(Random(0), num_stops=1) is None
    assert empty.look_up(Random(0), is_named=True) is None


def test_descriptions_fit_one_entity_and_can_avoid_a_relation() -> None:
    scene = Scene(WORLD, Vocabulary(RELATIONS, KINDS, WORLD))
    for entity in scene.entities:
        for seed in range(5):
            described = scene.describe(entity, Random(seed), "memo.created")
            if described is not None:
                assert described.execute(WORLD).only_answer == entity
                assert "memo.created" not in relations_said(described)


def test_two_candidates_are_told_apart_by_the_fewest_predicates() -> None:
    scene = Scene(WORLD, Vocabulary(RELATIONS, KINDS, WORLD))
    # Memo 3 and Memo 4: both by Ada or Bea; status `final` against `draft`.
    found = scene.narrow("Memo 3", frozenset({"Memo 3", "Memo 4"}))
    assert found is not None
    assert len(found) == 1
    assert scene.narrow("Memo 3", frozenset({"Memo 3"})) == ()


def test_whole_words_count_as_said() -> None:
    assert contains_words("ada holm", "the memo by Ada Holm")
    assert not contains_words("Memo 1", "the author of Memo 12")
    assert contains_words("Memo 1", "Memo 12 or Memo 1?")
    assert values_said(Only(Named("Memo 1"))) == {"Memo 1"}
    assert values_said(Equals("memo.author", "Ada")) == {"Ada"}
