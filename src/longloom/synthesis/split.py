"""Which documents are held out: decided by title alone, so adding documents moves none."""

import hashlib

from longloom.records import Split


def split_of_title(title: str, held_out_fraction: float) -> Split:
    """Return the split of the document called `title`."""
    digest = hashlib.sha256(f"longloom split 1\0{title}".encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    return Split.HELD_OUT if share < held_out_fraction else Split.TRAIN
