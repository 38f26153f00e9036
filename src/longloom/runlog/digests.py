"""Digests of files: what a run read, and what it wrote, told apart by content alone.

Times and sizes do not tell: a file that is moved or copied keeps its time, and weights that were
trained further keep their size.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from longloom.errors import DataError

_DIGEST_BYTES = 16
_BLOCK_BYTES = 1 << 16
_NUM_BLOCKS = 32


def file_digest(path: Path) -> str:
    """Return the BLAKE2b digest of a file, read in pieces.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, _new).hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from None


def sampled_digest(path: Path) -> str:
    """Return a digest of a file's size and of 32 blocks spread over it: 2 MiB of any size.

    Weights that were trained further differ in every block; a single bit may be overlooked.

    Raises:
        DataError: it cannot be read.
    """
    digest = _new()
    try:
        with path.open("rb") as file:
            num_bytes = path.stat().st_size
            digest.update(str(num_bytes).encode())
            last = max(0, num_bytes - _BLOCK_BYTES)
            for number in range(_NUM_BLOCKS):
                file.seek(last * number // (_NUM_BLOCKS - 1))
                digest.update(file.read(_BLOCK_BYTES))
    except OSError as error:
        raise _unreadable(path, error) from None
    return digest.hexdigest()


def joined_digest(digests: Iterable[str]) -> str:
    """Return one digest of several, whose order counts."""
    digest = _new()
    for part in digests:
        digest.update(f"{part}\0".encode())
    return digest.hexdigest()


def _new() -> "hashlib.blake2b":
    return hashlib.blake2b(digest_size=_DIGEST_BYTES)


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"{path} cannot be read: {error.strerror}; expected a readable file")
