import json

import pytest

from longloom.errors import DataError
from longloom.records import Reward, SamplingParams, TaskType
from longloom.training.curriculum import RetrospectiveConfig
from longloom.training.difficulty import DIFFICULTY_FILE, MeasuredExample, read_difficulty
from longloom.training.filters import StageTransitionConfig
from longloom.training.selection import (
    DifficultyBinsConfig,
    LengthBand,
    SelectionConfig,
    choose_examples,
    select_examples,
)
from questions import make_context, make_example
from training.stages import CONFIG, Killed, make_inputs, recorder, train
from training.unigram_engine import UnigramEngine

STAGE = {
    "band": LengthBand(lower_tokens=5, upper_tokens=20),
    "params": SamplingParams(temperature=1.0, top_p=1.0, max_new_tokens=3),
    "stage": "phase-2",
}


def examples_of(rewards_by_task):
    """Return examples `task-number` and their measurements."""
    examples, measured = [], {}
    for task, rewards in rewards_by_task.items():
        for number, reward in enumerate(rewards):
            example_id = f"{task.value}-{number}"
            examples.append(make_example(example_id, task_type=task))
            measured[example_id] = MeasuredExample(
                example_id=example_id, rewards=(reward,), num_failed=0
            )
    return examples, measured


def ids(selected):
    return [example.example_id for example in selected.examples]


def test_the_filter_between_stages_drops_what_is_always_right():
    own, measured = examples_of({TaskType.NUMERICAL: [1.0, 0.5, 0.0]})
    config = SelectionConfig(transition=StageTransitionConfig(enabled=True))
    selected = choose_examples(config, own, [], measured, batch_size=1, seed=0)
    assert ids(selected) == ["numerical-1", "numerical-2"]
    assert selected.metrics["selection/too_easy_examples"] == 1.0
    assert selected.metrics["selection/own_examples"] == 2.0


def test_what_is_never_right_may_be_dropped_too():
    own, measured = examples_of({TaskType.NUMERICAL: [1.0, 0.5, 0.0]})
    transition = StageTransitionConfig(enabled=True, keep_zero_accuracy=False)
    selected = choose_examples(
        SelectionConfig(transition=transition), own, [], measured, batch_size=1, seed=0
    )
    assert ids(selected) == ["numerical-1"]
    assert selected.metrics["selection/too_hard_examples"] == 1.0


def test_strict_bins_give_every_task_equal_numbers_by_difficulty():
    own, measured = examples_of(
        {
            TaskType.NUMERICAL: [0.0, 0.1, 0.2, 0.9, 1.0],  # halves of 3 and 2
            TaskType.MULTI_HOP: [0.0, 0.1, 0.2],  # one half alone
        }
    )
    bins = DifficultyBinsConfig(enabled=True, num_bins=2, draw="strictly_equal")
    config = SelectionConfig(bins=bins)
    chosen = ids(choose_examples(config, own, [], measured, batch_size=1, seed=0))
    assert {"numerical-3", "numerical-4"} < set(chosen)
    assert sum(example_id.startswith("numerical") for example_id in chosen) == 4
    assert sum(example_id.startswith("multi_hop") for example_id in chosen) == 3


STRONG = {TaskType.NUMERICAL: [0.0] * 2 + [0.9] * 18, TaskType.MULTI_HOP: [0.4] * 3 + [1.0] * 7}


def test_bins_keep_half_of_every_task_with_all_of_the_rare():
    own, measured = examples_of(STRONG)
    config = SelectionConfig(bins=DifficultyBinsConfig(enabled=True))
    chosen = ids(choose_examples(config, own, [], measured, batch_size=8, seed=0))
    numerical = [i for i in chosen if i.startswith("numerical")]
    assert len(numerical) == 10
    assert {"numerical-0", "numerical-1"} < set(numerical)
    assert len(chosen) == 15
    assert {f"multi_hop-{n}" for n in range(3)} < set(chosen)


@pytest.mark.parametrize(("batch_size", "num_kept"), [(15, 15), (24, 24), (25, 26), (40, 30)])
def test_bins_leave_enough_for_a_batch_where_there_is_enough(batch_size, num_kept):
    own, measured = examples_of(STRONG)  # 20 and 10: 25 / 30 of them are 17 and 9
    config = SelectionConfig(bins=DifficultyBinsConfig(enabled=True))
    selected = choose_examples(config, own, [], measured, batch_size=batch_size, seed=0)
    assert len(selected.examples) == num_kept


def test_strict_bins_leave_what_the_smallest_allows():
    own, measured = examples_of(STRONG)
    bins = DifficultyBinsConfig(enabled=True, draw="strictly_equal")
    config = SelectionConfig(bins=bins)
    selected = choose_examples(config, own, [], measured, batch_size=15, seed=0)
    assert len(selected.examples) == 2 * 2 + 2 * 3


def test_rewards_outside_of_0_to_1_fall_into_the_outer_bins():
    own, measured = examples_of({TaskType.NUMERICAL: [-0.5, 1.5]})
    bins = DifficultyBinsConfig(enabled=True, num_bins=2, draw="strictly_equal")
    config = SelectionConfig(bins=bins)
    assert len(choose_examples(config, own, [], measured, batch_size=1, seed=0).examples) == 2


def test_earlier_examples_that_were_never_solved_come_back():
    own, _ = examples_of({TaskType.NUMERICAL: [0.5]})
    earlier, measured = examples_of({TaskType.MULTI_HOP: [0.0, 0.5, 0.0, 1.0]})
    config = SelectionConfig(retrospective=RetrospectiveConfig(kind="zero_accuracy"))
    selected = choose_examples(config, own, earlier, measured, batch_size=1, seed=0)
    assert ids(selected) == ["numerical-0", "multi_hop-0", "multi_hop-2"]
    assert selected.metrics["selection/returning_examples"] == 2.0


def test_earlier_examples_may_come_back_hardest_first():
    earlier, measured = examples_of({TaskType.MULTI_HOP: [0.6, 0.5, 0.0, 1.0]})
    retrospective = RetrospectiveConfig(kind="hardest_first", max_examples=2)
    config = SelectionConfig(retrospective=retrospective)
    assert ids(choose_examples(config, [], earlier, measured, batch_size=1, seed=0)) == [
        "multi_hop-1",
        "multi_hop-2",
    ]


def test_a_selection_that_leaves_nothing_is_a_data_error():
    own, measured = examples_of({TaskType.NUMERICAL: [1.0, 1.0]})
    config = SelectionConfig(transition=StageTransitionConfig(enabled=True))
    with pytest.raises(DataError, match=r"none of 2 examples is left .*too_easy_examples 2"):
        choose_examples(config, own, [], measured, batch_size=1, seed=0)


SHORT = [make_example(f"short{n}", num_prompt_tokens=4, context_id=f"c{n}") for n in range(4)]
MIDDLE = [make_example(f"middle{n}", num_prompt_tokens=9, context_id=f"c{n}") for n in range(5)]
LONG = [make_example(f"long{n}", num_prompt_tokens=90) for n in range(3)]
EVERYTHING = SelectionConfig(
    num_rollouts=6,
    transition=StageTransitionConfig(enabled=True),
    retrospective=RetrospectiveConfig(kind="hardest_first", max_examples=2),
)


def select(folder, config=EVERYTHING, *, engine=None, at_once=2, **changes):
    inputs = make_inputs(folder, engine=engine, examples=[*SHORT, *MIDDLE, *LONG], **changes)
    return select_examples(config, inputs, examples_at_once=at_once, **STAGE)


def test_nothing_is_measured_unless_asked_for(tmp_path):
    engine = UnigramEngine()
    selected = select(tmp_path, SelectionConfig(), engine=engine)
    assert list(selected.examples) == MIDDLE
    assert selected.metrics == {}
    assert engine.sampler.keys == []
    assert list(tmp_path.iterdir()) == []


def test_examples_of_the_band_and_earlier_ones_are_measured(tmp_path):
    engine = UnigramEngine()
    selected = select(tmp_path, engine=engine)
    found = read_difficulty(tmp_path / DIFFICULTY_FILE)
    assert sorted(found) == sorted(e.example_id for e in (*SHORT, *MIDDLE))
    assert all(len(measured.rewards) == 6 for measured in found.values())
    # Of its stream: the reward is 1 where the first token is even.
    key = "3/phase-2/difficulty/middle1/0/turn-0"
    assert key in engine.sampler.keys
    assert selected.metrics["selection/measured_examples"] == 9.0
    assert sum(example in SHORT for example in selected.examples) == 2
    assert not any(example in LONG for example in selected.examples)


def test_only_earlier_examples_are_measured_if_only_they_are_chosen_by_it(tmp_path):
    config = SelectionConfig(retrospective=RetrospectiveConfig(kind="hardest_first"))
    selected = select(tmp_path, config)
    assert sorted(read_difficulty(tmp_path / DIFFICULTY_FILE)) == [f"short{n}" for n in range(4)]
    assert set(MIDDLE) < set(selected.examples)


def test_measurements_are_reused_for_the_same_model_and_settings_alone(tmp_path):
    first = select(tmp_path, model_id="one")
    engine = UnigramEngine()
    assert select(tmp_path, engine=engine, model_id="one") == first
    assert engine.sampler.keys == []
    for changed in (
        {"model_id": "two"},
        {"config": EVERYTHING.replace(num_rollouts=3)},
        {"seed": 4},
    ):
        engine = UnigramEngine()
        select(tmp_path, **{"engine": engine, "model_id": "one", **changed})
        assert engine.sampler.keys


@pytest.mark.parametrize("num_samples", [1, 7, 13, 30, 50])
def test_killed_measuring_goes_on_where_it_stopped(tmp_path, num_samples):
    straight = select(tmp_path / "straight")

    class Dying(UnigramEngine):
        def logprobs(self, temperature):
            self.left -= 1
            if self.left == 0:
                raise Killed
            return super().logprobs(temperature)

    engine = Dying()
    engine.left = num_samples
    with pytest.raises(Killed):
        select(tmp_path / "killed", engine=engine)
    done = read_difficulty(tmp_path / "killed" / DIFFICULTY_FILE)
    assert len(done) == (num_samples - 1) // 12 * 2  # two examples of six rollouts at once
    engine = UnigramEngine()
    assert select(tmp_path / "killed", engine=engine) == straight
    assert len(engine.sampler.keys) == 6 * (9 - len(done))
    assert read_difficulty(tmp_path / "killed" / DIFFICULTY_FILE) == read_difficulty(
        tmp_path / "straight" / DIFFICULTY_FILE
    )


def test_a_kill_between_two_lines_leaves_no_example_twice(tmp_path):
    select(tmp_path)
    path = tmp_path / DIFFICULTY_FILE
    lines = path.read_text("utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:4]) + lines[4][:20], "utf-8")  # three examples and a torn line
    select(tmp_path)
    assert path.read_text("utf-8").splitlines(keepends=True) == lines


def test_a_damaged_measurement_is_a_data_error_with_its_line(tmp_path):
    select(tmp_path)
    path = tmp_path / DIFFICULTY_FILE
    lines = path.read_text("utf-8").splitlines()
    lines[3] = json.dumps({**json.loads(lines[3]), "rewards": "many"})
    path.write_text("\n".join(lines) + "\n", "utf-8")
    with pytest.raises(DataError, match="line 4 is no measurement"):
        select(tmp_path)


def test_measuring_looks_at_rewards_before_the_length_penalty(tmp_path):
    async def penalised(rollout, example):
        return Reward(value=0.5, reward_parts={"rule": 1.0, "overlong": -0.5}, extracted_answer="")

    config = SelectionConfig(
        num_rollouts=2,
        transition=StageTransitionConfig(enabled=True, too_easy_mean_reward=1.0),
        retrospective=RetrospectiveConfig(kind="hardest_first"),
    )
    selected = select(tmp_path, config, score=penalised)
    assert selected.metrics["selection/too_easy_examples"] == 5.0


def test_progress_is_told(tmp_path):
    told = []
    select(tmp_path, on_progress=lambda *progress: told.append(progress), at_once=4)
    assert told == [("measuring difficulty for phase-2", done, 9) for done in (4, 8, 9)]


def test_a_missing_context_is_found_before_anything_is_measured(tmp_path):
    engine = UnigramEngine()
    with pytest.raises(DataError, match="refers to context c1, which is missing"):
        select(tmp_path, engine=engine, contexts={"c0": make_context("text", "c0")})
    assert engine.sampler.keys == []


def test_a_stage_trains_on_what_was_selected_and_logs_it_once(tmp_path):
    log, drawn = {}, set()
    listen = recorder(log)

    def keep(result):
        listen(result)
        drawn.update(group.example.example_id for group in result.groups)

    config = CONFIG.replace(
        min_prompt_tokens=5, max_prompt_tokens=20, selection=EVERYTHING, num_steps=3
    )
    train(tmp_path, config, keep, examples=[*SHORT, *MIDDLE, *LONG])
    returning = {example_id for example_id in drawn if example_id.startswith("short")}
    assert len(returning) == 2
    assert log[1]["selection/returning_examples"] == 2.0
    assert not [name for name in log[2] if name.startswith("selection/")]
