import ast

import pytest

from longloom.synthesis.documents.python_names import (
    ModuleNames,
    is_package,
    local_names,
    module_name,
)

MODULE = """\
import os, os.path
import email.utils
import json as js
from . import events
from .base import Loop, run
from .log import logger
from sys import *

def twice(): pass
def twice(): pass

if js:
    def chosen(): pass

class Base:
    def close(self): pass

class Child(Base):
    def open(self): pass
    alias = open

class Far(Loop):
    pass

def rebinds():
    global chosen
"""


@pytest.fixture(scope="module")
def names() -> ModuleNames:
    return ModuleNames("shop.lamps", in_package=False, tree=ast.parse(MODULE))


@pytest.mark.parametrize(
    ("dotted", "name", "kind"),
    [
        ("os.getcwd", "os.getcwd", "function"),
        ("os.path.join", "os.path.join", "function"),
        ("email.utils.parseaddr", "email.utils.parseaddr", "function"),
        ("js.dumps", "json.dumps", "function"),
        ("js.JSONEncoder", "json.JSONEncoder", "class"),
        ("events.get_loop", "shop.events.get_loop", "function"),
        ("Loop", "shop.base.Loop", "class"),
        ("run", "shop.base.run", "function"),
        ("Base.close", "shop.lamps.Base.close", "function"),
        ("Child", "shop.lamps.Child", "class"),
    ],
)
def test_names_of_the_module_and_its_imports_are_resolved(
    names: ModuleNames, dotted: str, name: str, kind: str
):
    named = names.resolve(dotted)
    assert named is not None
    assert (named.name, named.kind) == (name, kind)


@pytest.mark.parametrize(
    "dotted",
    ["twice", "chosen", "logger.warning", "os.environ.get", "unknown", "len", "os", "Child.close"],
)
def test_what_the_module_alone_cannot_tell_stays_open(names: ModuleNames, dotted: str):
    assert names.resolve(dotted) is None


def test_hidden_names_are_not_resolved(names: ModuleNames):
    assert names.resolve("run", frozenset(["run"])) is None


def test_members_are_found_in_the_class_and_its_bases(names: ModuleNames):
    assert names.find_member("Child", "open") == "Child.open"
    assert names.find_member("Child", "close") == "Base.close"
    assert names.find_member("Child", "alias") == ""
    assert names.find_member("Far", "close") == ""


def test_local_names_are_what_a_function_binds():
    tree = ast.parse(
        "def f(a, *b, c=1, **d):\n"
        "    global g\n"
        "    g = e = 1\n"
        "    import h.i\n"
        "    def j():\n"
        "        k = 1\n"
        "    with l as m: pass\n"
    )
    (function,) = tree.body
    assert isinstance(function, ast.FunctionDef)
    assert local_names(function) == set("abcdehjm")


def test_modules_are_named_by_their_path():
    assert module_name("asyncio/events.py") == "asyncio.events"
    assert module_name("src/shop/__init__.py") == "shop"
    assert module_name("usr/lib/python3.11/site-packages/shop/lamps.py") == "shop.lamps"
    assert is_package("src/shop/__init__.py")
    assert not is_package("src/shop/init.py")
