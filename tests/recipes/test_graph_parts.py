"""Order, drawing, partial runs, and what lies in a run folder."""

import json
import shutil
from pathlib import Path

import pytest

from indexed_nodes import stage_node
from longloom.errors import ConfigError, DataError
from longloom.recipes.catalogue import RECIPES, load_config
from longloom.recipes.graph.drawing import draw_graph
from longloom.recipes.graph.keys import Digests
from longloom.recipes.graph.nodes import RunGraph, build_graph
from longloom.recipes.graph.order import depending_on, needed_by, ordered
from longloom.recipes.graph.places import (
    drop_replaced,
    link_results,
    put_aside,
    remove_results,
    status_of,
    unused_results,
)
from longloom.recipes.graph.selection import Part, check_starts, select
from longloom.recipes.pipeline import default_folder
from longloom.runlog import RunIndex, Status, read_index, write_index

NEEDS = {
    "stage-1": ("base",),
    "stage-2": ("stage-1",),
    "memory": ("stage-2",),
    "merged": ("base", "stage-2", "memory"),
    "final": ("merged",),
}


@pytest.fixture(scope="module")
def graph() -> RunGraph:
    return build_graph(load_config("tiny-cpu"), Digests(base="b", tokenizer="t", documents="d"))


def test_what_is_free_goes_first_in_the_order_given() -> None:
    needs = {"c": ("b",), "b": ("a",), "a": ("base",), "x": ("base",)}
    assert ordered(needs, given=["base"]) == ("a", "b", "c", "x")
    assert needed_by(needs, "c") == {"b", "a", "base"}
    assert depending_on(needs, "a") == {"b", "c"}


def drawing(needs: dict[str, tuple[str, ...]]) -> list[str]:
    return [f"{line.lanes} {line.name}".rstrip() for line in draw_graph(needs, is_unicode=False)]


def test_graph_is_drawn_with_a_lane_for_each_checkpoint_still_needed() -> None:
    assert drawing(NEEDS) == [
        "o     base",
        "|-.",
        "| o   stage-1",
        "| o   stage-2",
        "| |-.",
        "| | o memory",
        "|-'-'",
        "o     merged",
        "o     final",
    ]


def test_drawing_crosses_a_lane_that_a_join_does_not_end() -> None:
    needs = {"a": ("base",), "b": ("base",), "d": ("base", "b"), "e": ("a", "d")}
    assert drawing(needs) == [
        "o     base",
        "|-.",
        "| o   a",
        "|-+-.",
        "| | o b",
        "|-+-'",
        "o |   d",
        "|-'",
        "o     e",
    ]


def test_every_node_is_drawn_once_and_lines_are_of_one_width() -> None:
    for name in RECIPES:
        needs = {stage.name: stage.needs for stage in RECIPES[name]().stages}
        drawn = draw_graph(needs)
        assert [line.name for line in drawn if line.name] == ["base", *needs]
        assert len({len(line.lanes) for line in drawn}) == 1


def test_until_takes_what_a_stage_starts_from(graph) -> None:
    chosen = select(graph, Part(end="stage-2"))
    assert chosen.stages == {"stage-1", "stage-2"}
    assert chosen.checkpoints == {"base", "stage-1", "stage-2"}
    assert not chosen.again
    assert {cell.job.checkpoint for cell in graph.cells if chosen.includes(cell)} == (
        chosen.checkpoints
    )


def test_until_a_stage_without_memory_needs_no_documents_for_the_agent(graph) -> None:
    assert "memory" not in select(graph, Part(end="stage-2")).sets
    assert "memory" in select(graph, Part(end="memory")).sets


def test_from_computes_a_stage_and_what_depends_on_it_again(graph) -> None:
    assert select(graph, Part(begin="memory")).again == {"memory", "merged", "final"}
    assert select(graph, Part(begin="stage-3", end="memory")).again == {"stage-3", "memory"}


def test_only_is_one_stage_and_its_evaluations(graph) -> None:
    chosen = select(graph, Part(only="stage-2"))
    assert chosen.stages == chosen.checkpoints == {"stage-2"}


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (Part(begin="stage-9"), "--from stage-9: the recipe has no such stage; did you mean"),
        (Part(end="merge"), "--until merge: the recipe has no such stage; did you mean 'merged'"),
        (Part(only="xyz"), "stages: stage-1, stage-2, stage-3, memory, merged, final"),
        (Part(only="memory", end="final"), "expected --only alone"),
        (Part(begin="memory", end="stage-1"), "leaves nothing"),
    ],
)
def test_a_part_that_is_not_there_is_refused(graph, part, message) -> None:
    with pytest.raises(ConfigError) as raised:
        select(graph, part)
    assert message in str(raised.value)


def test_only_says_which_command_makes_what_it_starts_from(graph) -> None:
    states = dict.fromkeys(graph.stages, Status.TO_DO)
    with pytest.raises(
        ConfigError, match=r"starts from stage-1, which is not there .* --until stage-1"
    ):
        check_starts(graph, Part(only="stage-2"), states)
    check_starts(graph, Part(only="stage-1"), states)
    check_starts(graph, Part(only="stage-2"), states | {"stage-1": Status.DONE})


def make_stage(folder: Path, graph: RunGraph, name: str, text: str = "weights") -> Path:
    place = folder / graph.stages[name].place
    (place / "final").mkdir(parents=True)
    (place / "final" / "model.safetensors").write_text(text)
    return place


def test_results_put_aside_stay_until_the_new_ones_are_there(graph, tmp_path) -> None:
    places = {name: make_stage(tmp_path, graph, name) for name in ("memory", "merged")}
    cell = tmp_path / next(c for c in graph.cells_of("memory")).place
    cell.parent.mkdir()
    cell.write_text("{}")
    again = frozenset({"memory", "merged"})
    assert put_aside(tmp_path, graph, again) == ["memory", "merged"]
    assert not any(place.exists() for place in (*places.values(), cell))
    make_stage(tmp_path, graph, "memory", "new")
    assert put_aside(tmp_path, graph, again) == []  # the call goes on where it was
    drop_replaced(tmp_path, graph)
    left = sorted(path.name for path in tmp_path.glob("*/*.replaced"))
    assert left == sorted([f"{places['merged'].name}.replaced", f"{cell.name}.replaced"])
    assert (places["memory"] / "final" / "model.safetensors").read_text() == "new"


def test_stable_names_lead_to_what_is_done_and_to_nothing_else(graph, tmp_path) -> None:
    make_stage(tmp_path, graph, "stage-1")
    make_stage(tmp_path, graph, "final")
    link_results(tmp_path, graph)
    link = tmp_path / "checkpoints" / "final"
    assert (link / "model.safetensors").read_text() == "weights"
    assert not (tmp_path / "checkpoints" / "stage-2").exists()
    shutil.rmtree(tmp_path / graph.stages["final"].place)
    link_results(tmp_path, graph)
    assert not link.is_symlink()


def test_a_disk_without_links_gets_a_line_of_text(graph, tmp_path, monkeypatch) -> None:
    def refuse(self, target, target_is_directory=False):
        raise OSError("no links here")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    place = make_stage(tmp_path, graph, "stage-1")
    link_results(tmp_path, graph)
    text = (tmp_path / "checkpoints" / "stage-1.txt").read_text()
    assert text == f"{place.name}/final\n"
    assert unused_results(tmp_path, graph) == []


def test_results_of_other_settings_are_found_with_their_sizes_and_removed(graph, tmp_path) -> None:
    kept = make_stage(tmp_path, graph, "stage-1")
    link_results(tmp_path, graph)
    other = tmp_path / "checkpoints" / "stage-1-00000000" / "final"
    other.mkdir(parents=True)
    (other / "model.safetensors").write_bytes(b"x" * 1_000)
    (tmp_path / "evaluation").mkdir()
    (tmp_path / "evaluation" / "base--stage-1--memory-00000000.json").write_bytes(b"x" * 10)
    found = unused_results(tmp_path, graph)
    assert [(result.place, result.num_bytes) for result in found] == [
        ("checkpoints/stage-1-00000000", 1_000),
        ("evaluation/base--stage-1--memory-00000000.json", 10),
    ]
    remove_results(tmp_path, found)
    assert unused_results(tmp_path, graph) == []
    assert status_of(tmp_path, graph.stages["stage-1"]) is Status.DONE
    assert kept.is_dir()


def test_folders_are_named_by_recipe_and_by_another_seed() -> None:
    config = load_config("tiny-cpu")
    assert default_folder(config) == Path("runs/tiny-cpu")
    assert default_folder(config.replace(seed=3)) == Path("runs/tiny-cpu-seed-3")
    changed = config.replace(memory=config.memory.replace(chunk_tokens=150))
    assert default_folder(changed) == Path("runs/tiny-cpu")


NODE = stage_node(key="ab", status=Status.PARTLY, stage_kind="sft", step=2, num_steps=3)


def test_index_is_read_as_it_was_written(tmp_path) -> None:
    index = RunIndex(recipe="r", part="--until stage-1", nodes=(NODE,))
    write_index(tmp_path, index)
    assert read_index(tmp_path) == index
    assert index.steps_before("later") == 3


@pytest.mark.parametrize("place", ["/etc/passwd", "../elsewhere"])
def test_index_leads_nowhere_outside_the_run_folder(tmp_path, place) -> None:
    write_index(tmp_path, RunIndex(recipe="r", part="", nodes=(NODE,)))
    path = tmp_path / "stages.json"
    content = json.loads(path.read_text())
    content["nodes"][0]["place"] = place
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match="expected a path below the run folder"):
        read_index(tmp_path)
