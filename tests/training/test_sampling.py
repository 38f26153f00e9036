import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longloom.errors import CheckpointError, ConfigError, DataError
from longloom.training.sampling import (
    PromptSamplingConfig,
    TaskBalancedSampler,
    UniformSampler,
    make_sampler,
)
from longloom.training.shares import batch_counts

FIVE = ["dialogue", "choice", "hop", "number", "reading"]


def tasks_of(**num_by_task):
    return [task for task, count in num_by_task.items() for _ in range(count)]


def balanced(batch_size, task_types, seed=0, **settings):
    config = PromptSamplingConfig(batch_size=batch_size, **settings)
    return TaskBalancedSampler(
        config, task_types=task_types, abilities=["any"] * len(task_types), seed=seed
    )


def made(config, task_types, *, abilities=None, seed=0):
    abilities = abilities or ["any"] * len(task_types)
    return make_sampler(config, task_types=task_types, abilities=abilities, seed=seed)


def test_paper_batch_holds_26_26_26_25_25():
    sizes = dict.fromkeys(FIVE, 1000)
    assert list(batch_counts(128, dict.fromkeys(FIVE, 1.0), sizes).values()) == [26, 26, 26, 25, 25]


def test_remainder_goes_to_the_largest_weights_first():
    # Shares of 10: 1.5 3.5 5.0, floored to 1 3 5; the one left goes to the largest weight.
    counts = batch_counts(10, {"a": 3.0, "b": 7.0, "c": 10.0}, {"a": 99, "b": 99, "c": 99})
    assert counts == {"a": 1, "b": 3, "c": 6}


def test_small_task_is_capped_and_its_share_dealt_to_the_others():
    counts = batch_counts(9, {"a": 1.0, "b": 1.0, "c": 1.0}, {"a": 1, "b": 50, "c": 50})
    assert counts == {"a": 1, "b": 4, "c": 4}


def test_share_that_is_whole_is_not_lost_to_rounding():
    assert batch_counts(10, {"a": 0.7, "b": 0.3}, {"a": 99, "b": 99}) == {"a": 7, "b": 3}


@given(
    batch_size=st.integers(1, 40),
    weights=st.lists(st.integers(0, 9).map(float), min_size=1, max_size=5),
    sizes=st.lists(st.integers(1, 30), min_size=5, max_size=5),
)
def test_counts_fill_the_batch_within_sizes_and_weights(batch_size, weights, sizes):
    weight_by_task = dict(zip("abcde", weights, strict=False))
    size_by_task = dict(zip("abcde", sizes, strict=True))
    if sum(size_by_task[task] for task, weight in weight_by_task.items() if weight) < batch_size:
        with pytest.raises(DataError, match="lower batch_size"):
            batch_counts(batch_size, weight_by_task, size_by_task)
        return
    counts = batch_counts(batch_size, weight_by_task, size_by_task)
    assert sum(counts.values()) == batch_size
    assert all(count <= size_by_task[task] for task, count in counts.items())
    assert all(counts[task] == 0 for task, weight in weight_by_task.items() if not weight)


def test_every_batch_holds_the_shares():
    task_types = tasks_of(a=20, b=4, c=6)
    sampler = balanced(6, task_types)
    for _ in range(20):
        drawn = Counter(task_types[position] for position in sampler.draw())
        assert drawn == {"a": 2, "b": 2, "c": 2}


def test_queue_goes_through_all_its_examples_before_it_repeats():
    sampler = balanced(2, tasks_of(a=3, b=3))
    batches = [sampler.draw() for _ in range(3)]
    assert sorted(position for batch in batches for position in batch) == list(range(6))


def test_queue_with_too_few_left_is_refilled_and_its_rest_dropped():
    # Five examples, two a batch: the fifth is dropped, the third batch starts a new round.
    sampler = balanced(2, tasks_of(a=5))
    for _ in range(5):
        first, second = sampler.draw(), sampler.draw()
        assert len({*first, *second}) == 4


@given(
    num_by_task=st.lists(st.integers(1, 8), min_size=1, max_size=4),
    batch_size=st.integers(1, 12),
    seed=st.integers(0, 100),
)
def test_batch_never_repeats_an_example(num_by_task, batch_size, seed):
    task_types = tasks_of(**dict(zip("abcd", num_by_task, strict=False)))
    if len(task_types) < batch_size:
        return
    sampler = balanced(batch_size, task_types, seed=seed)
    for _ in range(5):
        batch = sampler.draw()
        assert len(batch) == len(set(batch)) == batch_size


@pytest.mark.parametrize("kind", ["task_balanced", "uniform"])
def test_fewer_examples_than_a_batch_are_refused(kind):
    config = PromptSamplingConfig(kind=kind, batch_size=5)
    with pytest.raises(DataError, match="4 examples for a batch of 5"):
        made(config, tasks_of(a=2, b=2))


@pytest.mark.parametrize("kind", ["task_balanced", "uniform"])
def test_resumed_sampler_draws_what_the_first_would_have_drawn(kind):
    config = PromptSamplingConfig(kind=kind, batch_size=4)
    task_types = tasks_of(a=5, b=3, c=9)
    sampler = made(config, task_types, seed=3)
    for _ in range(7):
        sampler.draw()
    saved = json.loads(json.dumps(sampler.state_dict()))
    expected = [sampler.draw() for _ in range(9)]
    resumed = made(config, task_types, seed=3)
    resumed.load_state_dict(saved)
    assert [resumed.draw() for _ in range(9)] == expected


def test_seed_decides_the_order():
    task_types = tasks_of(a=20)
    assert balanced(20, task_types, seed=1).draw() == balanced(20, task_types, seed=1).draw()
    assert balanced(20, task_types, seed=1).draw() != balanced(20, task_types, seed=2).draw()


def test_state_of_another_run_is_refused():
    saved = balanced(2, tasks_of(a=3, b=3)).state_dict()
    with pytest.raises(CheckpointError, match="num_examples"):
        balanced(2, tasks_of(a=3, b=4)).load_state_dict(saved)
    with pytest.raises(CheckpointError, match="seed"):
        balanced(2, tasks_of(a=3, b=3), seed=1).load_state_dict(saved)


@pytest.mark.parametrize(
    "change", [{"num_draws": -1}, {"progress": []}, {"progress": {"a": {"round": 0}}}]
)
def test_damaged_state_is_refused_and_changes_nothing(change):
    sampler = balanced(2, tasks_of(a=3, b=3))
    before = sampler.state_dict()
    with pytest.raises(CheckpointError, match="damaged"):
        sampler.load_state_dict({**before, **change})
    assert sampler.state_dict() == before


def test_weight_of_a_task_without_examples_is_refused():
    with pytest.raises(ConfigError, match=r"task_weights\.b"):
        balanced(1, tasks_of(a=3), task_weights={"a": 1.0, "b": 1.0})


def test_task_without_a_weight_is_refused():
    with pytest.raises(ConfigError, match="no entry for b"):
        balanced(1, tasks_of(a=3, b=3), task_weights={"a": 1.0})


def test_negative_weight_is_refused():
    with pytest.raises(ConfigError, match="expected 0 or more"):
        balanced(1, tasks_of(a=3), task_weights={"a": -1.0})


def test_task_of_weight_zero_is_left_out():
    sampler = balanced(3, tasks_of(a=3, b=3), task_weights={"a": 1.0, "b": 0.0})
    assert sorted(sampler.draw()) == [0, 1, 2]


def test_uniform_sampler_has_no_regard_to_tasks():
    task_types = tasks_of(a=9, b=1)
    sampler = UniformSampler(
        PromptSamplingConfig(kind="uniform", batch_size=10), num_examples=len(task_types), seed=0
    )
    assert sorted(sampler.draw()) == list(range(10))


def test_categories_have_shares_of_their_own():
    abilities = ["fact"] * 6 + ["time"] * 3
    config = PromptSamplingConfig(
        batch_size=4, balance_by="ability", category_weights={"fact": 1.0, "time": 3.0}
    )
    sampler = made(config, ["hop"] * 9, abilities=abilities)
    for _ in range(8):
        assert Counter(abilities[p] for p in sampler.draw()) == {"fact": 1, "time": 3}


def test_tasks_have_shares_and_within_each_its_categories():
    pairs = [(task, ability) for task in "ab" for ability in "xyz" for _ in range(4)]
    config = PromptSamplingConfig(
        batch_size=8,
        balance_by="task_type_and_ability",
        task_weights={"a": 3.0, "b": 1.0},
        category_weights={"x": 2.0, "y": 1.0, "z": 0.0},
    )
    sampler = made(config, [t for t, _ in pairs], abilities=[a for _, a in pairs])
    # Tasks 6 and 2; of b's two, x has 1.33 and y 0.67: floored to 1 and 0, the rest to x.
    expected = {("a", "x"): 4, ("a", "y"): 2, ("b", "x"): 2}
    for _ in range(5):
        assert Counter(pairs[position] for position in sampler.draw()) == expected


@pytest.mark.parametrize("balance_by", ["ability", "task_type_and_ability"])
def test_a_category_without_a_weight_is_refused(balance_by):
    config = PromptSamplingConfig(
        batch_size=1, balance_by=balance_by, category_weights={"fact": 1.0}
    )
    with pytest.raises(ConfigError, match="category_weights has no entry for time"):
        made(config, ["a", "a"], abilities=["fact", "time"])


def test_over_several_epochs_every_example_is_drawn_equally_often():
    # 6 and 9 examples, 3 a batch of each: whole rounds, so 2 and 3 batches go through all once.
    task_types = tasks_of(a=6, b=9)
    sampler = balanced(6, task_types)
    drawn = Counter(position for _ in range(12) for position in sampler.draw())
    assert [drawn[position] for position in range(15)] == [6] * 6 + [4] * 9


def test_every_epoch_has_another_order():
    sampler = balanced(8, tasks_of(a=8))
    orders = {tuple(sampler.draw()) for _ in range(4)}
    assert len(orders) == 4


def test_further_prompts_are_of_the_tasks_that_lack_them():
    task_types = tasks_of(a=9, b=9)
    sampler = balanced(6, task_types)
    drawn = sampler.draw()
    kept = [position for position in drawn if task_types[position] == "a"]
    further = sampler.draw_further(kept=kept, drawn=drawn)
    assert Counter(task_types[position] for position in further) == {"b": 3}
    assert not set(further) & set(drawn)


def test_a_task_without_further_examples_leaves_its_places_to_the_others():
    task_types = tasks_of(a=9, b=3)
    sampler = balanced(6, task_types)
    drawn = sampler.draw()
    kept = [position for position in drawn if task_types[position] == "a"]
    further = sampler.draw_further(kept=kept, drawn=drawn)
    assert Counter(task_types[position] for position in further) == {"a": 3}


def test_nothing_further_is_drawn_for_a_full_batch_or_from_nothing():
    sampler = balanced(4, tasks_of(a=2, b=2))
    drawn = sampler.draw()
    before = sampler.state_dict()
    assert sampler.draw_further(kept=drawn, drawn=drawn) == []
    assert sampler.draw_further(kept=[], drawn=drawn) == []
    assert sampler.state_dict() == before


@given(
    num_by_task=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    batch_size=st.integers(1, 8),
    keeps=st.lists(st.integers(0, 3), min_size=12, max_size=12),
    resumed_at=st.integers(0, 11),
    seed=st.integers(0, 20),
)
def test_a_sampler_resumed_at_any_draw_goes_on_as_the_first(
    num_by_task, batch_size, keeps, resumed_at, seed
):
    task_types = tasks_of(**dict(zip("abcd", num_by_task, strict=False)))
    if len(task_types) < batch_size:
        return
    first, second = (balanced(batch_size, task_types, seed=seed) for _ in range(2))
    for number, keep in enumerate(keeps):
        if number == resumed_at:
            second = balanced(batch_size, task_types, seed=seed)
            second.load_state_dict(json.loads(json.dumps(first.state_dict())))
        drawn = _filled(first, keep)
        assert len(drawn) == len(set(drawn))
        if number >= resumed_at:
            assert _filled(second, keep) == drawn


def _filled(sampler, keep):
    """Return all positions of a step that keeps the first `keep` of every draw."""
    drawn = sampler.draw()
    kept = drawn[:keep]
    for _ in range(2):
        further = sampler.draw_further(kept=kept, drawn=drawn)
        drawn = [*drawn, *further]
        kept = [*kept, *further[:keep]]
    return drawn
