r"""Read the calls of functions out of a model's reply. Nothing is executed.

    [core_memory_add(key="name", value="Ann"), core_memory_list_keys()]

That list is bfcl_eval's form: Python's syntax of calls with literal arguments. The brackets may be
missing, as they may there. Two more forms are read: a list or object of JSON with `name` and
`arguments`, and `<tool_call>` blocks of the same, as chat models are trained to write.

A reply that is not calls from its first to its last character is an answer, not a call. What it
leaves out: operators, calls within arguments, f-strings and bytes; replies with them are answers.
bfcl_eval evaluates operators instead.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from longloom.text.lone_surrogates import without_lone_surrogates

MAX_CHARACTERS = 1 << 16
"""Longer replies are no calls."""
MAX_CALLS = 64
"""Replies with more calls are none."""
_MAX_DEPTH = 8
_MAX_DIGITS = 100

# Each text has one way to match, so none is searched twice. Possessive groups would say that, but
# Python before 3.11.5 matches those with alternatives wrongly.
_STRING = (
    r"'''[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*'''"
    r'|"""[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*"""'
    r"|'[^'\\\n]*(?:\\.[^'\\\n]*)*'"
    r'|"[^"\\\n]*(?:\\.[^"\\\n]*)*"'
)
_TOKEN = re.compile(
    rf"\s*+(?:(?P<raw>[rR])?(?P<string>{_STRING})"
    r"|(?P<number>\d++(?:\.\d*+)?(?:[eE][+-]?\d{1,3}+)?)"
    r"|(?P<name>[A-Za-z_]\w*+(?:\.[A-Za-z_]\w*+)*+)"
    r"|(?P<mark>[\[\](){},=:-]))",
    re.DOTALL,
)
_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{1,3})|(.))", re.DOTALL
)
_ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ESCAPED |= {"\\": "\\", "'": "'", '"': '"', "\n": ""}
_CONSTANTS: Mapping[str, Any] = {"True": True, "False": False, "None": None}
_CONSTANTS = {**_CONSTANTS, "true": True, "false": False, "null": None}
_FENCE = "```"
_BLOCK_BEGIN, _BLOCK_END = "<tool_call>", "</tool_call>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call that a model asks for."""

    name: str
    """The function."""
    arguments: Mapping[str, Any]
    """Its named arguments; JSON values."""
    num_unnamed: int = 0
    """Arguments without a name, which are not taken."""

    def __str__(self) -> str:
        """Return it as Python writes it."""
        stated = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        return f"{self.name}({stated})"


class _NotCallsError(ValueError):
    """The text is something else."""


def parse_calls(reply: str) -> tuple[Call, ...] | None:
    """Return the calls that a reply consists of; empty for `[]`, None for any other text."""
    text = reply.strip()
    if not text or len(text) > MAX_CHARACTERS:
        return None
    if text.startswith(_FENCE) and text.endswith(_FENCE) and "\n" in text:
        text = text.partition("\n")[2]  # the first line names a language
    text = text.strip("`\n ")
    try:
        calls = _block_calls(text) if text.startswith(_BLOCK_BEGIN) else _json_calls(text)
        if calls is None:
            calls = _python_calls(text)
    except (_NotCallsError, RecursionError):
        return None
    return calls if len(calls) <= MAX_CALLS else None


def _block_calls(text: str) -> tuple[Call, ...] | None:
    calls: list[Call] = []
    position = 0
    while position < len(text):
        end = text.find(_BLOCK_END, position)
        if not text.startswith(_BLOCK_BEGIN, position) or end < 0:
            raise _NotCallsError
        inside = _json_calls(text[position + len(_BLOCK_BEGIN) : end].strip())
        if inside is None:
            raise _NotCallsError
        calls += inside
        position = end + len(_BLOCK_END)
        while position < len(text) and text[position].isspace():
            position += 1
    return tuple(calls)


def _json_calls(text: str) -> tuple[Call, ...] | None:
    try:
        parsed = json.loads(text)
    except ValueError:
        return None
    stated = parsed if isinstance(parsed, list) else [parsed]
    calls: list[Call] = []
    for one in stated:
        if not isinstance(one, dict) or not isinstance(one.get("name"), str):
            return None
        arguments = one.get("arguments", one.get("parameters"))
        if not isinstance(arguments, dict):
            return None
        kept = {without_lone_surrogates(name): _clean(value) for name, value in arguments.items()}
        calls.append(Call(name=without_lone_surrogates(one["name"]), arguments=kept))
    return tuple(calls)


def _clean(value: Any) -> Any:
    return without_lone_surrogates(value) if isinstance(value, str) else value


def _python_calls(text: str) -> tuple[Call, ...]:
    opening = "" if text.startswith("[") else "["
    closing = "" if text.endswith("]") else "]"
    return _Reader(opening + text + closing).calls()


class _Reader:
    """Reads calls from left to right, once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._kind, self._token = "", ""
        self._next()

    def calls(self) -> tuple[Call, ...]:
        self._take("[")
        found: list[Call] = []
        while not self._is("]"):
            found.append(self._call())
            if not self._is("]"):
                self._take(",")
        if self._text[self._position :].strip():
            raise _NotCallsError
        return tuple(found)

    def _call(self) -> Call:
        name = self._name()
        self._take("(")
        arguments: dict[str, Any] = {}
        num_unnamed = 0
        while not self._is(")"):
            value = self._value(0)
            if self._is("=") and isinstance(value, _Name):
                self._next()
                if value.text in arguments:
                    raise _NotCallsError
                arguments[value.text] = _plain(self._value(0))
            else:
                num_unnamed += 1
            if not self._is(")"):
                self._take(",")
        self._next()
        return Call(name=name, arguments=arguments, num_unnamed=num_unnamed)

    def _value(self, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise _NotCallsError
        if self._kind == "string":
            return self._strings()
        if self._kind == "number":
            return self._number()
        if self._kind == "name":
            name = self._name()
            return _CONSTANTS[name] if name in _CONSTANTS else _Name(name)
        if self._is("-"):
            self._next()
            if self._kind != "number":
                raise _NotCallsError
            return -self._number()
        if self._is("["):
            return self._sequence("]", depth)
        if self._is("("):
            return self._sequence(")", depth)
        return self._mapping(depth)

    def _sequence(self, closing: str, depth: int) -> list[Any]:
        self._next()
        values: list[Any] = []
        while not self._is(closing):
            values.append(_plain(self._value(depth + 1)))
            if not self._is(closing):
                self._take(",")
        self._next()
        return values

    def _mapping(self, depth: int) -> dict[str, Any]:
        self._take("{")
        values: dict[str, Any] = {}
        while not self._is("}"):
            name = _plain(self._value(depth + 1))
            self._take(":")
            values[str(name)] = _plain(self._value(depth + 1))
            if not self._is("}"):
                self._take(",")
        self._next()
        return values

    def _strings(self) -> str:
        """Read a string, and those that follow it at once, which Python joins."""
        parts: list[str] = []
        while self._kind == "string":
            parts.append(self._token)
            self._next()
        return "".join(parts)

    def _number(self) -> int | float:
        token = self._token
        self._next()
        if len(token) > _MAX_DIGITS:
            raise _NotCallsError
        return int(token) if token.isascii() and token.isdigit() else float(token)

    def _name(self) -> str:
        if self._kind != "name":
            raise _NotCallsError
        name = self._token
        self._next()
        return name

    def _is(self, mark: str) -> bool:
        return self._kind == "mark" and self._token == mark

    def _take(self, mark: str) -> None:
        if not self._is(mark):
            raise _NotCallsError
        self._next()

    def _next(self) -> None:
        match = _TOKEN.match(self._text, self._position)
        if match is None:
            # The end is no token; whoever expects one finds none.
            self._kind, self._token = "", ""
            return
        self._position = match.end()
        self._kind = match.lastgroup or ""
        self._token = match[self._kind]
        if self._kind == "string":
            self._token = _decoded(self._token, is_raw=match["raw"] is not None)


@dataclass(frozen=True, slots=True)
class _Name:
    """A bare word: the name of an argument, or a text whose quotes are missing."""

    text: str


def _plain(value: Any) -> Any:
    return value.text if isinstance(value, _Name) else value


def _decoded(token: str, *, is_raw: bool) -> str:
    width = 3 if len(token) >= 6 and token[:3] in ("'''", '"""') else 1
    inside = token[width:-width]
    return inside if is_raw else without_lone_surrogates(_ESCAPE.sub(_unescaped, inside))


def _unescaped(match: re.Match[str]) -> str:
    two, four, eight, octal, other = match.groups()
    if other is not None:
        return _ESCAPED.get(other, match[0])
    number = int(octal, 8) if octal else int(two or four or eight, 16)
    if number > 0x10FFFF:
        raise _NotCallsError
    return chr(number)
