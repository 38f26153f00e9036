"""Find the files of a folder, with the licence the folder states.

Hidden files and folders are left out; symbolic links are not followed. A licence is looked for in
files called LICENSE, COPYING, NOTICE or SOURCE beside a file or above it; these files are no
documents. Unknown licences are written `unknown`, never guessed.
"""

import os
import re
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from longloom.errors import DataError

BUILTIN = "builtin"
"""The documents every machine has: the sources of Python's standard library."""

_LICENCE_FILE = re.compile(r"(?i)^(?:licen[cs]e|copying|notice|source)(?:[-.].{0,20})?$")
_LICENCES = (
    ("CC BY-NC-ND 4.0", r"CC[ -]BY-NC-ND"),
    ("CC BY-NC-SA 4.0", r"CC[ -]BY-NC-SA"),
    ("CC BY-NC 4.0", r"CC[ -]BY-NC(?!-)"),
    ("CC BY-ND 4.0", r"CC[ -]BY-ND"),
    ("CC BY-SA 4.0", r"CC[ -]BY-SA|Attribution-ShareAlike"),
    ("CC BY 4.0", r"CC[ -]BY(?!-)|Creative Commons Attribution 4"),
    ("CC0-1.0", r"CC0"),
    ("ODC-PDDL-1.0", r"PDDL"),
    ("public domain", r"(?i)public[ -]domain"),
    ("Apache-2.0", r"Apache License|Apache-2\.0"),
    ("MIT", r"\bMIT\b|Permission is hereby granted, free of charge"),
    ("BSD", r"\bBSD\b|Redistribution and use in source and binary forms"),
    ("GPL-3.0", r"GPL-3|GNU GENERAL PUBLIC LICENSE\s+Version 3"),
    ("IETF Trust", r"IETF Trust"),
    ("government work", r"(?i)works? of the US government|government edict"),
)
_NO_CHANGES = re.compile(r"(?i)\bBY(?:-NC)?-ND\b|NoDerivat|only unmodified|distributed unmodified")
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")
"""Control characters and marks of direction; names stand in questions, where they would mislead."""
_SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules", "site-packages", "dist-packages"})
_SKIPPED_LIBRARY = frozenset({"test", "tests", "idlelib", "lib2to3", "turtledemo", "ensurepip"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFile:
    """A file to read."""

    path: Path
    """Where it lies."""
    name: str
    """Path below the folder that was given, with forward slashes."""
    num_bytes: int
    """Its size when it was found."""
    licence: str
    """Licence its folder states."""
    may_be_altered: bool
    """False if that licence forbids changes."""


def find_files(source: str) -> list[FoundFile]:
    """Return the files below a folder (or the file itself) in alphabetical order.

    Raises:
        DataError: there is nothing at `source`, or it cannot be read.
    """
    if source == BUILTIN:
        return _library_files()
    root = Path(source)
    try:
        if root.is_file():
            return [_found(root, root.name, _licence_of(root.parent, root.parent))]
        if root.exists() and not root.is_dir():
            raise DataError(
                f"documents {source!r} are a pipe or a device; expected a folder or a file; write "
                "what it gives to a file first"
            )
        if not root.is_dir():
            raise DataError(
                f"documents {source!r} do not exist; expected a folder, a file or {BUILTIN!r}"
            )
        prefix = root.resolve().name
        return [
            _found(path, f"{prefix}/{path.relative_to(root).as_posix()}", licence)
            for path, licence in _walk(root)
        ]
    except OSError as error:
        raise DataError(f"documents {source!r} cannot be read ({error.strerror})") from None


def _walk(root: Path) -> Iterator[tuple[Path, tuple[str, bool]]]:
    for folder, names, files in os.walk(root):
        names[:] = sorted(
            name for name in names if not name.startswith(".") and name not in _SKIPPED_FOLDERS
        )
        licence = _licence_of(Path(folder), root)
        for name in sorted(files):
            path = Path(folder, name)
            is_plain = path.is_file() and not path.is_symlink()
            if is_plain and not name.startswith(".") and not _LICENCE_FILE.match(name):
                yield path, licence


def _found(path: Path, name: str, licence: tuple[str, bool]) -> FoundFile:
    return FoundFile(
        path=path,
        name=_UNSEEN.sub("_", name.encode("utf-8", "replace").decode()),
        num_bytes=path.stat().st_size,
        licence=licence[0],
        may_be_altered=licence[1],
    )


def _library_files() -> list[FoundFile]:
    root = Path(sysconfig.get_paths()["stdlib"])
    paths = sorted(
        path
        for path in root.rglob("*.py")
        if not (set(path.relative_to(root).parts) & (_SKIPPED_LIBRARY | _SKIPPED_FOLDERS))
    )
    return [_found(path, path.relative_to(root).as_posix(), ("PSF-2.0", True)) for path in paths]


@lru_cache(maxsize=10_000)
def _licence_of(folder: Path, root: Path) -> tuple[str, bool]:
    """Return the licence stated nearest to a folder, and whether it allows changes."""
    for name in sorted(os.listdir(folder)):
        path = folder / name
        if _LICENCE_FILE.match(name) and path.is_file():
            stated = read_licence(path.read_bytes()[:20_000].decode("utf-8", "replace"))
            if stated[0] != "unknown":
                return stated
    if folder == root or folder == folder.parent:
        return "unknown", True
    return _licence_of(folder.parent, root)


def read_licence(text: str) -> tuple[str, bool]:
    """Return the licences a text names, and whether changes are allowed."""
    names = [name for name, pattern in _LICENCES if re.search(pattern, text)]
    may_be_altered = _NO_CHANGES.search(text) is None
    return " / ".join(names) or "unknown", may_be_altered
