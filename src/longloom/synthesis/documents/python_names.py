"""Names in a Python module: what a dotted name means, as far as the module alone can tell.

    names = ModuleNames("asyncio.tasks", is_package=False, tree=tree)
    names.resolve("events.get_event_loop").name == "asyncio.events.get_event_loop"

It is NOT a type checker: a name bound twice, a name a function binds itself and an attribute of an
unknown instance stay unresolved.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

NamedKind = Literal["class", "function"]
Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef

_ROOT = re.compile(r"^(?:.*/)?(?:site-packages|dist-packages|python3\.\d+|src|Lib|lib)/")
_MAX_NESTED_CLASSES = 3
_MAX_BASES = 8
_MODULES_INSIDE = frozenset(("concurrent.futures", "os.path", "xml.dom", "xml.etree"))
_LOWER_CASE_CLASSES = frozenset(
    {
        "array.array",
        "collections.defaultdict",
        "collections.deque",
        "functools.partial",
        "functools.partialmethod",
        "threading.local",
    }
)
_CLASS_MODULES = frozenset(("datetime", "itertools"))
_UNCLEAR_MODULES = frozenset(("_ctypes", "_msi", "_winapi", "ctypes", "msilib", "winreg"))


@dataclass(frozen=True, slots=True)
class Named:
    """What a name stands for."""

    name: str
    """Full dotted name."""
    kind: NamedKind
    """Class or function, for imported names by how they are written."""


def module_name(path: str) -> str:
    """Return the dotted name a file would be imported by, guessed from its path."""
    inner = _ROOT.sub("", path).removesuffix(".py")
    return inner.removesuffix("/__init__").strip("/").replace("/", ".")


def is_package(path: str) -> bool:
    """Tell whether a file is the module of a package."""
    return path.rpartition("/")[2] == "__init__.py"


def dotted_name(node: ast.expr) -> str:
    """Return `a.b.c` for such an expression, else nothing."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield statements with those under `if`, `try`, `with` and loops, in no certain order."""
    waiting = list(reversed(body))
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, Definition):
            continue
        for field in ("finalbody", "orelse", "handlers", "body", "cases"):
            for child in reversed(getattr(node, field, [])):
                if isinstance(child, ast.stmt):
                    waiting.append(child)
                else:
                    waiting += reversed(child.body)


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """Yield the nodes of a function's body, without those of scopes inside it."""
    waiting: list[ast.AST] = list(reversed(function.body))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, Definition | ast.Lambda):
            waiting += reversed(list(ast.iter_child_nodes(node)))


def parameters(function: Function) -> list[ast.arg]:
    """Return the parameters in order, the starred ones last."""
    arguments = function.args
    starred = [arg for arg in (arguments.vararg, arguments.kwarg) if arg is not None]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *starred]


def local_names(function: Function) -> frozenset[str]:
    """Return the names a function binds itself."""
    names = {arg.arg for arg in parameters(function)}
    outer: set[str] = set()
    for node in own_nodes(function):
        names.update(bound_names(node))
        if isinstance(node, ast.Global | ast.Nonlocal):
            outer.update(node.names)
    return frozenset(names - outer)


def bound_names(node: ast.AST) -> Iterator[str]:
    """Yield the names that one node binds by itself."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
        yield node.id
    elif isinstance(node, Definition):
        yield node.name
    elif isinstance(node, ast.Import | ast.ImportFrom):
        for alias in node.names:
            yield alias.asname or alias.name.partition(".")[0]
    elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
        yield node.name


def import_base(node: ast.ImportFrom, module: str, *, in_package: bool) -> str:
    """Return the module that `from ... import` takes names from; nothing if it leaves the top."""
    if not node.level:
        return node.module or ""
    parts = module.split(".") if in_package else module.split(".")[:-1]
    if node.level > len(parts):
        return ""
    return ".".join([*parts[: len(parts) - node.level + 1], *filter(None, [node.module])])


def imported_names(
    node: ast.Import | ast.ImportFrom, module: str, *, in_package: bool
) -> Iterator[tuple[ast.alias, str]]:
    """Yield every alias of an import with the dotted name it stands for."""
    if isinstance(node, ast.Import):
        yield from ((alias, alias.name) for alias in node.names)
    elif base := import_base(node, module, in_package=in_package):
        yield from ((alias, f"{base}.{alias.name}") for alias in node.names)


class ModuleNames:
    """The definitions and imports of one module, those that are bound exactly once."""

    def __init__(self, module: str, *, in_package: bool, tree: ast.Module) -> None:
        """Collect what the module's own statements bind."""
        self.module = module
        self.definition_by_name: dict[str, Definition] = {}
        """Classes, functions and methods by name inside the module (`Handle.cancel`)."""
        self.unique_names: frozenset[str] = frozenset()
        """Names of the module that are bound once and nowhere declared `global`."""
        self.all_names: frozenset[str] = frozenset()
        """Every name the module's own statements bind."""
        self._target_by_name: dict[str, tuple[str, bool]] = {}
        self._modules = set(_MODULES_INSIDE)
        self._names_by_class: dict[str, frozenset[str]] = {}
        self._collect(tree, in_package)

    def _collect(self, tree: ast.Module, in_package: bool) -> None:
        every = list(statements(tree.body))
        declared = {
            name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names
        }
        self.all_names = frozenset(name for node in every for name in _names_bound_by(node))
        self.unique_names = frozenset(_bound_once(every)) - declared
        self._define(every, self.unique_names)
        for node in every:
            if isinstance(node, ast.Import | ast.ImportFrom):
                self._import(node, in_package)

    def _define(self, every: Iterable[ast.stmt], unique: frozenset[str]) -> None:
        waiting: list[tuple[str, Iterable[ast.stmt], frozenset[str], int]] = [
            ("", every, unique, 0)
        ]
        while waiting:
            prefix, body, once, depth = waiting.pop()
            for node in body:
                if not isinstance(node, Definition) or node.name not in once:
                    continue
                self.definition_by_name[prefix + node.name] = node
                if isinstance(node, ast.ClassDef) and depth < _MAX_NESTED_CLASSES:
                    inner = list(statements(node.body))
                    names = frozenset(_bound_once(inner))
                    waiting.append((f"{prefix}{node.name}.", inner, names, depth + 1))

    def _import(self, node: ast.Import | ast.ImportFrom, in_package: bool) -> None:
        for alias, target in imported_names(node, self.module, in_package=in_package):
            bound = alias.asname or alias.name.partition(".")[0]
            if bound not in self.unique_names:
                continue
            if isinstance(node, ast.Import) and not alias.asname:
                self._modules.add(target)
                target = bound
            is_module = isinstance(node, ast.Import) or not node.module
            self._target_by_name[bound] = (target, is_module)

    def resolve(self, dotted: str, hidden: frozenset[str] = frozenset()) -> Named | None:
        """Return what a dotted name means outside of the `hidden` names."""
        root, _, rest = dotted.partition(".")
        if not root or root in hidden:
            return None
        if root in self.definition_by_name:
            node = self.definition_by_name.get(dotted)
            kind: NamedKind = "class" if isinstance(node, ast.ClassDef) else "function"
            return Named(f"{self.module}.{dotted}", kind) if node is not None else None
        if root not in self._target_by_name:
            return None
        target, is_module = self._target_by_name[root]
        return self._imported(target, rest, is_module=is_module)

    def _imported(self, target: str, rest: str, *, is_module: bool) -> Named | None:
        """Judge an imported name by how it is written."""
        parts = rest.split(".") if rest else []
        if is_module and not parts:
            return None
        path = target
        for part in parts[:-1]:
            path += f".{part}"
            if not _is_capitalised(part) and path not in self._modules:
                return None
        if not is_module and parts and not _is_capitalised(target.rpartition(".")[2]):
            return None
        full = f"{target}.{rest}" if rest else target
        if full.partition(".")[0] in _UNCLEAR_MODULES:
            return None
        return Named(full, "class" if _is_class(full) else "function")

    def _names_of_class(self, name: str, node: ast.ClassDef) -> frozenset[str]:
        if name not in self._names_by_class:
            bound = (found for child in statements(node.body) for found in _names_bound_by(child))
            self._names_by_class[name] = frozenset(bound)
        return self._names_by_class[name]

    def find_member(self, owner: str, member: str) -> str:
        """Return the name inside the module of a class's member, its own or inherited here.

        A base from elsewhere ends the search: it could define the member itself.
        """
        waiting, seen = [owner], 0
        while waiting and seen < _MAX_BASES:
            name = waiting.pop(0)
            seen += 1
            if name == "object":
                continue
            node = self.definition_by_name.get(name)
            if not isinstance(node, ast.ClassDef):
                return ""
            if f"{name}.{member}" in self.definition_by_name:
                return f"{name}.{member}"
            if member in self._names_of_class(name, node):
                return ""
            waiting = [*map(dotted_name, node.bases), *waiting]
        return ""


def _bound_once(nodes: Iterable[ast.stmt]) -> Iterator[str]:
    num_by_name: dict[str, int] = {}
    packages: set[str] = set()
    for node in nodes:
        for name in _names_bound_by(node):
            if isinstance(node, ast.Import) and name in packages:
                continue
            if isinstance(node, ast.Import):
                packages.add(name)
            num_by_name[name] = num_by_name.get(name, 0) + 1
    return (name for name, count in num_by_name.items() if count == 1)


def _names_bound_by(node: ast.stmt) -> Iterator[str]:
    """Yield the names a statement binds, without the statements inside it."""
    yield from bound_names(node)
    if isinstance(node, Definition):
        return
    waiting: list[ast.AST] = [node]
    while waiting:
        for child in ast.iter_child_nodes(waiting.pop()):
            if isinstance(child, ast.stmt | ast.Lambda):
                continue
            yield from bound_names(child)
            waiting.append(child)


def _is_class(full: str) -> bool:
    is_listed = full in _LOWER_CASE_CLASSES or full.partition(".")[0] in _CLASS_MODULES
    return is_listed or _is_capitalised(full.rpartition(".")[2])


def _is_capitalised(name: str) -> bool:
    return name.lstrip("_")[:1].isupper()
