"""Show an evaluation while it goes on, what it found, and what it would ask."""

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from longloom.cli.console import QUIET_SECONDS, print_table, progress
from longloom.cli.read_console import duration
from longloom.runlog.closing import ClosesOnExit

if TYPE_CHECKING:
    from longloom.evaluation.asking.runner import Progress
    from longloom.evaluation.results import EvaluationResults
    from longloom.recipes.evaluating.planned import PlannedBenchmark

_MODES = ("strict", "parity")


class EvaluateConsole(ClosesOnExit):
    """A bar on a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        self._bar = ExitStack()
        self._shown = ""
        self._advance: Callable[[int], None] = lambda num_done: None
        self._last_shown = -QUIET_SECONDS

    def close(self) -> None:
        """Take the bar away."""
        self._bar.close()

    def on_progress(self, state: "Progress") -> None:
        """Show how far a benchmark is."""
        if sys.stderr.isatty():
            self._draw(state)
            return
        is_last = state.num_done == state.num_total
        moment = time.monotonic()
        if moment - self._last_shown < QUIET_SECONDS and not is_last:
            return
        self._last_shown = moment
        print(f"{state.benchmark}: {state_line(state)}", flush=True)

    def on_message(self, message: str) -> None:
        """Print one line."""
        print(message, flush=True)

    def _draw(self, state: "Progress") -> None:
        if state.benchmark != self._shown:
            self._bar.close()
            self._shown = state.benchmark
            self._advance = self._bar.enter_context(progress(state.benchmark, state.num_total))
            if state.num_kept:
                print(f"{state.benchmark}: {state.num_kept} answers are there from before")
        self._advance(state.num_done)
        if state.num_done == state.num_total:
            self._bar.close()
            print(f"{state.benchmark}: {state_line(state)}", flush=True)


def state_line(state: "Progress") -> str:
    """Return how far a benchmark is, in one line."""
    usage = state.usage
    parts = [
        f"{state.num_done}/{state.num_total}",
        f"{usage.num_prompt_tokens:,} tokens read, {usage.num_response_tokens:,} written",
    ]
    if state.num_failed:
        parts.append(f"{state.num_failed} failed")
    if cost := state.cost:
        parts.append(f"cost {cost:,.2f}")
    if state.num_done < state.num_total and state.seconds_left is not None:
        parts.append(f"{duration(state.seconds_left)} left")
    return "  ".join(parts)


def print_results(results: "EvaluationResults") -> None:
    """Print a line for each benchmark, in percent."""
    from longloom.evaluation.summary import summarise_benchmark

    rows = [
        (
            "benchmark",
            "questions",
            *_MODES,
            "95% interval (strict)",
            "failed",
            "answers cut",
            "prompts cut",
        )
    ]
    notes: list[str] = []
    for benchmark in results.benchmarks:
        found = summarise_benchmark(benchmark)
        strict, parity = found.headline["strict"], found.headline["parity"]
        rows.append(
            (
                benchmark.title,
                f"{len(benchmark.questions)}",
                f"{100 * strict.value:.2f}",
                f"{100 * parity.value:.2f}",
                f"{100 * strict.low:.2f} to {100 * strict.high:.2f}",
                f"{sum(found.failures.values())}",
                f"{found.num_cut_answers}",
                f"{found.num_cut_prompts}",
            )
        )
        if benchmark.is_lower_bound:
            notes.append(f"{benchmark.title}: no judge was asked; the figure is a lower bound")
        if found.num_unclear_verdicts:
            notes.append(
                f"{benchmark.title}: {found.num_unclear_verdicts} of {found.num_answers} verdicts "
                "of the judge say nothing clear and count as no"
            )
        notes += [f"{benchmark.title}: {note}" for note in benchmark.notes]
    print()
    print_table(rows)
    for note in notes:
        print(note)


def print_plan(planned: "Sequence[PlannedBenchmark]") -> None:
    """Print what would be asked of each benchmark."""
    rows = [("benchmark", "questions", "answers", "prompt tokens", "written at most", "cost")]
    rows += [
        (
            one.title,
            f"{one.num_questions:,}",
            f"{one.num_answers:,}",
            f"about {one.num_prompt_tokens:,}",
            f"{one.most_written_tokens:,}",
            f"about {one.cost:,.2f}" if one.cost else "",
        )
        for one in planned
    ]
    print_table(rows)
    for one in planned:
        if one.note:
            print(f"{one.title}: {one.note}")


def print_catalogue() -> None:
    """Print all suites and benchmarks, and where their files come from."""
    from longloom.evaluation.benchmarks.catalogue import BENCHMARKS
    from longloom.evaluation.suites import SUITES
    from longloom.recipes.evaluating.held_out import HELD_OUT

    print_table(
        [
            ("suite", "what it asks"),
            *((suite.name, ", ".join(suite.benchmarks)) for suite in SUITES.values()),
            *HELD_OUT.items(),
        ]
    )
    print()
    rows = [("benchmark", "questions", "where its files are", "licence")]
    for benchmark in BENCHMARKS.values():
        source = benchmark.source
        rows.append(
            (benchmark.name, "", "generated here", "")
            if source is None
            else (
                benchmark.name,
                f"{source.num_questions or ''}",
                source.address,
                source.licence,
            )
        )
    print_table(rows)
