"""Asks and scores as `longloom evaluate` does.

python -m evaluation_runs.our_runner ADDRESS CASE CONTEXT FOLDER
"""

import asyncio
import sys
from pathlib import Path

from evaluation_runs.stub_endpoint import MODEL
from evaluation_runs.workload import (
    CONCURRENCY,
    WINDOW_TOKENS,
    asking,
    benchmark,
    case_of,
    measured,
    print_figures,
    questions,
)
from longloom.evaluation.asking.answers import AnswerLog
from longloom.evaluation.asking.runner import answer_all
from longloom.evaluation.scoring_run import score_answers
from longloom.models.endpoint.chat import open_endpoint_chat
from longloom.models.endpoint.config import EndpointConfig
from longloom.rollout.call_limits import OldestFirst


def main(address: str, described: str, context: str, folder: str) -> None:
    """Run one case and print its figures."""
    case, log_folder = case_of(described), Path(folder)

    async def run() -> tuple[int, int, float]:
        found, scored = questions(Path(context), case.num_samples), benchmark()
        config = EndpointConfig(url=address, model=MODEL, concurrency=CONCURRENCY)
        async with open_endpoint_chat(config, window_tokens=WINDOW_TOKENS) as chat:
            with AnswerLog(log_folder) as log:
                progress = await answer_all(
                    found,
                    found.questions,
                    asking(case),
                    num_samples=1,
                    chat=chat,
                    log=log,
                    limits=OldestFirst(CONCURRENCY),
                )
                results = await score_answers(
                    scored, found, found.questions, log=log, num_samples=1
                )
        strict = sum(one.mean("strict") for one in results) / len(results)
        return len(results), progress.usage.num_calls, strict

    print_figures(measured(lambda: asyncio.run(run()), log_folder, case))


if __name__ == "__main__":
    main(*sys.argv[1:])
