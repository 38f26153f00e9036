"""Settings are checked on every way in: building, replacing, overriding."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError, model_validator

from longloom.config import (
    FrozenConfig,
    apply_overrides,
    nearest_key,
    parse_config,
    read_yaml,
)
from longloom.errors import ConfigError


class StageConfig(FrozenConfig):
    """One stage."""

    num_steps: int = Field(default=4, ge=1)
    """Optimizer steps."""
    max_prompt_tokens: int = 96
    """Longer prompts are left out."""


class PlanConfig(FrozenConfig):
    """A whole plan."""

    group_size: int = 8
    """Rollouts per prompt."""
    learning_rate: float = 2e-6
    """Of the optimizer."""
    first: StageConfig = StageConfig()
    """The first stage."""
    stages: tuple[StageConfig, ...] = (StageConfig(), StageConfig())
    """All stages."""

    @model_validator(mode="after")
    def _group_is_a_group(self) -> "PlanConfig":
        if self.group_size < 2:
            raise ValueError(
                f"group_size is {self.group_size}; GRPO needs at least 2 rollouts per prompt "
                "(set training.group_size)."
            )
        return self


def test_config_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        PlanConfig().group_size = 4


def test_replace_returns_a_new_config() -> None:
    plan = PlanConfig()
    assert plan.replace(group_size=4).group_size == 4
    assert plan.group_size == 8


def test_replace_keeps_the_nested_settings() -> None:
    plan = PlanConfig(first=StageConfig(num_steps=7))
    assert plan.replace(group_size=4).first == StageConfig(num_steps=7)


def test_replace_validates_again() -> None:
    with pytest.raises(ConfigError, match=r"^group_size is 1; GRPO needs at least 2"):
        PlanConfig().replace(group_size=1)


def test_unknown_key_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="unknown setting 'grop_size'; did you mean 'group_size'"):
        parse_config(PlanConfig, {"grop_size": 4})


def test_unknown_key_inside_a_list_names_its_path() -> None:
    with pytest.raises(ConfigError, match=r"'stages\.1\.num_step'; did you mean 'num_steps'"):
        parse_config(PlanConfig, {"stages": [{}, {"num_step": 1}]})


def test_unknown_key_like_no_other_is_answered_with_all() -> None:
    with pytest.raises(ConfigError, match="known settings: num_steps, max_prompt_tokens"):
        parse_config(StageConfig, {"zzz": 1})


def test_refused_value_is_named_with_its_path() -> None:
    with pytest.raises(ConfigError, match=r"^first\.num_steps is 0: input should be greater"):
        parse_config(PlanConfig, {"first": {"num_steps": 0}})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_refused(value: float) -> None:
    with pytest.raises(ConfigError, match="learning_rate"):
        parse_config(PlanConfig, {"learning_rate": value})


def test_settings_carry_their_docstrings() -> None:
    assert PlanConfig.model_fields["group_size"].description == "Rollouts per prompt."


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("group_size=4", ("group_size",), 4),
        ("first.num_steps=9", ("first", "num_steps"), 9),
        ("stages.1.num_steps=3", ("stages", 1, "num_steps"), 3),
        ("learning_rate=1.0e-5", ("learning_rate",), 1e-5),
        ("group_size=[1, 2]", ("group_size",), [1, 2]),
        ("group_size=a=b", ("group_size",), "a=b"),
        ("group_size={", ("group_size",), "{"),
    ],
)
def test_override_reaches_its_setting(
    override: str, path: tuple[str | int, ...], value: object
) -> None:
    reached: object = apply_overrides(PlanConfig().model_dump(), [override])
    for step in path:
        reached = reached[step]  # type: ignore[index]
    assert reached == value


def test_overrides_leave_the_original_alone() -> None:
    settings = {"first": {"num_steps": 1}, "stages": [{"num_steps": 2}]}
    apply_overrides(settings, ["first.num_steps=5", "stages.0.num_steps=5"])
    assert settings == {"first": {"num_steps": 1}, "stages": [{"num_steps": 2}]}


def test_last_override_wins() -> None:
    assert apply_overrides({"a": 1}, ["a=2", "a=3"]) == {"a": 3}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("group_size", "not of the form a.b=c"),
        ("=4", "not of the form a.b=c"),
        ("group_sise=4", "did you mean 'group_size'"),
        ("first.num_step=4", r"'first\.num_step'; did you mean 'num_steps'"),
        ("stages.2.num_steps=4", "'2' is not an index below 2"),
        ("stages.x=4", "'x' is not an index below 2"),
        ("group_size.a=4", "'group_size' has no settings"),
    ],
)
def test_override_without_a_target_is_refused(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        apply_overrides(PlanConfig().model_dump(), [override])


def test_nearest_key_of_something_strange_is_empty() -> None:
    assert nearest_key("zzz", ["num_steps"]) == ""


@given(st.dictionaries(st.text("abc", min_size=1), st.integers(), min_size=1), st.data())
def test_override_changes_its_key_alone(settings: dict[str, int], drawn: st.DataObject) -> None:
    key = drawn.draw(st.sampled_from(sorted(settings)))
    value = drawn.draw(st.integers())
    assert apply_overrides(settings, [f"{key}={value}"]) == settings | {key: value}


def test_words_of_settings_are_no_truth_values():
    changed = apply_overrides({"mode": "token", "is_on": False}, ["mode=off", "is_on=true"])
    assert changed == {"mode": "off", "is_on": True}
    assert read_yaml("[on, off, yes, no, True, 'true', 3, null]") == [
        "on", "off", "yes", "no", True, "true", 3, None
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["a: &a [*a]", "&a {b: [{c: *a}]}", "[" * 5000])
def test_values_without_an_end_are_no_yaml(text):
    with pytest.raises(yaml.YAMLError):
        read_yaml(text)


def test_repeated_values_are_read():
    assert read_yaml("{a: &a [1], b: *a, c: &c [2], d: *c}") == {
        "a": [1], "b": [1], "c": [2], "d": [2]
    }  # fmt: skip


@pytest.mark.parametrize(
    ("override", "fix"),
    [
        ("engine.lora.rank=4", "--set 'engine.lora={rank: 4}'"),
        ("engine.lora.a.b=[1, 2]", "--set 'engine.lora={a: {b: [1, 2]}}'"),
    ],
)
def test_setting_of_a_group_that_is_null_says_how_to_give_the_group(override, fix) -> None:
    settings = {"engine": {"lora": None}}
    with pytest.raises(ConfigError, match=r"engine.lora is null") as raised:
        apply_overrides(settings, [override])
    assert str(raised.value).endswith(fix)
    given = fix.removeprefix("--set '").removesuffix("'")
    assert apply_overrides(settings, [given])["engine"]["lora"]
