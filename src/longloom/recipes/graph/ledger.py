"""What is written down about each part: its ingredients, when it was made, what it cost.

    checkpoints/stage-1-ab12cd34/node.json    synthesis/questions-ab12cd34/node.json

From the ingredients of earlier results a run tells why a part has to be computed.
"""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from longloom.recipes.graph.nodes import Node
from longloom.recipes.resume import first_difference
from longloom.runlog.atomic import atomic_write_text
from longloom.runlog.stage_index import NodeKind

NODE_FILE = "node.json"
NODE_SCHEMA = {"schema": "longloom.node", "version": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCost:
    """What a part has cost so far."""

    begun: str = ""
    """When work on it began, UTC."""
    finished: str = ""
    """When it was done, UTC; empty if it is not."""
    seconds: float = 0.0
    """Wall time of all calls together; the last seconds of a killed call are missing."""
    cpu_seconds: float = 0.0
    """CPU time of this process."""


def read_cost(place: Path) -> NodeCost:
    """Return what a part has cost; nothing if that is not written down."""
    written = _read(place / NODE_FILE)
    try:
        return NodeCost(
            begun=str(written["begun"]),
            finished=str(written["finished"]),
            seconds=float(str(written["seconds"])),
            cpu_seconds=float(str(written["cpu_seconds"])),
        )
    except (KeyError, ValueError):
        return NodeCost()


class NodeLedger:
    """Writes down what one part costs while work on it goes on."""

    SAVED_EVERY_SECONDS = 10.0

    def __init__(self, place: Path, node: Node) -> None:
        self._path = place / NODE_FILE
        self._node = node
        self._earlier = read_cost(place)
        self._begun = self._earlier.begun or _now()
        self._clock = time.monotonic()
        self._cpu_clock = time.process_time()
        self._saved = self._clock

    def tick(self) -> None:
        """Write the cost so far, at most every ten seconds."""
        if time.monotonic() - self._saved >= self.SAVED_EVERY_SECONDS:
            self.save()

    def save(self, *, is_finished: bool = False) -> None:
        """Write ingredients and cost.

        Raises:
            DataError: they cannot be written.
        """
        made_from = self._node.made_from
        self._saved = time.monotonic()
        content = {
            **NODE_SCHEMA,
            "kind": made_from.kind,
            "name": self._node.name,
            "key": self._node.key,
            "settings": made_from.settings,
            "made_from": {parent.name: parent.key for parent in made_from.parents},
            "begun": self._begun,
            "finished": _now() if is_finished else "",
            "seconds": self._earlier.seconds + time.monotonic() - self._clock,
            "cpu_seconds": self._earlier.cpu_seconds + time.process_time() - self._cpu_clock,
        }
        atomic_write_text(self._path, json.dumps(content, indent=1) + "\n")


@contextmanager
def written_down(place: Path, node: Node) -> Iterator[NodeLedger]:
    """Write down what the block costs; the part is finished if it ends without an error.

    Raises:
        DataError: the folder cannot be written.
    """
    ledger = NodeLedger(place, node)
    ledger.save()
    try:
        yield ledger
    except BaseException:
        ledger.save()
        raise
    ledger.save(is_finished=True)


def reason_to_compute(folder: Path, node: Node) -> str:
    """Return in what a part differs from the latest result of its name; empty if there is none."""
    places = sorted(
        (path.parent for path in (folder / node.kind).glob(f"{node.name}-*/{NODE_FILE}")),
        key=lambda place: (place / NODE_FILE).stat().st_mtime,
        reverse=True,
    )
    for place in places:
        written = _read(place / NODE_FILE)
        if written.get("name") != node.name or written.get("key") == node.key:
            continue
        settings, parents = written.get("settings"), written.get("made_from")
        if not isinstance(settings, Mapping) or not isinstance(parents, Mapping):
            continue
        if difference := first_difference(settings, node.made_from.settings):
            name, was, is_now = difference
            return f"{name} is {is_now}, in {place.name} it was {was}"
        for parent in node.made_from.parents:
            if parents.get(parent.name) != parent.key:
                return f"it starts from another {parent.name} than {place.name}"
    return ""


def _read(path: Path) -> Mapping[str, object]:
    try:
        written = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    is_ours = isinstance(written, dict) and NODE_SCHEMA.items() <= written.items()
    return written if is_ours else {}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def ledger_place(folder: Path, node: Node) -> Path | None:
    """Return the folder in which a part's costs are written; cells have none."""
    return folder / node.place if node.kind is not NodeKind.CELL else None
