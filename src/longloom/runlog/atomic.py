"""Write files and folders so that a final name never holds half of its content.

A file is written under a temporary name in its own folder, flushed to the disk and renamed. A
`kill -9` leaves at most a hidden `.partial` file, never a damaged final one.
"""

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from longloom.errors import DataError, LongloomError

_FULL = "free space on its disk"
_IN_THE_WAY = "take another path, for something else has that name"
_FORBIDDEN = "make the folder writable or take another one"
_ADVICE = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.ENAMETOOLONG: "take a shorter name",
    errno.ENOTDIR: "take another path, for a part of this one is a file",
    errno.EEXIST: _IN_THE_WAY,
    errno.EISDIR: _IN_THE_WAY,
    errno.EACCES: _FORBIDDEN,
    errno.EROFS: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
}
"""What to do about a failed write, by its cause."""


def atomic_write_bytes(
    path: Path, content: bytes, *, error_class: type[LongloomError] = DataError
) -> None:
    """Replace `path` by `content`, or leave it as it was.

    Raises:
        LongloomError: of `error_class`; the folder cannot be written or the disk is full.
    """
    with atomic_path(path, error_class=error_class) as partial_path:
        partial_path.write_bytes(content)


def atomic_write_text(
    path: Path, content: str, *, error_class: type[LongloomError] = DataError
) -> None:
    """Replace `path` by `content` in UTF-8, or leave it as it was.

    Raises:
        LongloomError: of `error_class`; the folder cannot be written or the disk is full.
    """
    atomic_write_bytes(path, content.encode("utf-8"), error_class=error_class)


@contextmanager
def atomic_path(path: Path, *, error_class: type[LongloomError] = DataError) -> Iterator[Path]:
    """Give a temporary path beside `path`; it takes the final name when the block succeeds.

    The folder is made if it is missing. The temporary file is removed when the block fails.

    Raises:
        LongloomError: of `error_class`; the folder cannot be written or the disk is full.
    """
    # Not by the process alone: writers on two machines may have the same number.
    partial_path = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial_path
        sync_file(partial_path)
        os.replace(partial_path, path)
        sync_folder(path.parent)
    except OSError as error:
        raise error_class(describe_write_failure(path, error)) from error
    finally:
        with suppress(OSError):  # the parent may be a file; the error above says so
            partial_path.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path, *, error_class: type[LongloomError] = DataError) -> Iterator[Path]:
    """Give an empty folder `<path>.partial`; it takes the final name when the block succeeds.

    What a killed writer left under the partial name is removed first. Files written in the block
    are flushed to the disk before the rename.

    Raises:
        LongloomError: of `error_class`; `path` exists already, or it cannot be written.
    """
    if path.exists():
        raise error_class(f"{path} exists already; choose another folder or remove it")
    partial_path = path.with_name(path.name + ".partial")
    try:
        if partial_path.exists():
            shutil.rmtree(partial_path)
        partial_path.mkdir(parents=True)
        yield partial_path
        for written in sorted(partial_path.rglob("*")):
            (sync_folder if written.is_dir() else sync_file)(written)
        sync_folder(partial_path)
        os.rename(partial_path, path)
        sync_folder(path.parent)
    except OSError as error:
        raise error_class(describe_write_failure(path, error)) from error
    finally:
        shutil.rmtree(partial_path, ignore_errors=True)


def sync_file(path: Path) -> None:
    """Flush the content of `path` to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Flush the names in folder `path` to the disk."""
    sync_file(path)


def describe_write_failure(path: Path, error: OSError) -> str:
    """Return one line: what could not be written, why, and what to do."""
    reason = error.strerror or str(error)
    advice = _ADVICE.get(error.errno or 0, "put that right")
    return f"cannot write {path}: {reason}; {advice}, then run the command again"
