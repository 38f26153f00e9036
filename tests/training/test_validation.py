import pytest

from longloom.errors import DataError
from longloom.records import Reward, TaskType
from longloom.training.validation import ValidationConfig, validate, validation_examples
from questions import make_example
from training.stages import CONFIG, EXAMPLES, make_inputs, recorder, train
from training.unigram_engine import UnigramEngine

HELD_OUT = [make_example(f"h{n}", num_prompt_tokens=n, context_id="c0") for n in range(1, 41)]


def chosen(config, examples, seed=0):
    return validation_examples(config, examples, max_prompt_tokens=30, seed=seed)


def test_the_same_examples_are_taken_every_time_in_whatever_order_they_come():
    config = ValidationConfig(every_steps=1, num_examples=5)
    first = chosen(config, HELD_OUT)
    assert len(first) == 5
    assert chosen(config, HELD_OUT[::-1]) == first
    assert chosen(config, HELD_OUT, seed=1) != first
    assert all(example.num_prompt_tokens <= 30 for example in first)


def test_all_are_taken_if_there_are_fewer():
    assert len(chosen(ValidationConfig(every_steps=1), HELD_OUT)) == 30


def test_validation_that_is_off_needs_no_examples():
    assert chosen(ValidationConfig(), []) == ()


def test_validation_without_fitting_examples_is_a_data_error():
    with pytest.raises(DataError, match="none of 10 held-out examples"):
        chosen(ValidationConfig(every_steps=1), HELD_OUT[30:])


def test_greedy_answers_are_the_same_for_every_key(tmp_path):
    inputs = make_inputs(tmp_path, engine=UnigramEngine((0.0, 0.0, 2.0, 0.0, 0.0, 0.0)))
    config = ValidationConfig(every_steps=1)
    found = [
        validate(config, inputs, EXAMPLES[:4], max_response_tokens=2, step=step, key="3/stage")
        for step in (1, 2)
    ]
    # Token 2 is even: every answer scores 1.
    expected = {
        "validation/reward_mean": 1.0,
        "validation/failed_fraction": 0.0,
        "validation/reward_multi_hop": 1.0,
        "validation/reward_numerical": 1.0,
    }
    assert found == [expected, expected]


def test_tasks_are_averaged_over_their_own_examples(tmp_path):
    async def by_task(rollout, example):
        value = {TaskType.MULTI_HOP: 0.25, TaskType.NUMERICAL: 0.75}[example.task_type]
        return Reward(value=value - 0.1, reward_parts={"overlong": -0.1}, extracted_answer="")

    examples = [EXAMPLES[0], EXAMPLES[1], EXAMPLES[2]]
    metrics = validate(
        ValidationConfig(every_steps=1),
        make_inputs(tmp_path, score=by_task),
        examples,
        max_response_tokens=2,
        step=1,
        key="k",
    )
    assert metrics["validation/reward_mean"] == pytest.approx((0.25 + 0.75 + 0.25) / 3)
    assert metrics["validation/reward_numerical"] == pytest.approx(0.75)


def test_a_stage_validates_when_it_is_due_and_after_its_last_step(tmp_path):
    log = {}
    config = CONFIG.replace(num_steps=5, validation=ValidationConfig(every_steps=2))
    train(tmp_path, config, recorder(log), validation=EXAMPLES)
    assert [step for step in log if "validation/reward_mean" in log[step]] == [2, 4, 5]


def test_validation_does_not_change_the_training(tmp_path):
    logs = {}, {}
    train(tmp_path / "without", CONFIG, recorder(logs[0]))
    config = CONFIG.replace(validation=ValidationConfig(every_steps=1, temperature=1.0))
    train(tmp_path / "with", config, recorder(logs[1]), validation=EXAMPLES)
    for step, metrics in logs[1].items():
        trained = {k: v for k, v in metrics.items() if not k.startswith("validation/")}
        assert trained == logs[0][step]
