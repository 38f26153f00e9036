"""Parts of a run as its index has them."""

from typing import Any

from longloom.runlog import NodeKind, Status
from longloom.runlog.stage_index import IndexedNode


def stage_node(name: str = "stage-1", **changes: Any) -> IndexedNode:
    """Return a stage that is wanted and to do."""
    fields: dict[str, Any] = {
        "kind": NodeKind.STAGE,
        "name": name,
        "key": "ab12cd34ef",
        "place": f"checkpoints/{name}-ab12cd34",
        "status": Status.TO_DO,
        "is_wanted": True,
        "needs": ("base",),
        "stage_kind": "full_context",
        "num_steps": 10,
    }
    return IndexedNode(**{**fields, **changes})
