"""Carry out a recipe as a graph: examples, stages, evaluation beside them, report.

    settings + digests -> graph -> what is to do -> each part in the folder of its key -> report

Everything a part needs is in the run folder, so the same call resumes a run that was stopped at any
moment; a call with other settings computes what depends on them and finds the rest.
"""

import shutil
from contextlib import ExitStack
from pathlib import Path

from longloom.engines.machine import resolve
from longloom.errors import ConfigError
from longloom.recipes.background import BackgroundEvaluator
from longloom.recipes.catalogue import RECIPES
from longloom.recipes.evaluation_jobs import EvaluationJob
from longloom.recipes.graph.ledger import NodeLedger, reason_to_compute
from longloom.recipes.graph.nodes import Node, RunGraph, build_graph, read_digests
from longloom.recipes.graph.places import drop_replaced, put_aside
from longloom.recipes.graph.selection import Part, check_starts, select
from longloom.recipes.model_source import resolve_model
from longloom.recipes.run_cells import evaluate_checkpoint, wait_for_cells
from longloom.recipes.run_config import RunConfig, check_lengths, check_sft_rows
from longloom.recipes.run_examples import check_examples, prepare_examples
from longloom.recipes.run_listener import RecordedListener, RunListener
from longloom.recipes.run_stages import (
    check_later_rows,
    check_stage_memory,
    clear_finished,
    run_stage,
)
from longloom.recipes.run_state import LiveRun, RunState
from longloom.recipes.sampler_source import prepare_torch
from longloom.recipes.saved_steps import saved_steps
from longloom.recipes.scoring import JUDGE_FOLDER, open_scoring
from longloom.recipes.windows import check_windows
from longloom.report import write_report
from longloom.runlog import (
    INDEX_FILE,
    NodeKind,
    RunFolder,
    Status,
    describe_run,
    read_manifest,
    run_folder_name,
    write_manifest,
)
from longloom.runlog.events import ACTIVITY_FILE, EVENTS_FILE
from longloom.runlog.trackers import Trackers, open_trackers
from longloom.text.tokenizer import FolderTokenizer

EVERYTHING = Part()


def default_folder(config: RunConfig, root: Path = Path("runs")) -> Path:
    """Return `runs/RECIPE`, or `runs/RECIPE-seed-N` for another seed than the recipe's own."""
    own_seed = RECIPES[config.recipe]().seed if config.recipe in RECIPES else 0
    seed = config.seed if config.seed != own_seed else None
    return root / run_folder_name(config.recipe, seed)


def run_recipe(
    config: RunConfig,
    *,
    folder: Path,
    listener: RunListener,
    fresh: bool = False,
    part: Part = EVERYTHING,
) -> Path:
    """Carry out `config` in `folder`, or what of it is not there yet; return the report's path.

    Args:
        config: the settings.
        folder: the run folder; results of other settings in it stay.
        listener: is told what happens.
        fresh: remove everything that runs have written there first.
        part: compute a part only.

    Raises:
        ConfigError: the folder holds something else, another process works in it, or there is no
            such part.
        LongloomError: a part failed; the message says which and what to do.
    """
    check_lengths(config)
    check_sft_rows(config)
    base = resolve_model(config.model)
    graph = build_graph(config, read_digests(config, base))
    selection = select(graph, part)
    state = RunState(
        config=config, folder=folder, base=base, graph=graph, part=part, selection=selection
    )
    run_folder = RunFolder(folder)
    with run_folder.lock():
        if fresh:
            _clear(run_folder)
        check_layout(run_folder)
        check_starts(graph, part, {name: state.status(node) for name, node in graph.stages.items()})
        again = put_aside(folder, graph, selection.again)
        with RecordedListener(listener, folder) as recorded:
            _tell_what_is_there(state, recorded, again)
            _describe(state, run_folder)
            if state.to_do():
                prepare_torch(config.num_threads, config.engine)
                _carry_out(state, recorded)
            drop_replaced(folder, graph)
            for node in graph.stages.values():
                if state.status(node) is Status.DONE:
                    clear_finished(state, node)
            state.write_index()
        return write_report(folder)


def check_layout(folder: RunFolder) -> None:
    """Refuse a folder whose results have no keys, or that is a training by hand.

    Raises:
        ConfigError: it is such a folder.
        DataError: its run.yaml is damaged.
    """
    if not folder.run_file.exists() or (folder.path / INDEX_FILE).exists():
        return
    is_run = "stages" in read_manifest(folder.run_file).config
    what = (
        "a run of an earlier Longloom, whose results do not say which settings they are of"
        if is_run
        else "something else than a run"
    )
    raise ConfigError(
        f"run folder {folder.path} holds {what}; choose another folder with --output, or start it "
        "again with --fresh"
    )


def _tell_what_is_there(state: RunState, listener: RunListener, again: list[str]) -> None:
    for node in (*state.graph.sets.values(), *state.graph.stages.values()):
        if not state.is_wanted(node):
            continue
        status = state.status(node)
        name = node.name if node.stage is not None else f"examples {node.name}"
        if status is Status.DONE:
            listener.on_message(f"{name}: done before (key {node.shown_key})")
        elif node.stage is not None and node.name in again:
            listener.on_message(f"{name}: computed again; what was there is kept until then")
        elif status is Status.PARTLY:
            step = saved_steps(state.place(node))
            listener.on_message(f"{name}: goes on after step {step} (key {node.shown_key})")
        elif reason := reason_to_compute(state.folder, node):
            listener.on_message(f"{name}: {reason}")
    cells = [node for node in state.graph.cells if state.is_wanted(node)]
    num_done = sum(state.status(node) is Status.DONE for node in cells)
    if num_done:
        listener.on_message(f"evaluation: {num_done} of {len(cells)} cells done before")


def _describe(state: RunState, folder: RunFolder) -> None:
    """Write which settings the folder is about, and what belongs to them."""
    config, settings = state.config, state.config.model_dump(mode="json")
    state.write_index()  # before run.yaml: a folder with run.yaml alone is of an earlier Longloom
    if folder.run_file.exists() and dict(read_manifest(folder.run_file).config) == settings:
        return
    manifest = describe_run(
        recipe=config.recipe, seed=config.seed, num_threads=config.num_threads, config=settings
    )
    write_manifest(folder.run_file, manifest)


def _carry_out(state: RunState, listener: RunListener) -> None:
    config, graph = state.config, state.graph
    tokenizer = FolderTokenizer(state.base)
    check_windows(config, state.base, tokenizer)
    stages = [node for node in state.to_do() if node.stage is not None]
    for node in stages:
        assert node.stage is not None
        check_stage_memory(config, node.stage, state.base)
    _make_examples(state, tokenizer, listener)
    with ExitStack() as stack:
        scoring = stack.enter_context(open_scoring(config.reward, config.judge, state.folder))
        evaluator = None
        if _has_cells_to_do(state) and _evaluates_beside(config, listener):
            evaluator = BackgroundEvaluator(
                config, state.folder, on_done=_CellTeller(state, listener)
            )
            stack.enter_context(evaluator)
        run = LiveRun(
            state=state,
            listener=listener,
            scoring=scoring,
            trackers=stack.enter_context(_open_trackers(state, stages)),
            evaluator=evaluator,
        )
        check_later_rows(run, tokenizer)
        evaluate_checkpoint(run, "base")
        for name, node in graph.stages.items():
            if node in stages:
                run_stage(run, node)
                state.write_index()
            if state.status(node) is Status.DONE:
                evaluate_checkpoint(run, name)
        if evaluator is not None:
            wait_for_cells(run, evaluator)


def _make_examples(state: RunState, tokenizer: FolderTokenizer, listener: RunListener) -> None:
    missing = [node for node in state.to_do() if node.kind is NodeKind.EXAMPLES]
    made = prepare_examples(
        state.config,
        {node.name: state.place(node) for node in missing},
        tokenizer,
        progress=listener.on_progress,
    )
    for node in missing:
        ledger = NodeLedger(state.place(node), node)
        next(made)
        ledger.save(is_finished=True)
        state.write_index()
    read = {name: state.set_place(name) for name in state.selection.sets}
    trained = {node.name for node in state.to_do() if node.stage is not None}
    check_examples(state.config, read, stages=trained)


def _open_trackers(state: RunState, stages: list[Node]) -> Trackers:
    """Open the trackers where the first stage that trains begins or goes on."""
    trains = [node for node in stages if node.stage is not None and node.stage.merge is None]
    first_step = 1
    if trains:
        first_step = state.steps_before(trains[0].name) + saved_steps(state.place(trains[0])) + 1
    return open_trackers(
        state.config.track if trains else (),
        state.folder,
        first_step=first_step,
        settings=state.config.model_dump(mode="json"),
    )


class _CellTeller:
    """Told by the second process which cell is done."""

    def __init__(self, state: RunState, listener: RunListener) -> None:
        self._state = state
        self._listener = listener

    def __call__(self, job: EvaluationJob, mean_reward: float) -> None:
        self._listener.on_cell(job, mean_reward)
        self._state.write_index()


def _has_cells_to_do(state: RunState) -> bool:
    return any(node.kind is NodeKind.CELL for node in state.to_do())


def _evaluates_beside(config: RunConfig, listener: RunListener) -> bool:
    """Return whether a second process evaluates; says so where `auto` decides against it."""
    if config.evaluation.in_background != "auto":
        return config.evaluation.in_background
    if resolve(config.engine).device.type != "cuda":
        return True
    listener.on_message(
        "checkpoints are evaluated between the stages, not beside them: a second network would "
        "take memory of the GPU that trains (evaluation.in_background=true does it anyway)"
    )
    return False


def _clear(folder: RunFolder) -> None:
    """Remove what a run writes, and nothing that somebody else put there."""
    for name in (*NodeKind, "tensorboard", JUDGE_FOLDER):
        shutil.rmtree(folder.path / name, ignore_errors=True)
    written = (
        folder.metrics_file,
        folder.rollouts_file,
        folder.report_file,
        *(folder.path / name for name in ("wandb_id.txt", EVENTS_FILE, ACTIVITY_FILE, INDEX_FILE)),
        folder.run_file,  # last: without it the folder would not be known as a run's
    )
    for path in written:
        path.unlink(missing_ok=True)
    folder.create()


def graph_of(config: RunConfig) -> RunGraph:
    """Return the parts of a run with their keys.

    Raises:
        ModelError: the model is not there.
        DataError: documents or rows are not there.
    """
    return build_graph(config, read_digests(config, resolve_model(config.model)))
