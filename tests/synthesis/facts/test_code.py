import sysconfig
import time
from pathlib import Path

import pytest

from longloom.synthesis.documents.python_source import read
from longloom.synthesis.documents.reader import SourceFile
from longloom.synthesis.facts.code import KINDS, RELATIONS, extract
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.facts.showing import shows_value

MODULE = '''\
"""Sells every kind of light."""

import os
from .base import Shop, open_door as door
from .errors import Closed

__all__ = ["Lamp"]
LIMIT = 1_200
NAME = "old lamps"
TWICE = 1
TWICE = 2


class Fixture(Shop):
    """Anything that shines."""

    watts = 40

    def light(self): pass


@door
class Lamp(Fixture, Exception):

    def light(self, level=3, *, mode="dim", limit=LIMIT, rest=None) -> "int":
        """Make it "bright" at once."""
        self.check(level)
        os.path.join("a")
        unknown.method()
        return Fixture()

    def check(self, level):
        if level:
            raise ValueError("\u00e9") or 1
        raise Closed


def main(run):
    run()
    lamp = Lamp()
    helper()


def helper():
    raise err


def helped():
    make = lambda: main()
'''


def facts_of(text: str, name: str = "src/shop/lamps.py") -> tuple[list[Fact], str]:
    (reading,) = read(SourceFile(name=name, payload=text.encode()))
    return extract(reading), reading.document.text


def stated(relation: str) -> set[tuple[str, str, str]]:
    facts, text = facts_of(MODULE)
    return {
        (fact.subject, fact.value, text[fact.start : fact.end])
        for fact in facts
        if fact.relation == f"code.{relation}"
    }


def test_definitions_belong_to_their_module_and_class():
    assert stated("defines_class") == {
        ("shop.lamps", "shop.lamps.Fixture", "Fixture"),
        ("shop.lamps", "shop.lamps.Lamp", "Lamp"),
    }
    assert {value for _, value, _ in stated("defines_function")} == {
        "shop.lamps.main",
        "shop.lamps.helper",
        "shop.lamps.helped",
    }
    assert ("shop.lamps.Lamp", "shop.lamps.Lamp.check", "check") in stated("has_method")


def test_bases_are_stated_where_all_are_understood():
    assert stated("inherits") == {
        ("shop.lamps.Fixture", "shop.base.Shop", "Shop"),
        ("shop.lamps.Lamp", "shop.lamps.Fixture", "Fixture"),
        ("shop.lamps.Lamp", "Exception", "Exception"),
    }


def test_an_override_is_shown_at_the_method_it_replaces():
    assert stated("overrides") == {
        ("shop.lamps.Lamp.light", "shop.lamps.Fixture.light", "light"),
    }
    facts, text = facts_of(MODULE)
    (start,) = [fact.start for fact in facts if fact.relation == "code.overrides"]
    assert start < text.index("class Lamp")


def test_calls_are_stated_by_what_they_reach():
    assert stated("calls_own") == {
        ("shop.lamps.Lamp.light", "shop.lamps.Lamp.check", "self.check"),
        ("shop.lamps.main", "shop.lamps.helper", "helper"),
    }
    assert stated("calls_imported") == {
        ("shop.lamps.Lamp.light", "os.path.join", "os.path.join"),
    }
    assert stated("instantiates") == {
        ("shop.lamps.Lamp.light", "shop.lamps.Fixture", "Fixture"),
        ("shop.lamps.main", "shop.lamps.Lamp", "Lamp"),
    }


def test_raises_are_left_out_where_one_is_not_understood():
    assert stated("raises") == set()
    facts, _ = facts_of("def f(x):\n    if x: raise ValueError('a')\n    raise KeyError\n")
    raised = [fact.value for fact in facts if fact.relation == "code.raises"]
    assert raised == ["ValueError", "KeyError"]


def test_constants_are_what_is_assigned_once():
    assert stated("constant_number") == {
        ("shop.lamps.LIMIT", "1200", "1_200"),
        ("shop.lamps.Fixture.watts", "40", "40"),
    }
    assert stated("constant_text") == {("shop.lamps.NAME", "old lamps", "old lamps")}


def test_defaults_belong_to_parameters():
    light = "shop.lamps.Lamp.light"
    assert stated("default_number") == {(f"parameter level of {light}", "3", "3")}
    assert stated("default_text") == {(f"parameter mode of {light}", "dim", "dim")}
    assert stated("default_name") == {(f"parameter limit of {light}", "LIMIT", "LIMIT")}
    assert {shown for _, _, shown in stated("has_parameter")} == {"level", "mode", "limit"}


def test_docstrings_annotations_and_imports_are_stated():
    assert stated("module_summary") == {
        ("shop.lamps", "Sells every kind of light.", "Sells every kind of light.")
    }
    assert stated("summary") == set()  # the line holds quotation marks
    assert stated("returns") == {("shop.lamps.Lamp.light", '"int"', '"int"')}
    assert stated("imports") == {
        ("shop.lamps", "os", "os"),
        ("shop.lamps", "shop.base", "base"),
        ("shop.lamps", "shop.errors", "errors"),
    }


def test_offsets_count_characters_and_not_bytes():
    facts, text = facts_of('A = "\u00e9\u00e8"; LIMIT = 12\n', "a.py")
    shown = [text[fact.start : fact.end] for fact in facts if fact.relation.endswith("number")]
    assert shown == ["12"]


def test_a_module_that_states_nothing_has_no_facts():
    assert facts_of("x = y\n")[0] == []


@pytest.mark.parametrize(
    "hostile",
    [
        "a = 1; " * 10_000,
        "\u00e9 = 1; " * 10_000,
        "class A:\n" + "".join(f"    def f{n}(self): self.no()\n" for n in range(5_000)),
        "class A(A): pass\n" * 10_000,
        "def f():\n" + "    g()\n" * 10_000,
        "x" + ".y" * 800 + "()\n",
    ],
    ids=["line", "wide line", "methods", "classes", "calls", "dots"],
)
def test_hostile_source_takes_linear_time(hostile: str):
    start = time.process_time()
    facts_of(hostile)
    assert time.process_time() - start < 10


def test_every_span_in_the_standard_library_shows_its_value():
    folder = Path(sysconfig.get_path("stdlib")) / "asyncio"
    if not folder.is_dir():
        pytest.skip("the standard library has no asyncio folder here")
    num_facts = 0
    for path in sorted(folder.glob("*.py"))[:12]:
        facts, text = facts_of(path.read_text("utf-8"), f"asyncio/{path.name}")
        num_facts += len(facts)
        assert not [fact for fact in facts if not shows_value(fact, text[fact.start : fact.end])]
    assert num_facts > 500


def test_every_relation_is_worded():
    kinds = {kind.name for kind in KINDS} | {"date", "number", "text"}
    assert len({relation.name for relation in RELATIONS}) == len(RELATIONS)
    for relation in RELATIONS:
        assert {relation.subject_kind, relation.value_kind} <= kinds
        assert "{x}" in relation.question
        assert "{x}" in relation.noun
        assert "{v}" in relation.clause
