"""Unpack the ZIP file in which some official files are published."""

import shutil
import zipfile
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from longloom.errors import DataError
from longloom.runlog.atomic import atomic_path

MAX_UNPACKED_BYTES = 8 << 30
"""LongBench unpacks to 0.3 GB; an archive that claims more than this is refused."""


def unpack(archive: Path, patterns: Iterable[str]) -> None:
    """Put the members that match a pattern beside the archive, flat, under their own names.

    Folders in the archive are ignored, so that no name leads out of the folder. What is there
    already stays. Nothing happens without the archive.

    Raises:
        DataError: it is damaged, or unpacks to more than `MAX_UNPACKED_BYTES`.
    """
    if not archive.is_file():
        return
    names = {PurePosixPath(layout).name for pattern in patterns for layout in pattern.split("|")}
    try:
        with zipfile.ZipFile(archive) as file:
            members = [
                member
                for member in file.infolist()
                if any(fnmatch(PurePosixPath(member.filename).name, name) for name in names)
            ]
            num_bytes = sum(member.file_size for member in members)
            if num_bytes > MAX_UNPACKED_BYTES:
                raise DataError(
                    f"{archive} unpacks to {num_bytes} bytes; expected at most "
                    f"{MAX_UNPACKED_BYTES}; give the official file"
                )
            for member in members:
                _copy(file, member, archive.parent / PurePosixPath(member.filename).name)
    except (OSError, RuntimeError, zipfile.BadZipFile) as error:
        raise DataError(f"{archive} cannot be unpacked: {error}; download it again") from None


def _copy(file: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    if target.exists() or member.is_dir():
        return
    with (
        atomic_path(target) as unfinished,
        file.open(member) as packed,
        unfinished.open("wb") as to,
    ):
        shutil.copyfileobj(packed, to)
