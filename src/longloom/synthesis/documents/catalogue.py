"""Which readers there are, and which one reads a file."""

from collections.abc import Iterable
from types import ModuleType

from longloom.errors import DataError
from longloom.synthesis.documents.building import Reading
from longloom.synthesis.documents.reader import SourceFile

_MODULES: tuple[ModuleType, ...] = ()
"""Readers in the order in which they are asked; the particular before the general."""


def read_file(source: SourceFile) -> Iterable[Reading]:
    """Return the documents of a file.

    Raises:
        DataError: no reader accepts it, or it cannot be read; the message is a short reason.
    """
    for module in _MODULES:
        if module.accepts(source):
            readings: Iterable[Reading] = module.read(source)
            return readings
    suffix = source.name.rpartition(".")[2] if "." in source.name else "no suffix"
    raise DataError(f"no reader for this kind of file ({suffix[:10]})")
