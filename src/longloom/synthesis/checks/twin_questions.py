"""Programs and questions of the twin: constants replaced, and what stands for them in the wording.

A constant that the question words in a way that is not found again refuses the twin: a question
must never ask for one thing while its program computes another.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from longloom.synthesis.checks.altered_worlds import AlteredWorld, TwinRefusal
from longloom.synthesis.checks.changed_values import moved_date
from longloom.synthesis.programs.choice import LETTERS

_KEPT_FIELDS = frozenset({"function", "kind", "op", "relation", "style", "unit"})
_DATE_FIELDS = ("date", "month", "value")
_NUMBER_FIELDS = ("high", "low", "value")
_ISO_DATE = re.compile(r"\d{4}(?:-\d\d){0,2}")
_ONE_NUMBER = re.compile(r"([^\d]{0,12}?)(-?\d[\d,]*(?:\.\d+)?)([^\d]{0,20})")


class Changes:
    """Replaces constants in programs, and what stands for them in questions."""

    def __init__(self, altered: AlteredWorld) -> None:
        self._names = altered.names
        self._values = altered.values
        self._years: set[str] = set()
        self._numbers: dict[str, str] = {}

    def node(self, plain_node: Any) -> Any:
        """Return a node of a program's JSON with its constants replaced."""
        if isinstance(plain_node, str):
            return self._names.applied(plain_node)
        if isinstance(plain_node, list):
            return [self.node(entry) for entry in plain_node]
        if not isinstance(plain_node, dict):
            return plain_node
        changed = {
            name: value if name in _KEPT_FIELDS else self.node(value)
            for name, value in plain_node.items()
        }
        relation = plain_node.get("relation")
        if relation in self._values.dated_relations:
            self._move_dates(plain_node, changed)
        elif relation in self._values.affine_by_relation:
            self._change_numbers(plain_node, changed)
        return changed

    def _move_dates(self, plain_node: Mapping[str, Any], changed: dict[str, Any]) -> None:
        for name in _DATE_FIELDS:
            date = plain_node.get(name)
            if isinstance(date, str) and date[:4].isdigit():
                changed[name] = self._values.value(plain_node["relation"], date)
                self._years.add(date[:4])
        if isinstance(plain_node.get("first"), int):
            first = plain_node["first"]
            changed["first"] = first + self._values.years
            self._years.add(str(first if plain_node.get("num_years") == 1 else first // 10 * 10))

    def _change_numbers(self, plain_node: Mapping[str, Any], changed: dict[str, Any]) -> None:
        if "threshold" in plain_node:
            raise TwinRefusal("a number of the program cannot be told in the question")
        for name in _NUMBER_FIELDS:
            if isinstance(plain_node.get(name), str):
                number = plain_node[name]
                changed[name] = self._values.value(plain_node["relation"], number)
                if self._numbers.setdefault(number, changed[name]) != changed[name]:
                    raise TwinRefusal("one number of the question stands for two values")

    def question(self, text: str) -> str:
        """Return a question with names, years and numbers replaced; call it after `node`."""
        asked = _moved_years(text, self._years, self._values.years)
        for number, changed in sorted(self._numbers.items()):
            asked = _swapped_number(asked, number, changed)
        return self._names.applied(asked)

    def options(self, options: Sequence[str], before: str, after: str) -> tuple[str, ...]:
        """Return other options: names replaced, numbers moved as the answer moved."""
        changed = tuple(
            after if option == before else self._option(option, before, after) for option in options
        )
        if len(set(changed)) < len(changed):
            raise TwinRefusal("two options became one")
        return changed

    def _option(self, option: str, before: str, after: str) -> str:
        if all(_ISO_DATE.fullmatch(text) for text in (option, before, after)):
            return moved_date(option, int(after[:4]) - int(before[:4]))
        numbers = [_ONE_NUMBER.fullmatch(text) for text in (option, before, after)]
        shown, first, second = (match and Decimal(match[2].replace(",", "")) for match in numbers)
        match = numbers[0]
        if match is None or shown is None or first is None or second is None:
            return self._names.applied(option)
        moved = shown + second - first
        if (moved > 0) is not (shown > 0):
            raise TwinRefusal("an option changed its sign")
        separator = "," if "," in after or "," in option else ""
        return f"{match[1]}{moved:{separator}f}{match[3]}"


def _moved_years(text: str, years: Iterable[str], num_years: int) -> str:
    """Return a question with years moved, but for those in quotation marks."""
    pieces = re.split(r'("[^"\n]*")', text)
    for year in sorted(years):
        pattern = re.compile(rf"(?<![\w-]){year}(?=s?(?!\w))")
        if not any(pattern.search(piece) for piece in pieces[::2]):
            raise TwinRefusal("a date of the program cannot be told in the question")
    pattern = re.compile(rf"(?<![\w-])(?:{'|'.join(sorted(years))})(?=s?(?!\w))")
    if years:
        pieces[::2] = [
            pattern.sub(lambda match: f"{int(match[0]) + num_years:04d}", piece)
            for piece in pieces[::2]
        ]
    return "".join(pieces)


def _swapped_number(text: str, number: str, changed: str) -> str:
    """Return a question with the only mention of a number changed."""
    for shown in dict.fromkeys((number, f"{Decimal(number):,f}")):
        pattern = re.compile(rf"(?<![\w.,-]){re.escape(shown)}(?![\d,]|\.\d|\w)")
        if len(pattern.findall(text)) == 1:
            new = changed if shown == number else f"{Decimal(changed):,f}"
            return pattern.sub(lambda _: new, text)  # noqa: B023 - used at once
    raise TwinRefusal("a number of the program cannot be told in the question")


def with_options(asked: str, question: str, options: Sequence[str], changed: Sequence[str]) -> str:
    """Return a question with its lines of options replaced."""
    lines = asked.split("\n")
    before = question.split("\n")
    for letter, option, new in zip(LETTERS, options, changed, strict=False):
        shown = f"{letter}. {option}"
        if before.count(shown) != 1 or len(lines) != len(before):
            raise TwinRefusal("the options are worded in another way")
        lines[before.index(shown)] = f"{letter}. {new}"
    return "\n".join(lines)
