"""What is planned, said and refused before anything is sent."""

from pathlib import Path
from typing import Any

import pytest

from longloom.errors import ConfigError
from longloom.recipes.verbs.synthesis_plan import plan_synthesis
from longloom.recipes.verbs.synthesize import synthesis_config
from longloom.synthesis.config import SynthesisConfig
from synthesis.endpoint.mill_corpus import write_mill_corpus

URL = "http://127.0.0.1:9/v1"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mill_corpus(tmp_path_factory.mktemp("corpus"))


def config(corpus: Path, *overrides: str, **settings: Any) -> SynthesisConfig:
    asked = {"endpoint": URL, "model_name": "small", **settings}
    return synthesis_config(str(corpus), 100, None, overrides, None, **asked)


def test_plan_without_an_endpoint_says_what_is_left_out(corpus: Path) -> None:
    plan = plan_synthesis(config(corpus, endpoint=None, model_name=None))
    assert plan.lines[-1] == (
        "plan: without --endpoint: no causal, free hypothetical and viewpoint questions, no facts "
        "from prose, no judge, no closed-book check"
    )
    assert plan.num_files == 8 + 7 + 12 + 8 + 10  # mills, people, proposals, tables, talks


def test_plan_counts_calls_by_the_limits(corpus: Path) -> None:
    plan = plan_synthesis(
        config(
            corpus,
            "endpoint.uses.rewriting=true",
            "endpoint.limits.max_judged_documents=20",
            "endpoint.limits.max_checked_questions=50",
            "endpoint.quality.num_samples=3",
        )
    )
    calls = {use.name: use.max_calls for use in plan.uses}
    assert calls["document judge"] == 20 * 3
    assert calls["closed-book check"] == calls["robustness check"] == 50 * 4
    assert calls["rewriting"] == 50 * (1 + 4)
    assert "difficulty" not in calls


def test_use_that_is_off_is_not_planned(corpus: Path) -> None:
    plan = plan_synthesis(config(corpus, "endpoint.uses.self_play=false"))
    assert not any("self-play" in use.name for use in plan.uses)


def test_second_model_is_named_with_what_it_gets(corpus: Path) -> None:
    second = "endpoint.second={url: https://models.example.org/v1, model: large}"
    places = plan_synthesis(config(corpus, second)).places
    assert len(places) == 2
    assert places[0].startswith(f"  {URL}/chat/completions, model small (this machine): ")
    assert places[1].startswith(
        "  https://models.example.org/v1/chat/completions, model large (leaves this machine): "
    )
    assert "self-play, solver and verifier" in places[1]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["endpoint.uses.selfplay=true"], "did you mean 'self_play'"),
        (["endpoint.categories=[viewpoints]"], "expected some of causal"),
        (["endpoint.table_genre=filing"], "expected both or neither"),
        (["endpoint.connection.url=http://me:key@host/v1"], "put the key into LONGLOOM_API_KEY"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    corpus: Path, overrides: list[str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        config(corpus, *overrides)


def test_address_and_model_name_belong_together(corpus: Path) -> None:
    with pytest.raises(ConfigError, match="--endpoint URL --model-name NAME"):
        config(corpus, model_name=None)
