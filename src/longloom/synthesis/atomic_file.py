"""Write a file so that its final name never holds half of it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from longloom.errors import DataError


@contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target` that becomes `target` when the block ends well.

    The content is synced to disk before the rename. On an error the temporary file is removed.

    Raises:
        DataError: the folder cannot be written, or the disk is full.
    """
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(target)
    except OSError as error:
        raise DataError(
            f"{target} cannot be written: {error.strerror or error}; expected a writable folder "
            "with free space (choose another one)"
        ) from None
    finally:
        temporary.unlink(missing_ok=True)
