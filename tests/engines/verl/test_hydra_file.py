"""Settings and the YAML they are written as."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from longloom.engines.verl.hydra_file import WIDTH, Settings, hydra_text
from longloom.errors import ConfigError

names = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])).filter(lambda text: "${" not in text),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


def text_of(settings):
    return hydra_text(settings, base="ppo_trainer", run_folder="/runs/a", title="a stage")


@given(st.dictionaries(names, plain, max_size=5), st.text(st.characters(categories=["L", "Zs"])))
def test_values_are_read_back_as_they_were(values, reason):
    settings = Settings()
    settings.set("group", {"nested": values})
    settings.set("last", 1, " ".join(reason.split()))
    found = yaml.safe_load(text_of(settings))
    assert found["last"] == 1
    assert found["group"]["nested"] == values if values else True
    assert found["defaults"] == ["ppo_trainer", "_self_"]
    assert found["hydra"]["searchpath"] == ["pkg://verl.trainer.config"]


@pytest.mark.parametrize(
    "word", ["off", "yes", "null", "1e-6", "1_000", "0x10", "12:30:00", "~", ""]
)
def test_words_that_yaml_takes_for_something_else_are_quoted(word):
    settings = Settings()
    settings.set("word", word)
    assert f'word: "{word}"' in text_of(settings)


def test_what_hydra_would_take_for_a_reference_is_escaped():
    settings = Settings()
    settings.set("folder", "/runs/${HOME}")
    assert yaml.safe_load(text_of(settings))["folder"] == "/runs/\\${HOME}"


def test_reasons_stand_behind_or_above_their_lines():
    settings = Settings()
    settings.set("a.short", 1, "why")
    settings.set("a.long", 2, "because " * 20 + "of it")
    lines = text_of(settings).splitlines()
    assert "  short: 1  # why" in lines
    place = lines.index("  long: 2")
    assert lines[place - 1].endswith("of it")
    assert lines[place - 2].startswith("  # because")
    assert max(map(len, lines)) <= WIDTH


def test_a_later_value_takes_the_place_of_an_earlier():
    settings = Settings()
    settings.set("a.b", 1, "first")
    settings.set("a.b", 2)
    assert settings.nested() == {"a": {"b": 2}}
    assert settings.reasons() == {}
    assert settings.get("a.b") == 2
    assert settings.get("a.c", None) is None
    with pytest.raises(KeyError):
        settings.get("a.c")


@pytest.mark.parametrize(("first", "second"), [("a.b", "a.b.c"), ("a.b.c", "a.b")])
def test_a_setting_is_no_group(first, second):
    settings = Settings()
    settings.set(first, 1)
    with pytest.raises(ConfigError, match="contradicts"):
        settings.set(second, 2)


def test_an_empty_group_can_be_filled():
    settings = Settings()
    settings.set("v1.longloom", {})
    assert settings.nested() == {"v1": {"longloom": {}}}
    settings.set("v1.longloom.a", 1)
    assert settings.nested() == {"v1": {"longloom": {"a": 1}}}
