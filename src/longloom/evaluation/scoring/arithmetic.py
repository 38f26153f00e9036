"""The value of a short arithmetic expression that a model wrote. Nothing is executed.

What it is not: Python. It knows numbers, `True` and `False`, the operators `+ - * / // % ** ^`,
round brackets, and `math.pow(a, b)`, with Python's precedence, types and results. All else (names,
calls, lists, texts, comparisons) is no number. An expression has at most 200 characters and 32
levels of nesting, and a whole number at most 4,096 bits.
"""

import math
import re
from collections.abc import Callable

MAX_CHARACTERS = 200
MAX_NESTING = 32
MAX_BITS = 4_096

Number = int | float

_TOKEN = re.compile(
    r"[ \t]*(?:(?P<number>(?:[0-9](?:_?[0-9])*)?\.?(?:[0-9](?:_?[0-9])*)?(?:[eE][-+]?[0-9]+)?)"
    r"(?P<word>[A-Za-z_][\w.]*)?(?P<mark>\*\*|//|[-+*/%^(),])?)"
)
_WHOLE = re.compile(r"0+(?:_?0)*|[1-9](?:_?[0-9])*")
_FLOAT = re.compile(r"(?=\.?[0-9])[0-9_]*\.?[0-9_]*(?:[eE][-+]?[0-9]+)?")
_CONSTANTS: dict[str, Number] = {"True": True, "False": False}
_BINARY_LEVELS = (("^",), ("+", "-"), ("*", "/", "//", "%"))


def evaluate(expression: str) -> Number | None:
    """Return the value, or None if the text is no arithmetic or its value cannot be had.

    Division by zero, overflow and every bound that is passed give None. A fractional power of a
    negative number gives its real part, as DocMath's scorer does.
    """
    if len(expression) > MAX_CHARACTERS:
        return None
    try:
        parser = _Parser(_tokens(expression))
        value = parser.binary(0)
        return value if not parser.tokens else None
    except (_NotArithmeticError, ArithmeticError, ValueError):
        return None


class _NotArithmeticError(Exception):
    """The text is no arithmetic, or goes beyond the bounds."""


def _tokens(expression: str) -> list[str]:
    """Return the tokens from last to first."""
    tokens: list[str] = []
    place, text = 0, expression.rstrip(" \t\n")
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None or match.end() == place:
            raise _NotArithmeticError
        found = [token for token in match.group("number", "word", "mark") if token]
        if match["number"] and match["word"]:
            raise _NotArithmeticError
        tokens += found
        place = match.end()
    return tokens[::-1]


class _Parser:
    """Reads tokens from the end of a list, by Python's precedence."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self._depth = 0

    def binary(self, level: int) -> Number:
        if level == len(_BINARY_LEVELS):
            return self._signed()
        value = self.binary(level + 1)
        while self._next() in _BINARY_LEVELS[level]:
            operator = self.tokens.pop()
            value = _bounded(_OPERATIONS[operator](value, self.binary(level + 1)))
        return value

    def _signed(self) -> Number:
        sign = 1
        while self._next() in ("+", "-"):
            sign = -sign if self.tokens.pop() == "-" else sign
        value = self._power()
        return -value if sign < 0 else value

    def _power(self) -> Number:
        base = self._atom()
        if self._next() != "**":
            return base
        self.tokens.pop()
        return self._nested(lambda: _power(base, self._signed()))

    def _atom(self) -> Number:
        token = self.tokens.pop() if self.tokens else ""
        if token == "(":
            return self._closed(self._nested(lambda: self.binary(0)))
        if token == "math.pow":
            self._expect("(")
            base = self._nested(lambda: self.binary(0))
            self._expect(",")
            return self._closed(math.pow(base, self._nested(lambda: self.binary(0))))
        if token in _CONSTANTS:
            return _CONSTANTS[token]
        if _WHOLE.fullmatch(token):
            return int(token)
        if _FLOAT.fullmatch(token) and not token.replace("_", "").isdecimal():
            return float(token)
        raise _NotArithmeticError

    def _nested(self, read: Callable[[], Number]) -> Number:
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise _NotArithmeticError
        value = read()
        self._depth -= 1
        return value

    def _closed(self, value: Number) -> Number:
        self._expect(")")
        return value

    def _expect(self, token: str) -> None:
        if not self.tokens or self.tokens.pop() != token:
            raise _NotArithmeticError

    def _next(self) -> str:
        return self.tokens[-1] if self.tokens else ""


def _exclusive_or(left: Number, right: Number) -> Number:
    if isinstance(left, float) or isinstance(right, float):
        raise _NotArithmeticError
    return left ^ right


def _power(base: Number, exponent: Number) -> Number:
    if isinstance(base, int) and isinstance(exponent, int):
        if abs(exponent) * base.bit_length() > MAX_BITS:
            raise _NotArithmeticError
        whole: Number = base**exponent
        return whole
    value = base**exponent
    return float(value.real)


def _bounded(value: Number) -> Number:
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise _NotArithmeticError
    return value


_OPERATIONS: dict[str, Callable[[Number, Number], Number]] = {
    "%": lambda left, right: left % right,
    "*": lambda left, right: left * right,
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "/": lambda left, right: left / right,
    "//": lambda left, right: left // right,
    "^": _exclusive_or,
}
