"""Evaluate the checkpoints of a run: between its stages, or in a process beside them."""

from dataclasses import replace
from functools import partial

from longloom.recipes.background import BackgroundEvaluator
from longloom.recipes.evaluation_jobs import EvaluationJob, compute_cell
from longloom.recipes.graph.nodes import Node
from longloom.recipes.run_state import LiveRun, RunState
from longloom.runlog import Status

_WAIT_SECONDS = 0.5


def job_of(state: RunState, node: Node) -> EvaluationJob:
    """Return what is asked in a cell, with the places of this run."""
    assert node.job is not None
    return replace(
        node.job,
        model_folder=state.model(node.job.checkpoint),
        examples=state.set_place(node.examples),
    )


def evaluate_checkpoint(run: LiveRun, checkpoint: str) -> None:
    """Compute the cells of a checkpoint that are not there, or hand them to the second process.

    Raises:
        LongloomError: a cell cannot be computed.
    """
    state = run.state
    for node in state.graph.cells_of(checkpoint):
        if not state.is_wanted(node) or state.status(node) is Status.DONE:
            continue
        job = job_of(state, node)
        if run.evaluator is not None:
            run.evaluator.submit(job)
            continue
        cell = compute_cell(
            job,
            state.config,
            state.folder,
            on_progress=partial(run.listener.on_progress, f"evaluating {checkpoint} {job.suite}"),
        )
        rewards = [reward for score in cell.scores for reward in score.rewards]
        run.listener.on_cell(job, sum(rewards) / max(1, len(rewards)))
        state.write_index()


def wait_for_cells(run: LiveRun, evaluator: BackgroundEvaluator) -> None:
    """Wait until the second process has computed everything.

    Raises:
        EngineError: a cell failed, or the process died.
    """
    while evaluator.num_done < evaluator.num_submitted:
        run.listener.on_progress(
            "waiting for evaluation", evaluator.num_done, evaluator.num_submitted
        )
        evaluator.collect(wait_seconds=_WAIT_SECONDS)
    run.listener.on_progress("waiting for evaluation", evaluator.num_done, evaluator.num_submitted)
