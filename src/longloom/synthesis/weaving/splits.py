"""Which documents are held out: decided by title alone, so adding documents moves none."""

import hashlib
from collections.abc import Iterable

from longloom.records import Split


def split_by_title(titles: Iterable[str], held_out_fraction: float) -> dict[str, Split]:
    """Return the split of every title."""
    return {
        title: Split.HELD_OUT if _share(title) < held_out_fraction else Split.TRAIN
        for title in titles
    }


def _share(title: str) -> float:
    """Return a number in [0, 1) that depends on the title alone."""
    digest = hashlib.sha256(f"longloom split 2\0{title}".encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
