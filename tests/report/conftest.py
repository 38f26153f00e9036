"""A small run folder, written by the writers that a pipeline uses."""

from collections.abc import Callable
from pathlib import Path

import pytest

from longloom.evaluation.cells import EvaluationCell, ExampleScore, write_cell
from longloom.records import (
    Context,
    Evidence,
    Example,
    FinishReason,
    Reward,
    RewardRule,
    Rollout,
    RolloutGroup,
    Split,
    TaskType,
    Turn,
)
from longloom.report import ROLLOUT_SCHEMA, rollout_record
from longloom.runlog import MetricLog, RecordWriter, RunFolder, describe_run, write_manifest

HOSTILE = "</script><script>document.title = 'broken'</script><img src=x onerror=alert(1)>"


def make_turn(prompt: str, response: str, finish: FinishReason = FinishReason.STOP) -> Turn:
    return Turn(
        prompt_ids=(1, 2, 3),
        response_ids=(4,),
        rollout_logprobs=(0.0,),
        entropies=(0.0,),
        finish_reason=finish,
        prompt_text=prompt,
        response_text=response,
    )


def make_group(
    turns: tuple[Turn, ...],
    *,
    text: str = "base OrderedDict dict",
    evidence: tuple[tuple[int, int], ...] = ((0, 4),),
    reward: float = 1.0,
    error: str = "",
    task: TaskType = TaskType.MULTI_HOP,
) -> tuple[RolloutGroup, Context]:
    example = Example(
        example_id="e",
        task_type=task,
        ability="multi_fact",
        context_id="c",
        question=f"What is it? {HOSTILE}",
        answer="builtins",
        reward_rule=RewardRule.COVER_EXACT_MATCH,
        program='{"kind": "chain"}',
        evidence=tuple(
            Evidence(doc_id="d", doc_start=0, doc_end=4, context_start=start, context_end=end)
            for start, end in evidence
        ),
        num_context_tokens=3,
        num_prompt_tokens=9,
        split=Split.TRAIN,
        licences=("PSF-2.0",),
        provenance=("stdlib:heapq.py",),
    )
    rollout = Rollout(
        example_id="e",
        rollout_index=0,
        policy_version=0,
        turns=turns,
        final_text="",
        error=error,
    )
    scored = Reward(value=reward, reward_parts={}, extracted_answer="builtins")
    group = RolloutGroup(example=example, rollouts=(rollout,), rewards=(scored,))
    return group, Context(context_id="c", text=text, parts=())


def make_cell(
    checkpoint: str,
    suite: str,
    agent: str,
    rewards: dict[TaskType, list[tuple[float, ...]]],
) -> EvaluationCell:
    scores = tuple(
        ExampleScore(
            example_id=f"{suite}-{task}-{number}",
            task_type=task,
            rewards=tries,
            num_prompt_tokens=90,
            finish="stop",
        )
        for task, questions in rewards.items()
        for number, tries in enumerate(questions)
    )
    return EvaluationCell(
        checkpoint=checkpoint,
        suite=suite,
        agent=agent,  # type: ignore[arg-type]
        num_samples=len(scores[0].rewards),
        max_prompt_tokens=96,
        seconds=2.0,
        scores=scores,
    )


WRONG, RIGHT, HALF = (0.0,) * 8, (1.0,) * 8, (1.0,) * 4 + (0.0,) * 4
ONE_IN_EIGHT = (1.0,) + (0.0,) * 7


def write_small_run(path: Path) -> None:
    folder = RunFolder(path)
    folder.create()
    write_manifest(
        folder.run_file, describe_run(recipe="tiny-cpu", seed=7, num_threads=2, config={})
    )
    evaluation = path / "evaluation"
    hop, count = TaskType.MULTI_HOP, TaskType.NUMERICAL
    # Multi-hop: (0 + 0.5) / 2 = 25.0% before, (1 + 0.5) / 2 = 75.0% after: +50 in both questions
    # together, 100 and 0 apart. Numerical: 1/8 = 12.5% before and after. All: 3 questions.
    before = {hop: [WRONG, HALF], count: [ONE_IN_EIGHT]}
    after = {hop: [RIGHT, HALF], count: [ONE_IN_EIGHT]}
    write_cell(evaluation, make_cell("base", "stage-1", "single_pass", before))
    write_cell(evaluation, make_cell("stage-3", "stage-1", "single_pass", after))
    write_cell(evaluation, make_cell("base", "windows-4", "memory", {hop: [WRONG] * 4}))
    write_cell(evaluation, make_cell("memory", "windows-4", "memory", {hop: [HALF] * 4}))
    write_cell(evaluation, make_cell("memory", "windows-4", "closed_book", {hop: [WRONG] * 4}))
    write_cell(evaluation, make_cell("base", "windows-8", "memory", {hop: [WRONG] * 4}))
    write_cell(evaluation, make_cell("memory", "windows-8", "memory", {hop: [RIGHT] * 4}))
    write_cell(evaluation, make_cell("memory", "windows-8", "truncated", {hop: [RIGHT] * 4}))
    with MetricLog(folder.metrics_file) as log:
        for step in range(1, 7):
            metrics = {
                "reward/mean": 0.5,
                "reward/multi_hop": step / 10,
                "training/entropy_nats": 0.3,
                "training/entropy_low_nats": 0.2,
                "training/entropy_high_nats": 0.4,
                "training/negatives_on": float(step not in (2, 3)),
                "training/step_seconds": 1.5,
            }
            log.log(step, metrics, stage="stage-1" if step < 5 else "memory")
            log.log(
                step, {"rollout/response_tokens": 10.0}, stage="stage-1" if step < 5 else "memory"
            )
    single = (
        make_turn("<text>", f"base a b{HOSTILE}</think>\n\nTherefore, the answer is builtins"),
    )
    reading = (
        make_turn(
            "<section>\nmodule dict builtins\n</section>",
            "</think><memory>module dict builtins</memory><plan>the base</plan>",
        ),
        make_turn("<problem>", "x</think>Therefore, the answer is builtins"),
    )
    with RecordWriter(folder.rollouts_file, schema=ROLLOUT_SCHEMA) as writer:
        text = f"module {HOSTILE} heapq"
        writer.append(
            rollout_record(1, "stage-1", *make_group(single, text=text, evidence=((7, 20),)))
        )
        writer.append(rollout_record(6, "memory", *make_group(reading)))


@pytest.fixture
def small_run(tmp_path: Path) -> Path:
    write_small_run(tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def group_maker() -> Callable[..., tuple[RolloutGroup, Context]]:
    return make_group


@pytest.fixture
def turn_maker() -> Callable[..., Turn]:
    return make_turn


@pytest.fixture
def cell_maker() -> Callable[..., EvaluationCell]:
    return make_cell


@pytest.fixture
def hostile_text() -> str:
    return HOSTILE
