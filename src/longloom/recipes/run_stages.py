"""Carry out one stage of a run, of whichever kind, in the folder of its key."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from longloom.engines.local import LocalEngine
from longloom.engines.machine import give_back_unused_memory, resolve
from longloom.memory import MemoryAgent
from longloom.merging.merge import merge_models
from longloom.recipes.cluster.fine_tuning import (
    check_fine_tuning,
    fine_tune_on_cluster,
    num_verl_steps,
)
from longloom.recipes.cluster.stages import (
    ClusterStage,
    check_on_cluster,
    forget_steps,
    reinforce_on_cluster,
)
from longloom.recipes.graph.ledger import NodeLedger, written_down
from longloom.recipes.graph.nodes import Node
from longloom.recipes.graph.places import FINAL
from longloom.recipes.run_config import RunConfig, StageConfig
from longloom.recipes.run_examples import answers_set, read_set, stage_examples
from longloom.recipes.run_state import LiveRun, RunState
from longloom.recipes.saved_steps import saved_steps
from longloom.recipes.stage_data import read_sft_rows
from longloom.recipes.stage_memory import check_memory, recipe_work
from longloom.recipes.stage_messages import long_rows_message, skipped_message
from longloom.recipes.step_log import StepLog, open_step_log
from longloom.recipes.worked_answers import ROWS_FILE
from longloom.records import Split
from longloom.report import write_merge_page
from longloom.rollout import Agent, SinglePassAgent
from longloom.runlog import METRICS_FILE
from longloom.text.tokenizer import FolderTokenizer, Tokenizer
from longloom.training.checkpoints import StageCheckpoints
from longloom.training.loop import StageInputs, StepResult, train_stage
from longloom.training.sft import SftInputs, num_sft_steps, train_sft_stage
from longloom.training.sft_rows import SftExample


def run_stage(run: LiveRun, node: Node) -> None:
    """Carry out a stage, from its last checkpoint if there is one.

    Raises:
        LongloomError: it cannot be carried out; the message says why and what to do.
    """
    stage = node.stage
    assert stage is not None
    place = run.state.place(node)
    with written_down(place, node) as ledger:
        run.state.write_index()
        if stage.merge is not None:
            _merge(run, stage, place)
            return
        start = run.state.model(stage.start)
        if run.state.config.cluster is not None:
            _train_on_cluster(run, node, ledger)
            return
        check_stage_memory(run.state.config, stage, start)
        engine = LocalEngine(start, config=run.state.config.engine, yarn=stage.yarn)
        if stage.sft is not None:
            _fine_tune(run, node, engine, ledger)
        else:
            _reinforce(run, node, engine, ledger)


def clear_finished(state: RunState, node: Node) -> None:
    """Remove the steps that a run left which was killed just after it had written `final`."""
    assert node.stage is not None
    trained = node.stage.training or node.stage.sft
    if trained is not None:
        StageCheckpoints(state.place(node), trained.checkpoints, schema="").is_finished()
        forget_steps(state.place(node), trained.checkpoints)


def check_stage_memory(config: RunConfig, stage: StageConfig, start: Path) -> None:
    """Refuse a stage that does not fit the memory, or what a cluster cannot do.

    Raises:
        EngineError: it does not fit.
        ConfigError: a setting is none that a cluster can follow.
    """
    work = recipe_work(config, stage)
    if config.cluster is not None:
        check_on_cluster(config, stage, start)
        if stage.sft is not None:
            check_fine_tuning(config, stage, start)
    elif work is not None:
        check_memory(stage.name, start, config.engine, work)


def check_later_rows(run: LiveRun, tokenizer: Tokenizer) -> None:
    """Read the rows of stages behind the first to run, which reads its own at once anyway.

    Raises:
        DataError: a row cannot be used, or none is short enough.
    """
    stages = [node for node in run.state.to_do() if node.stage is not None]
    for node in stages[1:]:
        if node.stage is not None and node.stage.sft is not None:
            rows = _rows(run, node.stage, tokenizer)
            count = num_sft_steps if run.state.config.cluster is None else num_verl_steps
            run.state.sft_steps[node.name] = count(node.stage.sft, rows)


def _merge(run: LiveRun, stage: StageConfig, place: Path) -> None:
    assert stage.merge is not None
    merge_models(
        stage.merge,
        pivot=run.state.model(stage.start),
        models=[run.state.model(name) for name in stage.merged_stages],
        output=place / FINAL,
        progress=partial(run.listener.on_progress, f"merging {stage.name}"),
        add_files=write_merge_page,
    )
    run.listener.on_message(f"{stage.name}: merged {' and '.join(stage.merged_stages)}")


def _train_on_cluster(run: LiveRun, node: Node, ledger: NodeLedger) -> None:
    state, stage = run.state, node.stage
    assert stage is not None
    # verl's servers take their share of a GPU's memory whatever this process has kept of it.
    give_back_unused_memory(resolve(state.config.engine).device)
    one = ClusterStage(
        config=state.config,
        stage=stage,
        start=state.model(stage.start),
        examples=state.set_place(node.examples) if node.examples else Path(),
        folder=state.place(node),
    )
    if stage.sft is None:
        assert stage.training is not None
        steps_before = state.steps_before(stage.name)

        def pass_on(result: StepResult) -> StepResult:  # the trainer has written it down
            run.trackers.log(steps_before + result.step, result.metrics)
            return result

        num_steps = stage.training.num_steps
        reinforce_on_cluster(one, _StepTeller(run, pass_on, ledger, stage.name, num_steps))
        if skipped := skipped_message(one.folder / METRICS_FILE, stage.name):
            run.listener.on_message(skipped)
        return
    rows = _rows(run, stage, FolderTokenizer(one.start))
    state.sft_steps[stage.name] = num_verl_steps(stage.sft, rows)
    state.write_index()
    if left_out := long_rows_message(stage.sft, rows):
        run.listener.on_message(f"{stage.name}: {left_out}")
    with _step_log(run, node) as log:
        write = partial(log.log, stage.name, contexts={})
        told = _StepTeller(run, write, ledger, stage.name, state.sft_steps[stage.name])
        fine_tune_on_cluster(one, rows, told)


def _reinforce(run: LiveRun, node: Node, engine: LocalEngine, ledger: NodeLedger) -> None:
    state, stage, place = run.state, node.stage, run.state.place(node)
    assert stage is not None
    training = stage.training
    assert training is not None
    found = read_set(state.set_place(node.examples))
    with _step_log(run, node) as log:
        inputs = StageInputs(
            engine=engine,
            agent=_agent(state.config, stage),
            score=run.scoring.score_for(training.max_response_tokens),
            examples=stage_examples(found, Split.TRAIN),
            contexts=found.contexts,
            seed=state.config.seed,
            folder=place,
            validation=stage_examples(found, Split.HELD_OUT),
            on_progress=run.listener.on_progress,
        )
        write = partial(log.log, stage.name, contexts=found.contexts)
        told = _StepTeller(run, write, ledger, stage.name, training.num_steps)
        train_stage(stage.name, training, inputs, told)
    if skipped := skipped_message(place / METRICS_FILE, stage.name):
        run.listener.on_message(skipped)


def _fine_tune(run: LiveRun, node: Node, engine: LocalEngine, ledger: NodeLedger) -> None:
    state, stage = run.state, node.stage
    assert stage is not None
    assert stage.sft is not None
    rows = _rows(run, stage, engine.sampler.tokenizer)
    state.sft_steps[stage.name] = num_sft_steps(stage.sft, rows)
    state.write_index()
    if left_out := long_rows_message(stage.sft, rows):
        run.listener.on_message(f"{stage.name}: {left_out}")
    with _step_log(run, node) as log:
        inputs = SftInputs(
            engine=engine, rows=rows, seed=state.config.seed, folder=state.place(node)
        )
        write = partial(log.log, stage.name, contexts={})
        told = _StepTeller(run, write, ledger, stage.name, state.sft_steps[stage.name])
        train_sft_stage(stage.name, stage.sft, inputs, told)


@contextmanager
def _step_log(run: LiveRun, node: Node) -> Iterator[StepLog]:
    place = run.state.place(node)
    with open_step_log(
        place,
        saved_steps=saved_steps(place),
        logged_groups=run.state.config.logged_groups,
        trackers=run.trackers,
        take_metrics=run.scoring.take_metrics,
        steps_before=run.state.steps_before(node.name),
    ) as log:
        yield log


class _StepTeller:
    """Writes a step down, shows it, and looks after what goes on beside training."""

    def __init__(
        self,
        run: LiveRun,
        write: Callable[[StepResult], StepResult],
        ledger: NodeLedger,
        stage: str,
        num_steps: int,
    ) -> None:
        self._run = run
        self._write = write
        self._ledger = ledger
        self._stage = stage
        self._num_steps = num_steps

    def __call__(self, result: StepResult) -> None:
        logged = self._write(result)
        self._ledger.tick()
        self._run.listener.on_step(self._stage, self._num_steps, logged)
        if self._run.evaluator is not None:
            self._run.evaluator.collect()


def _rows(run: LiveRun, stage: StageConfig, tokenizer: Tokenizer) -> tuple[SftExample, ...]:
    source = Path(stage.sft_rows)
    if name := answers_set(stage):
        source = run.state.set_place(name) / ROWS_FILE
    return read_sft_rows(source, tokenizer, progress=run.listener.on_progress)


def _agent(config: RunConfig, stage: StageConfig) -> Agent:
    if stage.kind == "memory":
        return MemoryAgent(config.memory)
    return SinglePassAgent(config.template)
