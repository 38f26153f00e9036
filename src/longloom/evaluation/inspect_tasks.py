"""Benchmarks as tasks of inspect_ai: adapters over the functions that our own runner uses.

    Question -> Sample (id, golds, facets) -> solver: Asked, prompt, model -> scorer: both modes

A sample holds no long text: the solver reads it when its turn comes, and the log says where it was.
A question that fails counts as 0. `recipes/evaluating/inspect_entry.py` registers the tasks.

What it leaves out: thinking whose end other answers show (`thinking=auto` looks at one answer).
"""

import atexit
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import fmean, stdev
from threading import Lock
from typing import Any

import anyio.to_thread
from inspect_ai import Task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import HeadlineMetric
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    ContentReasoning,
    ContentText,
    GenerateConfig,
    Model,
    ModelOutput,
    get_model,
    model_roles,
)
from inspect_ai.scorer import Metric, SampleScore, Scorer, Target, metric, scorer
from inspect_ai.scorer import Score as InspectScore
from inspect_ai.solver import Generate, Solver, TaskState, solver

from longloom.evaluation.asking.answers import Answer, Failure
from longloom.evaluation.asking.one_answer import Asking, answer_question, prompt_of, too_long
from longloom.evaluation.benchmark import Benchmark, ScoreText
from longloom.evaluation.benchmarks.catalogue import find_benchmark
from longloom.evaluation.inspect_chat import InspectChat, PromptMeasures, reasoning_of
from longloom.evaluation.questions import Asked, Question, QuestionSet
from longloom.evaluation.results import ScoredAnswer
from longloom.evaluation.scoring_run import RuledAnswer, Thinking, join_verdict, rule_answer
from longloom.records import FinishReason, TokenUsage
from longloom.text.tokenizer import Tokenizer

GRADER = "grader"
"""The role of the judge: `--model-role grader=openai-api/x/y`."""
_QUESTION = "longloom_question"
_SHOWN_CHARACTERS = 4_000
_JUDGE_SEED = 42
_INLINE_CHARACTERS = 1 << 15
"""Texts up to this length are counted on the event loop: a thread would take longer."""
_INLINE_SCORED_CHARACTERS = 2_000
"""Answers up to this length are scored there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectSettings:
    """What a task needs besides its questions."""

    asking: Asking
    """How the questions are put."""
    window_tokens: int
    """The model's window."""
    num_samples: int = 1
    """Answers per question: the epochs."""
    thinking: Thinking = "auto"
    """See `AskingConfig.thinking`."""
    tokenizer: Tokenizer | None = None
    """The model's; tokens are estimated without it."""


def inspect_task(
    benchmark: Benchmark,
    found: QuestionSet,
    chosen: Sequence[Question],
    settings: InspectSettings,
) -> Task:
    """Return the task that asks the chosen questions of a benchmark."""
    params = settings.asking.params
    return Task(
        name=benchmark.name,
        display_name=benchmark.title,
        dataset=MemoryDataset([_sample(benchmark, one) for one in chosen], name=benchmark.name),
        solver=ask_by_reference(found, chosen, settings),
        scorer=benchmark_score(benchmark, found, thinking=settings.thinking),
        metrics=[figures(benchmark.mean_over, list(benchmark.facets))],
        headline_metric=HeadlineMetric(metric="strict"),
        epochs=settings.num_samples,
        config=GenerateConfig(
            temperature=params.temperature, top_p=params.top_p, max_tokens=params.max_new_tokens
        ),
        # All are asked; those whose call failed count as 0, and `inspect eval-retry` asks them.
        fail_on_error=True,
        continue_on_fail=True,
        score_on_error=True,
        metadata={"files": dict(found.source), "notes": list(found.notes)},
    )


def _sample(benchmark: Benchmark, question: Question) -> Sample:
    # Small: inspect_ai copies a sample's metadata whenever it computes a metric.
    further = {"scoring": dict(question.scoring), "depths": list(question.depths)}
    stated = {name: value for name, value in further.items() if value}
    return Sample(
        id=question.question_id,
        input=f"{benchmark.title}, question {question.question_id}",
        target=list(question.golds),
        metadata={**question.facets, **({_QUESTION: stated} if stated else {})},
    )


@solver
def ask_by_reference(
    found: QuestionSet, chosen: Sequence[Question], settings: InspectSettings
) -> Solver:
    """Ask the question of a sample, whose text is read for it."""
    by_id = {question.question_id: question for question in chosen}
    asking = settings.asking
    measures = PromptMeasures(settings.tokenizer)

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        question, index = by_id[str(state.sample_id)], state.epoch - 1
        chat = InspectChat(
            get_model(),
            window_tokens=settings.window_tokens,
            defaults=asking.params,
            measures=measures,
            is_logged=asking.agent is None and asking.own_agent is None,
        )

        asked = found.ask(question)
        if len(asked.context) > _INLINE_CHARACTERS:
            fitted = await anyio.to_thread.run_sync(prompt_of, asked, asking, chat)
        else:
            fitted = prompt_of(asked, asking, chat)
        if fitted is not None and fitted.is_cut and not asking.cuts_prompts:
            answer = too_long(question, index, asking, fitted)
        else:
            answer = await answer_question(
                question, asked, index, asking=asking, chat=chat, fitted=fitted
            )
        _keep(state, asked, answer)
        return state

    return solve


def _keep(state: TaskState, asked: Asked, answer: Answer) -> None:
    """Put an answer into the state; everything is in the log from there."""
    message = ChatMessageAssistant(content=answer.text)
    if answer.reasoning:
        thought, said = ContentReasoning(reasoning=answer.reasoning), ContentText(text=answer.text)
        message = ChatMessageAssistant(content=[thought, said])
    is_cut = answer.finish_reason == FinishReason.LENGTH
    left_out = ("benchmark", "question_id", "sample_index", "text", "reasoning")
    state.output = ModelOutput(
        model=str(state.model),
        choices=[
            ChatCompletionChoice(message=message, stop_reason="max_tokens" if is_cut else "stop")
        ],
        metadata={
            name: value
            for name, value in answer.as_json().items()
            if name not in left_out and (value or name == "finish_reason")
        },
    )
    shown = asked.query[:_SHOWN_CHARACTERS]
    state.user_prompt.text = f"{shown}\n\n(context: {len(asked.context)} characters)"
    state.messages.append(message)


@metric(scores="unreduced")
def figures(mean_over: str = "", facets: Sequence[str] = ()) -> Metric:
    """Give the figure of each mode with its standard error, then those of every facet's values.

    It sees the scores of all epochs: what inspect_ai would make one score of them has the mean of
    its value, but not of the parity beside it.

    Args:
        mean_over: the facet whose means are averaged for the figure; empty for all samples alike.
        facets: those that get figures, as `strict, difficulty: hard`.
    """

    def compute(scores: Sequence[SampleScore]) -> Mapping[str, float]:
        by_question: dict[str, list[SampleScore]] = {}
        for one in scores:
            by_question.setdefault(str(one.sample_id), []).append(one)
        found: dict[str, float] = {}
        for mode, value_of in _VALUE_BY_MODE.items() if scores else ():
            questions = [
                (own[0].sample_metadata or {}, fmean(value_of(one.score) for one in own))
                for own in by_question.values()
            ]
            groups = _grouped(questions, mean_over)
            if groups:
                found[mode] = fmean(fmean(own) for own in groups.values())
            else:
                values = [value for _, value in questions]
                found[mode] = fmean(values)
                error = stdev(values) / len(values) ** 0.5 if values[1:] else 0.0
                found[f"{mode}_stderr"] = error
            for facet in facets:
                for name, own in sorted(_grouped(questions, facet).items()):
                    found[f"{mode}, {facet}: {name}"] = fmean(own)
        return found

    return compute


_VALUE_BY_MODE: Mapping[str, Callable[[InspectScore], float]] = {
    "strict": lambda score: score.as_float(),
    "parity": lambda score: float((score.metadata or {})["parity"]),
}


def _grouped(
    questions: Sequence[tuple[Mapping[str, Any], float]], facet: str
) -> dict[str, list[float]]:
    """Return means by value of a facet; questions without one are in no group, as in our tables."""
    groups: dict[str, list[float]] = {}
    for metadata, mean in questions:
        if value := metadata.get(facet):
            groups.setdefault(str(value), []).append(mean)
    return groups


@scorer(metrics=[figures()])
def benchmark_score(
    benchmark: Benchmark | str, found: QuestionSet | None = None, *, thinking: Thinking = "auto"
) -> Scorer:
    """Score an answer: strict as the value, parity beside it.

    The judge is asked where a model has the role `grader`.

    Args:
        benchmark: the benchmark, or its name (for `inspect score`, which scores a log anew by the
            rules alone).
        found: its questions, for the judge.
        thinking: see `AskingConfig.thinking`.
    """
    scored = find_benchmark(benchmark) if isinstance(benchmark, str) else benchmark
    score_text = _opened_once(scored)

    async def score(state: TaskState, target: Target) -> InspectScore:
        question = _question(state, target)
        answer = _answer(scored, state)

        def rule() -> RuledAnswer:
            return rule_answer(
                score_text(), question, answer, thinking=thinking, others_think=False
            )

        is_quick = scored.scorer is None and len(answer.text) <= _INLINE_SCORED_CHARACTERS
        ruled = rule() if is_quick else await anyio.to_thread.run_sync(rule)
        verdict = None
        grader = _grader()
        if scored.judge and found is not None and grader is not None and not ruled.failure:
            asked = await anyio.to_thread.run_sync(found.ask, question)
            prompt = scored.judge.prompt(question, asked, ruled.score, ruled.visible)
            system = [ChatMessageSystem(content=prompt.system)] if prompt.system else []
            output = await grader.generate(
                [*system, ChatMessageUser(content=prompt.user)],
                config=GenerateConfig(
                    temperature=0.0, max_tokens=prompt.max_new_tokens, seed=_JUDGE_SEED
                ),
            )
            verdict = scored.judge.parse(output.completion if output.stop_reason == "stop" else "")
        return _inspect_score(join_verdict(ruled, scored.judge, verdict))

    return score


def _opened_once(benchmark: Benchmark) -> Callable[[], ScoreText]:
    """Return what opens a benchmark's scorer when it is first needed, until the process ends."""
    opened: list[ScoreText] = []
    lock = Lock()

    def score_text() -> ScoreText:
        with lock:
            if not opened:
                helpers = ExitStack()
                atexit.register(helpers.close)
                opened.append(helpers.enter_context(benchmark.open_score()))
        return opened[0]

    return score_text


def _grader() -> Model | None:
    return get_model(role=GRADER) if GRADER in model_roles() else None


def _question(state: TaskState, target: Target) -> Question:
    further = state.metadata.get(_QUESTION, {})
    return Question(
        question_id=str(state.sample_id),
        golds=tuple(target),
        facets={name: value for name, value in state.metadata.items() if name != _QUESTION},
        scoring=further.get("scoring", {}),
        depths=tuple(further.get("depths", ())),
    )


def _answer(benchmark: Benchmark, state: TaskState) -> Answer:
    place: dict[str, Any] = {
        "benchmark": benchmark.name,
        "question_id": str(state.sample_id),
        "sample_index": state.epoch - 1,
    }
    kept = state.output.metadata
    if not kept or "usage" not in kept:  # the call raised: the sample has its error
        return Answer(**place, text="", finish_reason="", failure=Failure.UNAVAILABLE)
    return Answer(
        **place,
        text=state.output.completion,
        reasoning=reasoning_of(state.output),
        **{**kept, "usage": TokenUsage(**kept["usage"])},
    )


def _inspect_score(one: ScoredAnswer) -> InspectScore:
    further = {
        "parts": dict(one.parts),
        "failure": str(one.failure),
        "verdict": str(one.verdict),
        "finish_reason": one.finish_reason,
    }
    stated = {name: value for name, value in further.items() if value}
    return InspectScore(
        value=one.strict, answer=one.extracted, metadata={"parity": one.parity, **stated}
    )
