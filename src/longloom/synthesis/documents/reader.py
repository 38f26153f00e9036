"""What a reader is given and what it says when it cannot read."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from longloom.synthesis.documents.building import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """One file as it was found."""

    name: str
    """Path below the folder that was given, with forward slashes: `peps/pep-0008.rst`."""
    payload: bytes
    """Its bytes; at most the size limit of the configuration."""
    licence: str = "unknown"
    """Licence of the folder, as far as it states one."""
    may_be_altered: bool = True
    """False if that licence forbids changes."""


Reader = Callable[[SourceFile], Iterable[Reading]]
"""Turns one file into its documents (one, or many for collections such as dialogues).

Raises `DataError` with a short reason (`not JATS: no <article>`) for what cannot be read. A reader
never runs, fetches or follows anything a file asks for, and bounds its own work.
"""
