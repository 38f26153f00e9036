import pytest

from longloom.errors import ConfigError
from longloom.training.checkpoints import CheckpointConfig
from longloom.training.curriculum import RetrospectiveConfig
from longloom.training.selection import SelectionConfig
from longloom.training.sft import SftConfig
from longloom.training.stage import TrainingConfig

CONFIG = TrainingConfig(num_steps=1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"group_size": 1}, "GRPO needs at least 2 rollouts"),
        ({"min_prompt_tokens": 20_000}, "the first must be smaller"),
        ({"updates_per_batch": 129}, "sampling.batch_size is 128"),
        (
            {"selection": SelectionConfig(retrospective=RetrospectiveConfig())},
            "min_prompt_tokens is 0, so no example belongs to an earlier stage",
        ),
        (
            {"checkpoints": CheckpointConfig(keep_best="validation")},
            "set validation.every_steps, or keep the best by reward",
        ),
    ],
)
def test_settings_that_exclude_each_other_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        CONFIG.replace(**changes)


def test_the_defaults_are_the_papers():
    assert (CONFIG.group_size, CONFIG.sampling.batch_size, CONFIG.updates_per_batch) == (8, 128, 1)
    assert (CONFIG.temperature, CONFIG.top_p, CONFIG.learning_rate) == (0.7, 0.95, 2e-6)
    assert not CONFIG.selection.measures_own


def test_fine_tuning_has_the_papers_values_and_no_best():
    config = SftConfig()
    assert (config.num_epochs, config.batch_size, config.learning_rate) == (3, 128, 5e-6)
    assert config.max_tokens == 20_000
    with pytest.raises(ConfigError, match="measures no reward"):
        SftConfig().replace(checkpoints=CheckpointConfig(keep_best="reward"))
