"""Every node is asked before the first task."""

from pathlib import Path

import pytest

from longloom.engines.ray.nodes import check_nodes
from longloom.errors import EngineError

pytestmark = [
    pytest.mark.distributed,
    pytest.mark.enable_socket,
    pytest.mark.usefixtures("cluster"),
]


def test_nodes_that_see_everything_are_counted_and_nothing_is_left(tmp_path: Path) -> None:
    document = tmp_path / "document.txt"
    document.write_text("four", "utf-8")
    assert check_nodes(tmp_path, [tmp_path], [(document, 4)]) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["document.txt"]


def test_a_node_that_misses_a_document_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"node .* does not see 1 of the documents"):
        check_nodes(tmp_path, [tmp_path], [(tmp_path / "absent.txt", 4)])
    assert not any(tmp_path.iterdir())
