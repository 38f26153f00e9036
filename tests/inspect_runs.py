"""Evaluations of the sums by inspect_ai and by our own runner, against one scripted endpoint."""

import re
from pathlib import Path
from typing import Any

import pytest

import sums_benchmark as sums
from longloom.evaluation.asking.answers import AnswerLog
from longloom.evaluation.asking.one_answer import Asking
from longloom.evaluation.asking.runner import answer_all
from longloom.evaluation.benchmark import Benchmark
from longloom.evaluation.questions import QuestionSet
from longloom.evaluation.results import QuestionResult
from longloom.evaluation.scoring_run import score_answers
from longloom.models.endpoint.chat import EndpointChat
from longloom.records import SamplingParams
from longloom.rollout.call_limits import OldestFirst
from scripted_endpoint import (
    ScriptedEndpoint,
    prompt_of,
    run_with,
)

WINDOW_TOKENS = 40_000
PARAMS = SamplingParams(temperature=0.7, top_p=0.95, max_new_tokens=64)
NUM_QUESTIONS = 20


def asking(**changes: Any) -> Asking:
    settings: dict[str, Any] = {
        "benchmark": "sums",
        "agent": None,
        "has_context": True,
        "params": PARAMS,
        "max_prompt_tokens": 30_000,
        "cuts_prompts": True,
        "is_threaded": True,
        "key": "0/evaluation/sums/single_pass",
    }
    return Asking(**{**settings, **changes})


def asked_number(body: dict[str, Any]) -> int:
    found = re.search(r"What comes after (\d+)", prompt_of(body))
    assert found is not None, prompt_of(body)[:200]
    return int(found[1])


def planted(body: dict[str, Any]) -> str:
    """Right for 11 of 20 in strict mode; 5 more say the number among other words (parity)."""
    number = asked_number(body)
    if number < 11:
        return str(number + 1)
    return f"It is {number + 1}, I think." if number < 16 else "I do not know."


def by_inspect(
    endpoint: ScriptedEndpoint,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    benchmark: Benchmark | None = None,
    found: QuestionSet | None = None,
    num_samples: int = 1,
    put: Asking | None = None,
    **settings: Any,
) -> Any:
    """Return the log of an evaluation by inspect_ai."""
    from inspect_ai import eval as evaluate
    from inspect_ai import task
    from inspect_ai.model import get_model

    from longloom.evaluation.inspect_tasks import InspectSettings, inspect_task

    monkeypatch.setenv("SCRIPTED_API_KEY", "none")
    found = sums.questions(NUM_QUESTIONS) if found is None else found

    @task(name="sums")  # by its name an evaluation is taken up again
    def made() -> Any:
        return inspect_task(
            sums.benchmark(NUM_QUESTIONS) if benchmark is None else benchmark,
            found,
            found.questions,
            InspectSettings(
                asking=put or asking(), window_tokens=WINDOW_TOKENS, num_samples=num_samples
            ),
        )

    model = get_model(
        "openai-api/scripted/scripted", base_url=endpoint.url, memoize=False, max_retries=0
    )
    (log,) = evaluate(
        made(),
        model=model,
        log_dir=str(folder),
        display="none",
        max_connections=8,
        max_retries=1,
        log_level="error",
        **settings,
    )
    return log


def by_our_runner(
    endpoint: ScriptedEndpoint, folder: Path, num_samples: int = 1
) -> tuple[QuestionResult, ...]:
    """Return the scores of our own runner."""
    found = sums.questions(NUM_QUESTIONS)

    async def ask(client: Any) -> tuple[QuestionResult, ...]:
        chat = EndpointChat(client, window_tokens=WINDOW_TOKENS)
        with AnswerLog(folder) as log:
            await answer_all(
                *(found, found.questions, asking()),
                num_samples=num_samples,
                chat=chat,
                log=log,
                limits=OldestFirst(8),
            )
            return await score_answers(
                *(sums.benchmark(NUM_QUESTIONS), found, found.questions),
                log=log,
                num_samples=num_samples,
            )

    return run_with(endpoint, ask)


def figure(log: Any, name: str) -> float:
    assert log.results is not None, log.error
    (score,) = log.results.scores
    return float(score.metrics[name].value)


def scores_of(log: Any) -> dict[tuple[str, int], tuple[float, float]]:
    return {
        (sample.id, sample.epoch - 1): (score.value, score.metadata["parity"])
        for sample in log.samples
        for score in [sample.scores["benchmark_score"]]
    }


def read(log: Any) -> Any:
    from inspect_ai.log import read_eval_log

    return read_eval_log(log.location)


def log_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.eval"))
