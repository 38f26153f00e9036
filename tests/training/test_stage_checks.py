"""A stage that its examples do not do for is refused before anything is sampled."""

import pytest

from longloom.errors import ConfigError, DataError
from longloom.training.curriculum import RetrospectiveConfig
from longloom.training.filters import StageTransitionConfig
from longloom.training.selection import SelectionConfig
from longloom.training.stage_checks import check_stage
from longloom.training.validation import ValidationConfig
from questions import make_example
from training.stages import CONFIG, EXAMPLES, train
from training.unigram_engine import UnigramEngine

WITH_BATCH = {size: CONFIG.sampling.replace(batch_size=size) for size in (12, 13, 100)}


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"sampling": WITH_BATCH[13]}, DataError, "12 examples for a batch of 13 prompts"),
        (
            {"sampling": CONFIG.sampling.replace(task_weights={"dialogue_memory": 1.0})},
            ConfigError,
            "task_weights.dialogue_memory is 1.0 but no example has this name",
        ),
        (
            {"validation": ValidationConfig(every_steps=1)},
            DataError,
            "validation.every_steps is 1, but there are no held-out examples",
        ),
        ({"max_prompt_tokens": 1}, DataError, "none of 12 examples has a prompt of 1 to 1 tokens"),
    ],
)
def test_what_a_stage_lacks_is_named_before_a_token_is_drawn(tmp_path, changes, error, message):
    measures = SelectionConfig(transition=StageTransitionConfig(enabled=True))
    config = CONFIG.replace(selection=measures, **changes)
    with pytest.raises(error, match=message):
        check_stage(config, EXAMPLES, (), seed=0)
    engine = UnigramEngine()
    with pytest.raises(error, match=message):
        train(tmp_path, config, engine=engine)
    assert engine.sampler.keys == []
    assert list(tmp_path.iterdir()) == []


def test_a_stage_that_has_what_it_needs_passes_and_draws_nothing():
    held_out = [make_example("held", num_prompt_tokens=50)]
    config = CONFIG.replace(sampling=WITH_BATCH[12], validation=ValidationConfig(every_steps=1))
    assert check_stage(config, EXAMPLES, held_out, seed=0) is None


def test_examples_that_may_come_back_count_for_the_batch():
    longer = [make_example(f"long{n}", num_prompt_tokens=150) for n in range(90)]
    config = CONFIG.replace(min_prompt_tokens=100, max_prompt_tokens=200, sampling=WITH_BATCH[100])
    with pytest.raises(DataError, match="90 examples for a batch of 100"):
        check_stage(config, [*EXAMPLES, *longer], (), seed=0)
    returning = SelectionConfig(retrospective=RetrospectiveConfig(kind="hardest_first"))
    check_stage(config.replace(selection=returning), [*EXAMPLES, *longer], (), seed=0)
