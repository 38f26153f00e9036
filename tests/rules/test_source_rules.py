"""The house rules that are about single source files.

Each rule is a function from a file's text to the places that break it; it is tested on a snippet
that breaks it, then on the package. A line that must break a rule about names or calls says so:
`# breaks a rule: <why>`.
"""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from repository import SOURCE, rooms, shown, source_files

MAX_MODULE_LINES = 500
MAX_FUNCTION_LINES = 80
ROOM_DOCSTRING_LINES = range(5, 21)
BANNED_FILES = {"base_utils", "common", "helpers", "misc", "util", "utils"}
BANNED_NAMES = {"data", "handle", "info", "item", "manager", "obj", "process", "res", "tmp"}
BANNED_PREFIXES = ("do_", "my_")
_EXCUSE = re.compile(r"# breaks a rule: \S+ \S+")
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

Rule = Callable[[str], list[str]]


def oversized_modules(text: str) -> list[str]:
    """A module has at most 500 lines, unless it is a table: no function, no class."""
    is_table = not any(isinstance(node, _Definition) for node in ast.walk(ast.parse(text)))
    num_lines = len(text.splitlines())
    return [f"1: {num_lines} lines"] if num_lines > MAX_MODULE_LINES and not is_table else []


def oversized_functions(text: str) -> list[str]:
    """A function has at most 80 lines, its docstring included."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            num_lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if num_lines > MAX_FUNCTION_LINES:
                found.append(f"{node.lineno}: {node.name} has {num_lines} lines")
    return found


def banned_names(text: str) -> list[str]:
    """Variables, parameters, attributes and functions are called by what they are."""
    lines = text.splitlines()
    return [
        f"{line}: {name}"
        for line, name in _bound_names(ast.parse(text))
        if (name in BANNED_NAMES or name.startswith(BANNED_PREFIXES))
        and not _EXCUSE.search(lines[line - 1])
    ]


def _bound_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id if isinstance(node, ast.Name) else node.attr
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            yield node.lineno, node.name
        elif isinstance(node, ast.alias) and node.asname:
            yield node.lineno, node.asname
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.lineno, node.name


def prints(text: str) -> list[str]:
    """Only the command line prints."""
    return [f"{line}: print" for line, name, _ in _calls(text) if name == "print"]


def dangerous_calls(text: str) -> list[str]:
    """Nothing that is read is ever executed: no eval, no pickle, no shell."""
    lines = text.splitlines()
    found = [
        f"{line}: {name}" for line, name, call in _calls(text) if _is_dangerous(name, call.keywords)
    ]
    for node in ast.walk(ast.parse(text)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        found += [f"{node.lineno}: {name}" for name in names if name in _PICKLES]
    return [place for place in found if not _EXCUSE.search(lines[int(place.split(":")[0]) - 1])]


_PICKLES = {"cloudpickle", "dill", "marshal", "pickle", "shelve"}
_EXECUTING = {"eval", "exec", "os.popen", "os.system", "pickle.load", "pickle.loads", "yaml.load"}


def _is_dangerous(name: str, keywords: list[ast.keyword]) -> bool:
    constant_by_keyword = {
        word.arg: word.value.value for word in keywords if isinstance(word.value, ast.Constant)
    }
    is_unsafe_load = name == "torch.load" and constant_by_keyword.get("weights_only") is not True
    return name in _EXECUTING or is_unsafe_load or constant_by_keyword.get("shell") is True


def _calls(text: str) -> Iterator[tuple[int, str, ast.Call]]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            yield node.lineno, ast.unparse(node.func), node


def missing_docstrings(text: str) -> list[str]:
    """Every public class, function and method says what it is for."""
    tree = ast.parse(text)
    found = [] if ast.get_docstring(tree) else ["1: the module"]
    return found + [
        f"{node.lineno}: {node.name}"
        for node in _public_definitions(tree.body)
        if not ast.get_docstring(node)
    ]


def _public_definitions(body: list[ast.stmt]) -> Iterator[_Definition]:
    for node in body:
        if isinstance(node, _Definition) and not node.name.startswith("_"):
            decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
            if not {"overload", "override"} & decorators and not any(
                decorator.endswith(".setter") for decorator in decorators
            ):
                yield node
            if isinstance(node, ast.ClassDef):
                yield from _public_definitions(node.body)


def too_short_or_long_room_docstrings(text: str) -> list[str]:
    """A room opens with 5 to 20 lines: what it is, the flow, the section, what to read."""
    docstring = ast.get_docstring(ast.parse(text)) or ""
    num_lines = len(docstring.splitlines())
    return [] if num_lines in ROOM_DOCSTRING_LINES else [f"1: docstring of {num_lines} lines"]


_DOCUMENTED = '"""A module."""\n'
BREAKING: dict[Rule, list[str]] = {
    oversized_modules: ["def f(): pass\n" + "a = 1\n" * 500],
    oversized_functions: ["def f():\n" + "    a = 1\n" * 80],
    banned_names: [
        "data = 1",
        "def f(item): pass",
        "def do_it(): pass",
        "for obj in []: pass",
        "with f() as handle: pass",
        "try: pass\nexcept E as res: pass",
        "class C:\n    info: int",
        "def f(self): self.tmp = 1",
        "import numpy as data",
        "(lambda process: 1)",
        "match 1:\n    case manager: pass",
        "my_sum = 1  # breaks a rule:",
    ],
    prints: ["def f(): print(1)"],
    dangerous_calls: [
        "eval('1')",
        "exec('1')",
        "import pickle",
        "from pickle import loads",
        "subprocess.run('ls', shell=True)",
        "os.system('ls')",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "yaml.load(text)",
    ],
    missing_docstrings: [
        "a = 1",
        _DOCUMENTED + "def f(): pass",
        _DOCUMENTED + "class C:\n    '''C.'''\n    def f(self): pass",
    ],
    too_short_or_long_room_docstrings: ['"""One line."""', '"""' + "line\n" * 21 + '"""'],
}
KEEPING: dict[Rule, list[str]] = {
    oversized_modules: ["a = 1\n" * 501, "def f(): pass\n" + "a = 1\n" * 499],
    oversized_functions: ["def f():\n" + "    a = 1\n" * 79],
    banned_names: ["dataset = items = 1", "print(info)", "data = 1  # breaks a rule: API's name"],
    prints: ["pprint(1)"],
    dangerous_calls: [
        "model.eval()",
        "torch.load(path, weights_only=True)",
        "subprocess.run(['ls'])",
        "yaml.safe_load(text)",
    ],
    missing_docstrings: [_DOCUMENTED + "def _f(): pass\ndef g():\n    '''G.'''\n    def h(): pass"],
    too_short_or_long_room_docstrings: ['"""' + "line\n" * 5 + '"""'],
}


@pytest.mark.parametrize(("rule", "text"), [(r, t) for r, texts in BREAKING.items() for t in texts])
def test_rule_finds_what_breaks_it(rule: Rule, text: str) -> None:
    assert rule(text)


@pytest.mark.parametrize(("rule", "text"), [(r, t) for r, texts in KEEPING.items() for t in texts])
def test_rule_accepts_what_keeps_it(rule: Rule, text: str) -> None:
    assert rule(text) == []


def _broken(rule: Rule, paths: list[Path]) -> list[str]:
    return [f"{shown(path)}:{place}" for path in paths for place in rule(path.read_text("utf-8"))]


@pytest.mark.parametrize(
    "rule", [banned_names, dangerous_calls, missing_docstrings, oversized_functions]
)
def test_package_keeps_the_rule(rule: Rule) -> None:
    assert _broken(rule, source_files()) == []


def test_package_has_no_oversized_module() -> None:
    assert _broken(oversized_modules, source_files()) == []


def test_only_the_command_line_prints() -> None:
    library = [path for path in source_files() if SOURCE / "cli" not in path.parents]
    assert _broken(prints, library) == []


def test_every_room_opens_with_its_docstring() -> None:
    openings = [room / "__init__.py" for room in rooms()]
    assert len(openings) > 10
    assert _broken(too_short_or_long_room_docstrings, openings) == []


def has_banned_file_name(path: Path) -> bool:
    """Whether the file or its folder is a drawer without a name."""
    return bool(BANNED_FILES & {path.stem, path.parent.name})


def test_file_name_rule_finds_drawers_without_a_name() -> None:
    assert has_banned_file_name(Path("longloom/text/utils.py"))
    assert has_banned_file_name(Path("longloom/common/text.py"))
    assert not has_banned_file_name(Path("longloom/text/prompts.py"))


def test_no_file_is_a_drawer_without_a_name() -> None:
    assert [shown(path) for path in source_files() if has_banned_file_name(path)] == []
