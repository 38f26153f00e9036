"""A program as an indented tree, one line a step, its constants told apart from its shape.

    years between -> 21
      first  the value of pep.created -> 2001-08-14
        of  PEP 328

Lines are records; HTML is made of them elsewhere. A text that is no program gives one plain line.
"""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from longloom.errors import DataError
from longloom.synthesis.programs.catalogue import NODE_CLASSES, read_program
from longloom.synthesis.programs.node import Program
from longloom.synthesis.programs.world import World

MAX_LINES = 120
"""Lines of a drawing; more would be read by nobody."""
_MAX_CHARACTERS = 240
"""Of a single constant."""
_MAX_SHOWN = 3
"""Answers of a step that are named."""
_ROOM = 100
"""Characters of an answer that stands alone; of several, half as many each."""

_LONG_NUMBER = re.compile(r"-?\d{1,40}\.\d{7,}")

_ROLES = {"of": "", "predicates": "where", "program": "", "number": "", "numbers": "over"}
"""What stands before a step, by the field that holds it; other fields stand under their name."""
_UNSAID = frozenset({"choice.options", "rounded.scale", "rounded.style"})
"""Fields that repeat what the question shows."""
_SILENT = frozenset({"", "/", "()"})
"""Values that say nothing."""
_STEP_WORDS = {
    "choice": "the letter of the option that says",
    "described": "find every",
    "filter": "keep those",
    "follow": "look up",
    "inverse": "find whose",
    "named": "named",
    "only": "the only one",
    "other": "the others",
    "rounded": "rounded to decimals",
    "values": "each of",
}
"""How steps are called whose kind says too little; the others are called as they are."""
_SUPPOSING = "had"
"""Its `then` is executed on an altered world: on the documents its steps would mislead."""

Found = Callable[[Any], str]
"""Says what a node finds; empty if that cannot be said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One step."""

    depth: int
    """How far it is indented."""
    role: str
    """What it is to the step above: `first`, `where`; often empty."""
    step: str
    """What it does, in words."""
    parts: tuple[tuple[str, str, str], ...] = ()
    """Kind (`constant`, `relation`, `setting` or `slot`), name and text of what it is given."""
    found: str = ""
    """What it finds in the context."""


def draw_program(text: str, world: World | None = None, *, answer: str = "") -> list[Line]:
    """Return the lines of a program.

    With its world, they say what every step finds, but only if the whole gives `answer`: steps
    that lead elsewhere would explain nothing.
    """
    found: Found = _nothing
    try:
        tree: Any = read_program(text)
        if world is not None and tree.execute(world).only_answer == answer:
            found = _finder(world)
    except DataError:
        tree = _plain_tree(text)
    return _lines(tree, found)


def draw_shape(text: str) -> list[Line]:
    """Return the lines of a program without its constants."""
    return _lines(_plain_tree(text), _nothing)


def _nothing(_: Any) -> str:
    return ""


def _plain_tree(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _finder(world: World) -> Found:
    def found(node: Any) -> str:
        return describe_answers(node.execute(world).answers)

    return found


def describe_answers(answers: Iterable[str]) -> str:
    """Name one to three answers, and count more."""
    ordered = sorted(answers)
    room = _ROOM if len(ordered) < 2 else _ROOM // 2
    named = [_shortened(_rounded(answer), room) for answer in ordered[:_MAX_SHOWN]]
    if len(ordered) <= _MAX_SHOWN:
        return "; ".join(named) if named else "nothing"
    return f"{len(ordered)} found: {'; '.join(named)}; ..."


def _rounded(answer: str) -> str:
    """Cut a number between two steps after six decimals."""
    return f"{answer[: answer.index('.') + 7]}..." if _LONG_NUMBER.fullmatch(answer) else answer


def _lines(tree: Any, found: Found) -> list[Line]:
    """Walk depth first, without recursion: a tree from a file may be of any depth."""
    lines: list[Line] = []
    waiting: list[tuple[int, str, Any, Found, str]] = [(0, "", tree, found, "")]
    while waiting and len(lines) < MAX_LINES:
        depth, role, node, says, above = waiting.pop()
        named, members = _members(node)
        if named is None:
            lines.append(Line(depth=depth, role=role, step=_shortened(str(node), 4_000)))
            continue
        parts = tuple(_parts(named, members))
        answer = says(node)
        given = {text for kind, _, text in parts if kind == "constant"}
        repeats = answer in (above, describe_answers(given), *given)
        lines.append(
            Line(
                depth=depth,
                role=role,
                step=_STEP_WORDS.get(named, named.replace("_", " ")),
                parts=parts,
                found="" if repeats else answer,
            )
        )
        for name, child in reversed(list(_children(members))):
            is_supposed = named == _SUPPOSING and name == "then"
            below = _nothing if is_supposed else says
            waiting.append((depth + 1, _role(name), child, below, answer))
    if waiting:
        lines.append(Line(depth=0, role="", step=f"... and {len(waiting)} more branches"))
    return lines


def _members(node: Any) -> tuple[str | None, dict[str, Any]]:
    """Return the kind of a node and its fields, whether it is a node or the JSON of one."""
    if is_dataclass(node) and not isinstance(node, type):
        program: Any = node
        return program.KIND, {entry.name: getattr(node, entry.name) for entry in fields(node)}
    if isinstance(node, dict):
        kind = node.get("op", node.get("kind"))
        if isinstance(kind, str):
            key = "op" if "op" in node else "kind"
            return kind, {str(name): value for name, value in node.items() if name != key}
    return None, {}


def _is_node(value: Any) -> bool:
    return _members(value)[0] is not None


def _children(members: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    for name, value in members.items():
        many = value if isinstance(value, tuple | list) else (value,)
        for child in many:
            if _is_node(child):
                yield name, child


def _parts(kind: str, members: dict[str, Any]) -> Iterable[tuple[str, str, str]]:
    node_class: type[Program] | None = NODE_CLASSES.get(kind)
    constants = node_class.CONSTANTS if node_class else frozenset()
    for name, value in members.items():
        if f"{kind}.{name}" in _UNSAID:
            continue
        style = "constant" if name in constants else "setting"
        style = "relation" if name in ("relation", "kind", "subject_kind") else style
        for text in _plain_texts(name, value):
            if text not in _SILENT:
                yield style, name.replace("_", " "), _shortened(text, _MAX_CHARACTERS)
    for name in sorted(constants - members.keys()):  # a shape
        if f"{kind}.{name}" not in _UNSAID:
            yield "slot", name.replace("_", " "), ""


def _plain_texts(name: str, value: Any) -> list[str]:
    """Return what stands in a field beside nodes; qualifiers are pairs of a key and a value."""
    many = value if isinstance(value, tuple | list) else (value,)
    texts = [str(entry) for entry in many if not _is_node(entry)]
    if name == "qualifiers" and len(texts) % 2 == 0:
        return [" ".join(pair) for pair in zip(texts[::2], texts[1::2], strict=True)]
    return texts


def _role(name: str) -> str:
    return _ROLES.get(name, name.replace("_", " "))


def _shortened(text: str, max_characters: int) -> str:
    return text if len(text) <= max_characters else f"{text[: max_characters - 3]}..."
