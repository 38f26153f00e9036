from collections import Counter

import pytest

from longloom.errors import DataError
from longloom.records import TaskType
from longloom.training.dynamic_sampling import collect_groups
from longloom.training.filters import GroupFilterConfig
from longloom.training.sampling import PromptSamplingConfig, make_sampler
from questions import make_group
from training.stages import CONFIG, recorder, train
from training.unigram_engine import UnigramEngine

A, B = TaskType.MULTI_HOP, TaskType.NUMERICAL
DROP = GroupFilterConfig(drop_zero_variance=True)


def sampler_of(task_types, batch_size, *, seed=0):
    return make_sampler(
        PromptSamplingConfig(batch_size=batch_size),
        task_types=task_types,
        abilities=["any"] * len(task_types),
        seed=seed,
    )


class Rollouts:
    """Rolls out positions: those in `useful` get rewards that differ."""

    def __init__(self, useful, task_types):
        self.useful = useful
        self.task_types = task_types
        self.rounds = []

    def __call__(self, positions):
        self.rounds.append(list(positions))
        return [
            make_group(
                [1.0, 0.0] if position in self.useful else [1.0, 1.0],
                task_type=self.task_types[position],
                example_id=f"e{position}",
            )
            for position in positions
        ]


def test_without_dropping_a_batch_is_rolled_out_once():
    task_types = [A] * 8
    roll_out = Rollouts(set(), task_types)
    collected = collect_groups(GroupFilterConfig(), sampler_of(task_types, 4), roll_out)
    assert len(roll_out.rounds) == 1
    assert collected.metrics == {
        "training/refill_rounds": 0.0,
        "training/rolled_out_groups": 4.0,
        "training/dropped_groups": 0.0,
    }


def test_dropped_groups_are_replaced_until_the_batch_is_full():
    task_types = [A] * 40
    useful = set(range(0, 40, 3))
    roll_out = Rollouts(useful, task_types)
    collected = collect_groups(DROP, sampler_of(task_types, 6), roll_out)
    positions = [position for drawn in roll_out.rounds for position in drawn]
    assert len(positions) == len(set(positions)) == len(collected.groups)
    assert sum(position in useful for position in positions) == 6
    # Each round asks for what lacks, no more.
    found = 0
    for drawn in roll_out.rounds:
        assert len(drawn) == 6 - found
        found += sum(position in useful for position in drawn)
    assert collected.metrics["training/refill_rounds"] == len(roll_out.rounds) - 1 > 0
    assert collected.metrics["training/dropped_groups"] == len(positions) - 6


def test_tasks_keep_their_shares_when_groups_are_replaced():
    task_types = [A] * 20 + [B] * 20
    useful = {*range(0, 20, 2), *range(20, 40, 4)}
    roll_out = Rollouts(useful, task_types)
    collected = collect_groups(DROP, sampler_of(task_types, 8), roll_out)
    kept = [g for g in collected.groups if g.rewards[0].value != g.rewards[1].value]
    assert Counter(group.example.task_type for group in kept) == {A: 4, B: 4}


def test_a_task_without_useful_examples_is_replaced_by_others_when_it_runs_out():
    task_types = [A] * 20 + [B] * 3
    roll_out = Rollouts(set(range(20)), task_types)
    collected = collect_groups(DROP, sampler_of(task_types, 4), roll_out)
    assert collected.metrics["training/dropped_groups"] == 3.0
    assert collected.metrics["training/rolled_out_groups"] == 7.0


def test_refilling_stops_after_the_rounds_allowed():
    task_types = [A] * 60
    roll_out = Rollouts(set(), task_types)
    collected = collect_groups(DROP.replace(max_refills=3), sampler_of(task_types, 4), roll_out)
    assert [len(drawn) for drawn in roll_out.rounds] == [4, 4, 4, 4]
    assert collected.metrics["training/dropped_groups"] == 16.0


def test_by_default_ten_rounds_are_rolled_out_in_all():
    task_types = [A] * 60
    roll_out = Rollouts(set(), task_types)
    collect_groups(DROP, sampler_of(task_types, 4), roll_out)
    assert len(roll_out.rounds) == 10


def test_refilling_stops_when_every_example_was_rolled_out():
    task_types = [A] * 6
    roll_out = Rollouts(set(), task_types)
    collected = collect_groups(DROP, sampler_of(task_types, 4), roll_out)
    assert sorted(position for drawn in roll_out.rounds for position in drawn) == list(range(6))
    assert collected.metrics["training/refill_rounds"] == 1.0


def test_a_batch_that_stays_short_is_an_error_if_so_configured():
    task_types = [A] * 30
    with pytest.raises(DataError, match=r"0 of 12 groups .* after 3 generation rounds; expected 4"):
        collect_groups(
            DROP.replace(max_refills=2, when_short="error"),
            sampler_of(task_types, 4),
            Rollouts(set(), task_types),
        )


def test_a_step_fills_its_batch_and_draws_every_stream_once(tmp_path):
    groups, log = [], {}
    listen = recorder(log)

    def keep(result):
        listen(result)
        groups.append(result.groups)

    engine = UnigramEngine()
    config = CONFIG.replace(group_filter=DROP, group_size=2, num_steps=6)
    train(tmp_path, config, keep, engine=engine)
    assert sum(log[step]["training/refill_rounds"] for step in log) > 0
    for step, rolled_out in enumerate(groups, start=1):
        num_kept = len(rolled_out) - log[step]["training/dropped_groups"]
        assert num_kept == 4 or len(rolled_out) == 12  # full, or every example was tried
        assert log[step]["training/dropped_rollouts"] == 2 * log[step]["training/dropped_groups"]
    assert len(engine.sampler.keys) == len(set(engine.sampler.keys))
    assert engine.sampler.keys[0].startswith("3/stage/0/e")
