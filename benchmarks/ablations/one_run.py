"""Train one arm with one seed and measure it on the held-out questions."""

import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean

import torch

from ablations.arms import ARMS, SftStage, Stage
from ablations.gold_forms import FormJudge, in_other_form
from ablations.pool import Pool
from ablations.run_files import CurvePoint, RunResult, TaskScore
from ablations.settings import TASKS, AblationSettings
from longloom.engines.local import LocalEngine
from longloom.engines.local_config import LocalEngineConfig
from longloom.evaluation.evaluate import EvaluatedExample, EvaluationRequest, evaluate_examples
from longloom.models.loading import load_network
from longloom.models.local_policy import score_sequences
from longloom.models.protocols import Sampler
from longloom.recipes.model_source import resolve_model
from longloom.recipes.tiny_base.answers import answer_sentence, answered, reasoning
from longloom.recipes.tiny_base.measure import TINY_REWARDS
from longloom.records import Example, SamplingParams, TrainingSequence
from longloom.rewards import score_rollout
from longloom.rollout import SinglePassAgent, TokenChat
from longloom.text.prompts import single_pass_prompt
from longloom.text.tokenizer import FolderTokenizer
from longloom.training.loop import StageInputs, StepResult, train_stage
from longloom.training.losses import k3_kl
from longloom.training.sft import SftInputs, train_sft_stage
from longloom.training.sft_rows import SftExample, encode_messages

TEMPLATE = "plain"
ENGINE = LocalEngineConfig(device="cpu", dtype="float32")
_SCORED_AT_ONCE = 32


def run_arm(
    arm_name: str, seed: int, settings: AblationSettings, pool: Pool, work_folder: Path
) -> RunResult:
    """Return what arm and seed give; `work_folder` holds checkpoints meanwhile.

    Everything drawn is named by the seed, the stage and the question, so arms that share a stage
    share its streams, and all arms answer the held-out questions from the same ones.
    """
    torch.set_num_threads(1)
    started = time.process_time()
    shutil.rmtree(work_folder, ignore_errors=True)
    arm, base = ARMS[arm_name], resolve_model(settings.model)
    judge = FormJudge() if arm.has_judge else None
    share = settings.other_form_fraction if arm.family == "l1" else 0.0
    run = _Run(
        seed=seed,
        settings=settings,
        pool=pool,
        examples=[in_other_form(example, share) for example in pool.train],
        judge=judge,
        curve=_Curve(settings, pool),
    )
    policy = base
    for stage in arm.stages(settings):
        policy = _train(run, stage, policy, work_folder / stage.name)
    trained_seconds = time.process_time() - started
    evaluated = _evaluate(policy, seed, settings, pool)
    kl_nats = mean_kl_nats(policy, base, evaluated, settings.num_kl_examples)
    shutil.rmtree(work_folder, ignore_errors=True)
    turns = [rollout.turns[0] for entry in evaluated for rollout in entry.rollouts]
    return RunResult(
        arm=arm_name,
        seed=seed,
        pool_digest=pool.digest,
        reward_by_question={
            entry.example.example_id: fmean(reward.value for reward in entry.rewards)
            for entry in evaluated
        },
        score_by_task=_task_scores(evaluated),
        kl_to_base_nats=kl_nats,
        held_out_entropy_nats=fmean(fmean(turn.entropies) for turn in turns),
        held_out_response_tokens=fmean(len(turn.response_ids) for turn in turns),
        curve=tuple(run.curve.points),
        judge_asked=judge.num_asked if judge else 0,
        judge_accepted=judge.num_accepted if judge else 0,
        train_cpu_seconds=trained_seconds,
        cpu_seconds=time.process_time() - started,
        worker=os.getpid(),
    )


class _Curve:
    """Collects the figures of all steps of reinforcement learning, stages after one another.

    Every few steps, counted over all stages, the validation questions of all lengths are asked.
    """

    def __init__(self, settings: AblationSettings, pool: Pool) -> None:
        self.points: list[CurvePoint] = []
        self.sampler: Sampler | None = None
        """Of the engine that is trained."""
        self._settings = settings
        self._pool = pool

    def __call__(self, result: StepResult) -> None:
        metrics = result.metrics
        if not result.groups:  # supervised fine-tuning has no rollouts
            return
        step = len(self.points) + 1
        self.points.append(
            CurvePoint(
                step=step,
                reward=metrics["reward/mean"],
                entropy_nats=metrics["training/entropy_nats"],
                response_tokens=metrics["rollout/response_tokens"],
                negatives_on=metrics["training/negatives_on"],
                validation=None if step % self._settings.validate_every_steps else self._asked(),
            )
        )

    def _asked(self) -> float:
        """Return the mean over tasks of the most probable answers' rewards."""
        assert self.sampler is not None
        params = SamplingParams(
            temperature=0.0, top_p=1.0, max_new_tokens=self._settings.max_response_tokens
        )
        evaluated = evaluate_examples(
            EvaluationRequest(
                examples=self._pool.validation,
                contexts=self._pool.contexts,
                params=params,
                num_samples=1,
                key="validation",
            ),
            agent=SinglePassAgent(TEMPLATE),
            sampler=TokenChat(self.sampler),
            score=partial(score_rollout, config=TINY_REWARDS),
        )
        return fmean(score.mean_reward for score in _task_scores(evaluated))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """The parts of a run that every stage uses."""

    seed: int
    settings: AblationSettings
    pool: Pool
    examples: Sequence[Example]
    judge: FormJudge | None
    curve: _Curve


def _train(run: _Run, stage: Stage, policy: Path, folder: Path) -> Path:
    engine = LocalEngine(policy, config=ENGINE)
    run.curve.sampler = engine.sampler
    if isinstance(stage, SftStage):
        rows = worked_answers(run.pool, run.settings, run.seed, FolderTokenizer(policy))
        warm_up = SftInputs(engine=engine, rows=rows, seed=run.seed, folder=folder)
        return train_sft_stage(stage.name, stage.sft, warm_up, run.curve)
    inputs = StageInputs(
        engine=engine,
        agent=SinglePassAgent(TEMPLATE),
        score=partial(score_rollout, config=TINY_REWARDS, judge=run.judge),
        examples=run.examples,
        contexts=run.pool.contexts,
        seed=run.seed,
        folder=folder,
    )
    return train_stage(stage.name, stage.training, inputs, run.curve)


def worked_answers(
    pool: Pool, settings: AblationSettings, seed: int, tokenizer: FolderTokenizer
) -> list[SftExample]:
    """Return correct worked answers to some training questions: the evidence, then the answer.

    They come from the questions' own programs, as those the tiny base was taught reasoning with.
    The questions take turns by seed.
    """
    short = [e for e in pool.train if e.num_prompt_tokens <= settings.short_prompt_tokens]
    step = max(1, len(short) // settings.num_sft_examples)
    chosen = short[seed % step :: step][: settings.num_sft_examples]
    rows = []
    for example in chosen:
        context = pool.contexts[example.context_id]
        message = single_pass_prompt(TEMPLATE, context=context.text, question=example.question)
        response = answered(
            reasoning(example, context), example.answer, answer_sentence(example.task_type)
        )
        messages = [
            {"role": "user", "content": message},
            {"role": "assistant", "content": response},
        ]
        rows.append(encode_messages(messages, tokenizer))
    return rows


def _evaluate(
    policy: Path, seed: int, settings: AblationSettings, pool: Pool
) -> tuple[EvaluatedExample, ...]:
    request = EvaluationRequest(
        examples=pool.held_out,
        contexts=pool.contexts,
        params=SamplingParams(
            temperature=1.0, top_p=1.0, max_new_tokens=settings.max_response_tokens
        ),
        num_samples=settings.num_eval_samples,
        # The same streams for every arm: differences between arms are paired.
        key=f"{seed}/held-out",
    )
    return evaluate_examples(
        request,
        agent=SinglePassAgent(TEMPLATE),
        sampler=TokenChat(LocalEngine(policy, config=ENGINE).sampler),
        score=partial(score_rollout, config=TINY_REWARDS),
    )


@torch.no_grad()
def mean_kl_nats(
    policy: Path, base: Path, evaluated: Sequence[EvaluatedExample], num_examples: int
) -> float:
    """Return KL(policy || base) per token of the policy's own answers, estimated by k3.

    Normalised by the number of answer tokens.
    """
    turns = [entry.rollouts[0].turns[0] for entry in evaluated[:num_examples]]
    sequences = [
        TrainingSequence(
            prompt_ids=turn.prompt_ids,
            response_ids=turn.response_ids,
            rollout_logprobs=turn.rollout_logprobs,
            advantages=(0.0,) * len(turn.response_ids),
        )
        for turn in turns
    ]
    networks = [load_network(folder) for folder in (policy, base)]
    total_nats, num_tokens = 0.0, 0
    for start in range(0, len(sequences), _SCORED_AT_ONCE):
        batch = sequences[start : start + _SCORED_AT_ONCE]
        own, reference = (
            score_sequences(network, batch, temperature=1.0)[0] for network in networks
        )
        total_nats += float(k3_kl(own, reference).sum())
        num_tokens += len(own)
    return total_nats / num_tokens


def _task_scores(evaluated: Sequence[EvaluatedExample]) -> tuple[TaskScore, ...]:
    scores = []
    for task in TASKS:
        rewards = [
            reward.value
            for entry in evaluated
            if entry.example.task_type is task
            for reward in entry.rewards
        ]
        if rewards:
            scores.append(TaskScore(task=task.value, mean_reward=fmean(rewards)))
    return tuple(scores)
