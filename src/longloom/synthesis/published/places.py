"""Say where a row cannot be used: file, row, column, value, and what was expected."""

import reprlib
from dataclasses import dataclass
from pathlib import Path

from longloom.errors import DataError

_SHOWN_CHARACTERS = 60
_SHORT = reprlib.Repr()
"""Writes the beginning of a list without writing all of it."""


@dataclass(frozen=True, slots=True)
class RowPlace:
    """Where a row stands; makes its errors."""

    path: Path
    """The file."""
    number: int
    """Counts from 0; empty lines are none."""

    def refuse(self, column: str, value: object, expected: str) -> DataError:
        """Return the error about one column, with the beginning of its value."""
        if isinstance(value, str):
            text = repr(value[:_SHOWN_CHARACTERS])
        else:
            text = "nothing" if value is None else _SHORT.repr(value)[:_SHOWN_CHARACTERS]
        return DataError(
            f"{self.path}, row {self.number}, column {column}: {text}; expected {expected}"
        )


def checked_text(value: object, column: str, place: RowPlace) -> str:
    """Return a value that must be some text.

    Raises:
        DataError: it is not.
    """
    if not isinstance(value, str):
        raise place.refuse(column, value, "text")
    if not value.strip():
        raise place.refuse(column, value, "some text")
    if not is_unicode(value):
        raise place.refuse(column, "half of a surrogate pair", "valid Unicode")
    return value


def is_unicode(text: str) -> bool:
    """Return whether a text can be written to a file: JSON can spell half a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
