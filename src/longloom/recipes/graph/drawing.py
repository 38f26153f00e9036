"""Draw the stages of a run as a graph of characters: a lane for each checkpoint still needed.

o     base
|-.
| o   stage-1
| o   memory
|-'
o     merged
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_UNICODE = {"node": "●", "lane": "│", "branch": "├", "over": "─", "cross": "┼", "open": "╮",
            "close": "╯", "join": "┴"}  # fmt: skip
_ASCII = {"node": "o", "lane": "|", "branch": "|", "over": "-", "cross": "+", "open": ".",
          "close": "'", "join": "'"}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnLine:
    """One line of a drawing."""

    lanes: str
    """The characters of its lanes, all lines of the same width."""
    name: str
    """The node on it; empty between nodes."""


def draw_graph(needs: Mapping[str, Sequence[str]], *, is_unicode: bool = True) -> list[DrawnLine]:
    """Return the drawing of a graph, from `base` at the top.

    Args:
        needs: what each node starts from, every node after what it needs.
        is_unicode: whether lines are drawn with box characters.
    """
    signs = _UNICODE if is_unicode else _ASCII
    lanes: list[str] = ["base"]
    drawn = [("", [signs["node"]], "base")]
    waiting = list(needs)
    for name in needs:
        waiting.remove(name)
        inputs = [lane for lane, holder in enumerate(lanes) if holder in needs[name]]
        still_needed = {other for later in waiting for other in needs[later]}
        ended = [lane for lane in inputs if lanes[lane] not in still_needed]
        target = ended[0] if ended else _free_lane(lanes)
        while len(lanes) <= target:
            lanes.append("")
        if len(inputs) > 1 or target not in inputs:
            drawn.append(("", _connector(lanes, [*inputs, target], ended, target, signs), ""))
        for lane in ended:
            lanes[lane] = ""
        lanes[target] = name
        drawn.append(("", _node_row(lanes, target, signs), name))
        if name not in still_needed and waiting:
            lanes[target] = ""  # nobody starts from it: its lane ends here
    width = max(len(row) for _, row, _ in drawn)
    return [
        DrawnLine(lanes="".join(row).ljust(width), name=name)
        for _, row, name in drawn
    ]  # fmt: skip


def _free_lane(lanes: Sequence[str]) -> int:
    """Return the first free lane right of all that are taken."""
    return max((lane + 1 for lane, holder in enumerate(lanes) if holder), default=0)


def _node_row(lanes: Sequence[str], target: int, signs: Mapping[str, str]) -> list[str]:
    row = []
    for lane, holder in enumerate(lanes):
        row.append(signs["node"] if lane == target else signs["lane"] if holder else " ")
        row.append(" ")
    while row and row[-1] == " ":
        row.pop()
    return row


def _connector(
    lanes: Sequence[str],
    touched: Sequence[int],
    ended: Sequence[int],
    target: int,
    signs: Mapping[str, str],
) -> list[str]:
    """Return the row between nodes that joins the lanes of inputs with the lane of the node."""
    first, last = min(touched), max(touched)
    row = []
    for lane, holder in enumerate(lanes):
        is_inside = first <= lane <= last
        if lane == first:
            sign = signs["branch"]
        elif lane == last:
            is_new = lane == target and lane not in ended
            # An input that goes on below is passed, not ended.
            ends = "close" if lane in ended else "cross"
            sign = signs["open"] if is_new else signs[ends]
        elif is_inside and lane in ended:
            sign = signs["join"]
        elif is_inside:
            sign = signs["cross"] if holder else signs["over"]
        else:
            sign = signs["lane"] if holder else " "
        row.append(sign)
        row.append(signs["over"] if first <= lane < last else " ")
    while row and row[-1] == " ":
        row.pop()
    return row
