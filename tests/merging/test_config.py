import pytest

from longloom.config import parse_config
from longloom.errors import ConfigError
from longloom.merging import MergeConfig


def test_default_is_the_papers_method_over_all_positions() -> None:
    config = MergeConfig()
    assert (config.method, config.select_topk, config.weights) == ("sce", 1.0, None)
    assert config.weights_for(4) == (0.25, 0.25, 0.25, 0.25)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"weights": (1.0,)}, "method sce computes its own coefficients"),
        ({"method": "linear", "weights": ()}, "weights is empty"),
        ({"method": "linear", "weights": (1.0, -1.0)}, "sum to 0"),
        ({"method": "ties", "weights": (1.0, 0.0)}, "needs weights above 0"),
        ({"select_topk": 0.0}, "select_topk is 0.0"),
        ({"density": 1.5}, "density is 1.5"),
        ({"select_top": 1.0}, "did you mean 'select_topk'"),
    ],
)
def test_contradicting_settings_are_refused(settings: dict[str, object], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        parse_config(MergeConfig, settings)
