"""Which documents are held out: decided by title alone, so adding documents moves none."""

import hashlib
from collections.abc import Iterable

from longloom.records import Split


def split_of_title(title: str, held_out_fraction: float) -> Split:
    """Return the split of the document called `title`."""
    return Split.HELD_OUT if _share(title) < held_out_fraction else Split.TRAIN


def split_titles(titles: Iterable[str], held_out_fraction: float) -> dict[str, Split]:
    """Return the split of every title.

    The rule is `split_of_title`, but of two documents or more each split gets at least one: the
    title nearest to the border changes sides.
    """
    splits = {title: split_of_title(title, held_out_fraction) for title in titles}
    if len(splits) > 1 and len(set(splits.values())) == 1:
        nearest = min(splits, key=lambda title: abs(_share(title) - held_out_fraction))
        is_held_out = splits[nearest] is Split.HELD_OUT
        splits[nearest] = Split.TRAIN if is_held_out else Split.HELD_OUT
    return splits


def _share(title: str) -> float:
    """Return a number in [0, 1) that depends on the title alone."""
    digest = hashlib.sha256(f"longloom split 1\0{title}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
