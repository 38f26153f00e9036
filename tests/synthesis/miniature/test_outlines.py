from textwrap import dedent

import pytest

from longloom.errors import DataError
from longloom.synthesis.miniature.documents.python_outline import (
    outline_blocks,
    read_module,
    resolve_name,
)


def _outlines(**sources: str):
    return {
        name: read_module(dedent(source), module=name, is_package=False)
        for name, source in sources.items()
    }


def _texts(outlines, module: str) -> list[str]:
    return [block.text for block in outline_blocks(outlines, module)[0] if block.text]


def test_function_becomes_one_small_block() -> None:
    source = """
        import time
        from shapes import area as surface

        def paint(wall, /, *coats, colour, **rest):
            time.sleep(1)
            dry(surface(wall))
            raise ValueError("wet")

        def dry(wall):
            pass
    """
    assert _texts(_outlines(walls=source), "walls") == [
        "module paint walls\nparameters paint 4\ncallee paint sleep\ncallee paint dry\n"
        "callee paint area\nerror paint ValueError",
        "module dry walls\nparameters dry 1",
        "imports walls time\nimports walls shapes",
    ]


def test_class_names_its_bases_by_their_last_component() -> None:
    source = """
        import enum
        class Colour(enum.Enum, Generic[T], metaclass=Meta): ...
    """
    assert _texts(_outlines(art=source), "art")[0] == (
        "module Colour art\nbase Colour Enum\nbase Colour Generic"
    )


def test_overrides_reach_across_modules_and_name_both_methods() -> None:
    outlines = _outlines(
        zoo="class Animal:\n def eat(self): ...\n def sleep(self): ...",
        farm="from zoo import Animal\nclass Cow(Animal):\n def eat(self): ...\n def moo(self): ...",
    )
    assert "overrides Cow.eat Animal.eat" in _texts(outlines, "farm")


def test_constant_defaults_stand_in_a_block_of_their_own() -> None:
    source = "def f(a, b=1, *, c=None, d='two words', e=[]): ..."
    assert _texts(_outlines(m=source), "m")[-1] == "default f.b 1\ndefault f.c None"


def test_methods_of_objects_and_recursion_are_no_callees() -> None:
    source = """
        import sys
        def f(callback):
            sys.modules.get("x")
            callback()
            f(1)
            "".join([])
            raise error
    """
    assert _texts(_outlines(m=source), "m")[0] == "module f m\nparameters f 1"


def test_first_of_two_definitions_counts() -> None:
    source = "try:\n def f(a): ...\nexcept E:\n def f(a, b): ..."
    assert _texts(_outlines(m=source), "m") == ["module f m\nparameters f 1"]


def test_names_resolve_through_aliases_stars_and_packages() -> None:
    outlines = _outlines(
        core="class Base: ...",
        api="from core import *",
        user="import api as a\nfrom api import Base as Root\nclass X(a.Base): ...",
    )
    assert resolve_name(outlines, "user", "a.Base") == ("core", "Base")
    assert resolve_name(outlines, "user", "Root") == ("core", "Base")
    assert resolve_name(outlines, "user", "unknown") is None


def test_references_lead_to_the_defining_module() -> None:
    outlines = _outlines(core="def work(): ...", user="from core import work\ndef go():\n work()")
    assert outline_blocks(outlines, "user")[1] == {"work": "core"}


def test_relative_imports_are_made_absolute() -> None:
    outline = read_module("from ..b import c\nfrom . import d", module="p.q.r", is_package=False)
    assert outline.imported_modules == ("p.b", "p.q")


def test_import_cycle_ends() -> None:
    outlines = _outlines(a="from b import x", b="from a import x")
    assert resolve_name(outlines, "a", "x") is None


@pytest.mark.parametrize("source", ["def f(:", "x = '\ud800'.encode(", "(" * 500])
def test_invalid_source_is_refused(source: str) -> None:
    with pytest.raises(DataError, match="module m cannot be parsed"):
        read_module(source, module="m", is_package=False)
