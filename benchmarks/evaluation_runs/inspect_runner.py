"""Asks and scores by inspect_ai: with its own `generate()`, or by our adapter.

    python -m evaluation_runs.inspect_runner plain|adapter ADDRESS CASE CONTEXT FOLDER

A few samples are asked ahead of the measurement, so that neither side pays for imports.
"""

import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from inspect_ai import Task
from inspect_ai import eval as evaluate
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import EvalLog
from inspect_ai.model import GenerateConfig
from inspect_ai.scorer import includes
from inspect_ai.solver import generate

from evaluation_runs.stub_endpoint import MODEL
from evaluation_runs.workload import (
    CONCURRENCY,
    PARAMS,
    WINDOW_TOKENS,
    Case,
    asking,
    benchmark,
    case_of,
    measured,
    print_figures,
    questions,
)
from longloom.evaluation.inspect_tasks import InspectSettings, inspect_task

_NUM_WARMING = 8


def plain_task(case: Case, context: Path) -> Task:
    """Return the task as a user of inspect_ai would write it: the prompt is the input."""
    found = questions(context, case.num_samples)
    return Task(
        name="plain",
        dataset=MemoryDataset(
            [
                Sample(id=one.question_id, input=found.ask(one).message, target="4")
                for one in found.questions
            ]
        ),
        solver=generate(),
        scorer=includes(),
        config=GenerateConfig(
            temperature=PARAMS.temperature, top_p=PARAMS.top_p, max_tokens=PARAMS.max_new_tokens
        ),
    )


def adapted_task(case: Case, context: Path) -> Task:
    """Return the same questions as a task of ours."""
    found = questions(context, case.num_samples)
    settings = InspectSettings(asking=asking(case), window_tokens=WINDOW_TOKENS)
    return inspect_task(benchmark(), found, found.questions, settings)


def run(side: str, address: str, case: Case, context: Path, folder: Path) -> EvalLog:
    """Evaluate one case; return its log."""
    make = plain_task if side == "plain" else adapted_task
    (log,) = evaluate(
        make(case, context),
        model=f"openai-api/stub/{MODEL}",
        model_base_url=address,
        log_dir=str(folder),
        display="none",
        log_level="error",
        max_connections=CONCURRENCY,
        max_samples=CONCURRENCY,
    )
    assert log.status == "success", log.error
    return log


def main(side: str, address: str, described: str, context: str, folder: str) -> None:
    """Run one case and print its figures."""
    os.environ["STUB_API_KEY"] = "none"
    case, log_folder = case_of(described), Path(folder)
    with tempfile.TemporaryDirectory(prefix="evaluation-warming-") as scratch:
        warming = replace(case, num_samples=min(_NUM_WARMING, case.num_samples))
        run(side, address, warming, Path(context), Path(scratch))

    def measure() -> tuple[int, int, float]:
        log = run(side, address, case, Path(context), log_folder)
        assert log.results is not None
        assert log.samples is not None
        num_calls = sum(
            (one.output.metadata or {}).get("usage", {}).get("num_calls", 1) for one in log.samples
        )
        first = log.results.scores[0]
        name = "accuracy" if side == "plain" else "strict"
        return log.results.completed_samples, num_calls, float(first.metrics[name].value)

    print_figures(measured(measure, log_folder, case))


if __name__ == "__main__":
    main(*sys.argv[1:])
