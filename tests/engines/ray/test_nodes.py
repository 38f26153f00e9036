import sys
from pathlib import Path

import pytest

from longloom import __version__
from longloom.engines.ray.cluster import load_ray
from longloom.engines.ray.nodes import NodeView, SeenFile, look, problem_of
from longloom.errors import MissingDependencyError


def _view(**changes) -> NodeView:
    seen = {"version": __version__, "sees_output": True, "write_problem": "", "missing": ()}
    return NodeView(**{**seen, **changes})


def test_a_node_says_what_it_sees(tmp_path: Path) -> None:
    document = tmp_path / "document.txt"
    document.write_text("four", "utf-8")
    wanted = (
        SeenFile(path=str(tmp_path)),
        SeenFile(path=str(document), num_bytes=4),
        SeenFile(path=str(document), num_bytes=5),
        SeenFile(path=str(tmp_path / "absent")),
    )
    (tmp_path / "marker").touch()
    view = look(str(tmp_path / "marker"), str(tmp_path / "answer"), wanted)
    assert view == _view(missing=(str(document), str(tmp_path / "absent")))
    assert (tmp_path / "answer").exists()
    elsewhere = look(str(tmp_path / "x" / "marker"), str(tmp_path / "x" / "answer"), ())
    assert elsewhere == _view(sees_output=False, write_problem="No such file or directory")


def test_a_node_that_sees_everything_has_no_problem(tmp_path: Path) -> None:
    assert problem_of(_view(), tmp_path) == ""


@pytest.mark.parametrize(
    ("view", "said"),
    [
        (_view(version="0.0.1"), "has Longloom 0.0.1, expected"),
        (_view(write_problem="Read-only file system"), "(Read-only file system); take an output"),
        (_view(sees_output=False), "has another folder"),
        (_view(missing=("/a", "/b", "/c", "/d")), "does not see 4 of the documents"),
    ],
)
def test_a_node_that_lacks_something_says_what_to_do(
    view: NodeView, said: str, tmp_path: Path
) -> None:
    assert said in problem_of(view, tmp_path)


def test_a_folder_of_the_same_name_on_another_disk_is_noticed(tmp_path: Path) -> None:
    # The node wrote its answer, but it is not here.
    assert "has another folder" in problem_of(_view(), tmp_path / "answer")


def test_without_ray_the_pip_line_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "longloom\[ray\]"'):
        load_ray()
