"""Facts of Python source, from its syntax tree: what is defined, inherited, called and raised.

A module is looked at by itself. What an imported name means is guessed from the file's path, and
left out where the module alone cannot tell (see `python_names`).
"""

import ast
import builtins
import re
from array import array
from collections.abc import Iterator, Sequence

from longloom.errors import DataError
from longloom.synthesis.documents.building import Reading
from longloom.synthesis.documents.python_names import (
    Definition,
    Function,
    ModuleNames,
    Named,
    NamedKind,
    dotted_name,
    import_base,
    imported_names,
    is_package,
    local_names,
    module_name,
    own_nodes,
    parameters,
    statements,
)
from longloom.synthesis.documents.python_source import syntax_tree
from longloom.synthesis.facts.code_relations import KINDS, RELATIONS
from longloom.synthesis.facts.fact import Fact

__all__ = ["KINDS", "RELATIONS", "extract"]

_KINDS_BY_NAME = {
    relation.name: (relation.subject_kind, relation.value_kind) for relation in RELATIONS
}
_BUILTINS = frozenset(name for name, value in vars(builtins).items() if isinstance(value, type))
_SHOWN_DUNDERS = frozenset(("__author__", "__version__"))
_WORD = re.compile(r"\w\w")
_NUMBER = re.compile(r"-?\d[\d_]{0,15}(?:\.\d{1,12})?")
_STRING = re.compile(r"[bBuU]?(?P<quote>'''|\"\"\"|'|\")(?P<inner>.{2,80})(?P=quote)")
_MIN_SUMMARY_CHARS = 15
_MAX_SUMMARY_CHARS = 80
_MAX_ANNOTATION_CHARS = 60

Span = tuple[int, int]


def extract(reading: Reading) -> list[Fact]:
    """Return the facts of a Python module; none of any other document."""
    if reading.document.genre != "code":
        return []
    try:
        tree = syntax_tree(reading.document.text)
    except DataError:
        return []
    facts = _Module(reading, tree).facts()
    first_by_key = {(fact.subject, fact.relation, fact.value): fact for fact in reversed(facts)}
    return sorted(first_by_key.values(), key=lambda fact: (fact.start, fact.end, fact.relation))


class _Module:
    """One module and where its nodes stand in the text."""

    def __init__(self, reading: Reading, tree: ast.Module) -> None:
        document = reading.document
        self._tree = tree
        self._text = document.text
        self._doc_id = document.doc_id
        self._name = module_name(document.title)
        self._in_package = is_package(document.title)
        self._names = ModuleNames(self._name, in_package=self._in_package, tree=tree)
        self._columns_by_line: dict[int, Sequence[int] | None] = {}
        self._line_starts = [0]
        for line in self._text.split("\n"):
            self._line_starts.append(self._line_starts[-1] + len(line) + 1)

    def facts(self) -> list[Fact]:
        """Return every fact, repeated ones included."""
        found = [*self._summary(self._name, "module_summary", self._tree)]
        found += self._imports()
        found += self._constants("", self._tree.body, self._names.unique_names)
        for name, node in self._names.definition_by_name.items():
            found += self._definition(name, node)
        return found

    def _fact(self, subject: str, relation: str, value: str, span: Span) -> Iterator[Fact]:
        kinds = _KINDS_BY_NAME[f"code.{relation}"]
        is_name = kinds[1] in ("class", "constant", "function", "module")
        shown = self._text[span[0] : span[1]]
        if is_name and shown.rpartition(".")[2] != value.rpartition(".")[2]:
            return
        yield Fact(
            subject=subject,
            relation=f"code.{relation}",
            value=value,
            value_kind=kinds[1],
            subject_kind=kinds[0],
            doc_id=self._doc_id,
            start=span[0],
            end=span[1],
            certainty=2,
        )

    def _definition(self, name: str, node: Definition) -> Iterator[Fact]:
        full = f"{self._name}.{name}"
        owner = name.rpartition(".")[0]
        is_class = isinstance(node, ast.ClassDef)
        relation = "defines_class" if is_class else "has_method" if owner else "defines_function"
        if not (is_class and owner):
            subject = f"{self._name}.{owner}" if owner else self._name
            yield from self._fact(subject, relation, full, self._name_span(node))
        yield from self._summary(full, "class_summary" if is_class else "summary", node)
        relation = "class_decorated_by" if is_class else "decorated_by"
        decorators = [
            called.func if isinstance(called, ast.Call) else called
            for called in node.decorator_list
        ]
        yield from self._complete(full, relation, decorators, "function")
        if isinstance(node, ast.ClassDef):
            yield from self._class(name, full, node)
        else:
            yield from self._function(name, full, node)

    def _class(self, name: str, full: str, node: ast.ClassDef) -> Iterator[Fact]:
        yield from self._complete(full, "inherits", node.bases, "class")
        yield from self._constants(f"{name}.", node.body, None)
        for member in statements(node.body):
            if not isinstance(member, Function) or member.name.startswith("__"):
                continue
            for base in node.bases:
                overridden = self._names.find_member(dotted_name(base), member.name)
                if overridden and f"{name}.{member.name}" in self._names.definition_by_name:
                    span = self._name_span(self._names.definition_by_name[overridden])
                    value = f"{self._name}.{overridden}"
                    yield from self._fact(f"{full}.{member.name}", "overrides", value, span)
                    break

    def _function(self, name: str, full: str, node: Function) -> Iterator[Fact]:
        owner = name.rpartition(".")[0]
        yield from self._parameters(full, node, is_method=bool(owner))
        if node.returns is not None:
            span = self._span(node.returns)
            shown = self._text[span[0] : span[1]]
            if shown != "None" and len(shown) <= _MAX_ANNOTATION_CHARS and "\n" not in shown:
                yield from self._fact(full, "returns", shown, span)
        nodes = list(own_nodes(node))
        if any(isinstance(child, Definition | ast.Lambda) for child in nodes):
            return  # what it calls and what they call are easily confused
        hidden = local_names(node)
        raised = [child.exc for child in nodes if isinstance(child, ast.Raise) and child.exc]
        exceptions = [child.func if isinstance(child, ast.Call) else child for child in raised]
        yield from self._complete(full, "raises", exceptions, "class", hidden)
        in_raise = {id(child) for child in exceptions}
        calls = [child.func for child in nodes if isinstance(child, ast.Call)]
        calls = [target for target in calls if id(target) not in in_raise]
        first = node.args.args[0].arg if owner and node.args.args else ""
        yield from self._calls(full, owner if first in ("self", "cls") else "", calls, hidden)

    def _calls(
        self, full: str, owner: str, calls: Sequence[ast.expr], hidden: frozenset[str]
    ) -> Iterator[Fact]:
        """Yield what a function calls by name; nothing if one such call is not understood."""
        found: list[Fact] = []
        for target in calls:
            dotted = dotted_name(target)
            root, _, member = dotted.partition(".")
            named = self._names.resolve(dotted, hidden)
            if named:
                is_own = dotted in self._names.definition_by_name
                called = "calls_own" if is_own else "calls_imported"
                relation = called if named.kind == "function" else "instantiates"
                found += self._fact(full, relation, named.name, self._span(target))
            elif owner and root in ("self", "cls"):
                method = self._names.find_member(owner, member)
                if isinstance(self._names.definition_by_name.get(method), Function):
                    value = f"{self._name}.{method}"
                    found += self._fact(full, "calls_own", value, self._span(target))
            elif root in self._names.all_names and root not in hidden:
                return
        yield from (fact for fact in found if fact.value != full)

    def _complete(
        self,
        full: str,
        relation: str,
        targets: Sequence[ast.expr],
        kind: NamedKind,
        hidden: frozenset[str] = frozenset(),
    ) -> Iterator[Fact]:
        """Yield what all targets name; nothing if one of them is not understood."""
        found: list[Fact] = []
        for target in targets:
            dotted = dotted_name(target)
            named = self._names.resolve(dotted, hidden)
            if (
                named is None
                and dotted in _BUILTINS
                and dotted not in hidden | self._names.all_names
            ):
                named = Named(dotted, "class")
            is_decorator = kind == "function"
            if named is None or not (is_decorator or named.kind == kind):
                return
            found += self._fact(full, relation, named.name, self._span(target))
        if len(found) == len(targets):
            yield from found

    def _parameters(self, full: str, node: Function, *, is_method: bool) -> Iterator[Fact]:
        arguments = node.args
        positional = [*arguments.posonlyargs, *arguments.args]
        num_bare = len(positional) - len(arguments.defaults)
        default_by_name: dict[str, ast.expr | None] = dict(
            zip([arg.arg for arg in positional[num_bare:]], arguments.defaults, strict=True)
        )
        default_by_name |= {
            arg.arg: default
            for arg, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        }
        for place, arg in enumerate(parameters(node)):
            if is_method and place == 0 and arg.arg in ("self", "cls", "mcs"):
                continue
            default = default_by_name.get(arg.arg)
            name = f"parameter {arg.arg} of {full}"
            found = [] if default is None else list(self._value(name, "default", default))
            if found:
                start = self._offset(arg.lineno, arg.col_offset)
                yield from self._fact(full, "has_parameter", name, (start, start + len(arg.arg)))
                yield from found

    def _constants(
        self, prefix: str, body: list[ast.stmt], unique: frozenset[str] | None
    ) -> Iterator[Fact]:
        """Yield what is assigned once to a name of the module or of a class."""
        assigned: dict[str, list[ast.expr]] = {}
        place_by_name: dict[str, ast.expr] = {}
        for node in statements(body):
            targets = node.targets if isinstance(node, ast.Assign) else []
            if isinstance(node, ast.AnnAssign | ast.AugAssign):
                targets = [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    value = getattr(node, "value", None) or target
                    assigned.setdefault(target.id, []).append(value)
                    place_by_name[target.id] = target
        for name, values in assigned.items():
            is_unique = len(values) == 1 and (unique is None or name in unique)
            if not is_unique or (name.startswith("__") and name not in _SHOWN_DUNDERS):
                continue
            full = f"{self._name}.{prefix}{name}"
            found = list(self._value(full, "constant", values[0]))
            yield from found
            if found and not prefix:
                span = self._span(place_by_name[name])
                yield from self._fact(self._name, "defines_constant", full, span)

    def _value(self, subject: str, relation: str, node: ast.expr) -> Iterator[Fact]:
        """Yield a number, a string or a name as it is written; other values are left out."""
        start, end = self._span(node)
        shown = self._text[start:end]
        if _NUMBER.fullmatch(shown):
            value = shown.replace("_", "")
            yield from self._fact(subject, f"{relation}_number", value, (start, end))
        elif (literal := _STRING.fullmatch(shown)) and isinstance(node, ast.Constant):
            inner = (start + literal.start("inner"), start + literal.end("inner"))
            value = node.value.decode("ascii", "replace") if isinstance(node.value, bytes) else ""
            value = node.value if isinstance(node.value, str) else value
            if value == literal["inner"] == value.strip() and _WORD.search(value):
                yield from self._fact(subject, f"{relation}_text", value, inner)
        elif relation == "default" and dotted_name(node) == shown and len(shown) > 1:
            yield from self._fact(subject, "default_name", shown, (start, end))

    def _summary(self, full: str, relation: str, node: ast.Module | Definition) -> Iterator[Fact]:
        first = node.body[0] if node.body else None
        if not isinstance(first, ast.Expr) or not isinstance(first.value, ast.Constant):
            return
        if not isinstance(first.value.value, str):
            return
        line = first.value.value.strip().partition("\n")[0].strip()
        start, end = self._span(first.value)
        place = self._text.find(line, start, end)
        is_name_free = full.rpartition(".")[2].lower() not in line.lower()
        has_size = _MIN_SUMMARY_CHARS <= len(line) <= _MAX_SUMMARY_CHARS
        if place >= 0 and is_name_free and '"' not in line and has_size and line.endswith("."):
            yield from self._fact(full, relation, line, (place, place + len(line)))

    def _imports(self) -> Iterator[Fact]:
        for node in statements(self._tree.body):
            if not isinstance(node, ast.Import | ast.ImportFrom):
                continue
            if isinstance(node, ast.ImportFrom) and node.module:
                base = import_base(node, self._name, in_package=self._in_package)
                start, end = self._span(node)
                span = self._find(node.module, start + len("from"), end)
                if base:
                    yield from self._fact(self._name, "imports", base, span)
                continue
            pairs = imported_names(node, self._name, in_package=self._in_package)
            for alias, target in pairs:
                if not alias.name.islower() or alias.name.startswith("__"):
                    continue  # a name of the package itself, not a module
                start = self._offset(alias.lineno, alias.col_offset)
                span = (start, start + len(alias.name))
                yield from self._fact(self._name, "imports", target, span)

    def _name_span(self, node: Definition) -> Span:
        start = self._offset(node.lineno, node.col_offset)
        return self._find(node.name, start + len("def "), start + 200 + len(node.name))

    def _find(self, shown: str, start: int, end: int) -> Span:
        """Return where a name is first written; an empty span if it is written otherwise."""
        place = self._text.find(shown, start, end)
        return (place, place + len(shown)) if place >= 0 else (0, 0)

    def _span(self, node: ast.expr | ast.stmt) -> Span:
        end_line = node.end_lineno or node.lineno
        end = self._offset(end_line, node.end_col_offset or node.col_offset)
        return self._offset(node.lineno, node.col_offset), end

    def _offset(self, line_number: int, column_bytes: int) -> int:
        """Return the place of a column, which the syntax tree counts in UTF-8 bytes."""
        start = self._line_starts[line_number - 1]
        if line_number not in self._columns_by_line:
            line = self._text[start : self._line_starts[line_number] - 1]
            self._columns_by_line[line_number] = None if line.isascii() else _columns(line)
        columns = self._columns_by_line[line_number]
        return start + (column_bytes if columns is None else columns[column_bytes])


def _columns(line: str) -> Sequence[int]:
    """Return the character at every byte of a line, and one past the last."""
    columns = array("L")
    for place, character in enumerate(line):
        columns.extend([place] * len(character.encode("utf-8", "surrogatepass")))
    columns.append(len(line))
    return columns
