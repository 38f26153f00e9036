"""The questions that all sides are asked: alike but for a number, over one text on disk."""

import json
import resource
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from longloom.evaluation.asking.one_answer import Asking
from longloom.evaluation.benchmark import Benchmark
from longloom.evaluation.questions import Asked, Question, QuestionSet
from longloom.evaluation.scoring.score import Score
from longloom.memory import MemoryAgent, MemoryConfig
from longloom.records import SamplingParams

REPLY = "<memory>The answer is 4.</memory><plan>Read on.</plan>"
"""What the stub says, to sections and to questions."""
CONCURRENCY = 32
WINDOW_TOKENS = 10_000_000
PARAMS = SamplingParams(temperature=0.7, top_p=0.95, max_new_tokens=1_000)
_SECTION_TOKENS = 8_000
_QUERY = "What is 2 + 2?"


@dataclass(frozen=True)
class Case:
    """One size of questions."""

    name: str
    """As in results."""
    num_characters: int
    """Of the context."""
    num_samples: int
    """Questions that are asked."""
    is_read: bool = False
    """Whether the memory agent reads the context section by section."""
    max_prompt_tokens: int = 8_000_000
    """Longer prompts lose their middle."""

    @property
    def is_plain(self) -> bool:
        """Whether inspect_ai alone can ask it: it neither cuts prompts nor has readers."""
        return not self.is_read and self.max_prompt_tokens > self.num_characters


CASES = (
    Case("1K characters", 1_000, 1_000),
    Case("100K characters", 100_000, 200),
    Case("4M characters", 4_000_000, 16),
    Case("4M characters, cut to 128K tokens", 4_000_000, 16, max_prompt_tokens=128_000),
    Case("1M characters, memory agent", 1_000_000, 8, is_read=True),
)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What one side took for one case."""

    num_samples: int
    num_calls: int
    wall_seconds: float
    cpu_seconds: float
    log_bytes: int
    peak_mb: float
    strict: float
    """The figure that was computed; 1.0, as every reply is right."""


def benchmark() -> Benchmark:
    """Return a benchmark of the cheapest scorer, so that what is measured is the harness."""

    def score(question: Question, text: str) -> Score:
        is_right = float(question.golds[0] in text)
        return Score(parity=is_right, strict=is_right, extracted=text[-40:])

    return Benchmark(
        name="overhead",
        title="Overhead",
        measure="accuracy",
        source=None,
        read=lambda folder, settings: questions(folder / "context.txt", 1),
        score=score,
        facets=("parity",),
    )


def questions(path: Path, num_questions: int) -> QuestionSet:
    """Return questions about the text of a file, which is read anew for each."""

    def ask(question: Question) -> Asked:
        return Asked(
            context=path.read_text("utf-8"),
            query=_QUERY,
            before=f"Text {question.question_id}.\n\n",
            after=f"\n\n{_QUERY}",
        )

    return QuestionSet(
        questions=tuple(
            Question(
                question_id=f"q{number}",
                golds=("4",),
                facets={"parity": "odd" if number % 2 else "even"},
            )
            for number in range(num_questions)
        ),
        ask=ask,
        source={},
    )


def asking(case: Case) -> Asking:
    """Return how a case is put."""
    memory = MemoryConfig(chunk_tokens=_SECTION_TOKENS, memory_tokens=1_000, citations=False)
    return Asking(
        benchmark="overhead",
        agent=MemoryAgent(memory) if case.is_read else None,
        has_context=True,
        params=PARAMS,
        max_prompt_tokens=case.max_prompt_tokens,
        cuts_prompts=True,
        is_threaded=True,
        key="0/evaluation/overhead",
    )


def write_context(path: Path, num_characters: int) -> None:
    """Write a text of so many characters: prose whose every line is another."""
    line = "On day {} the clerk of the mill at Orrin noted {} sacks of oats and left early.\n"
    lines = (line.format(day, day * 7919 % 613) for day in range(num_characters // 60))
    path.write_text("".join(lines)[:num_characters].ljust(num_characters, "."), "utf-8")


def measured(run: Callable[[], tuple[int, int, float]], log_folder: Path, case: Case) -> Figures:
    """Return what a run took; it returns samples, calls and the strict figure."""
    started, cpu_before = time.perf_counter(), time.process_time()
    num_samples, num_calls, strict = run()
    wall, cpu = time.perf_counter() - started, time.process_time() - cpu_before
    assert num_samples == case.num_samples
    return Figures(
        num_samples=num_samples,
        num_calls=num_calls,
        wall_seconds=wall,
        cpu_seconds=cpu,
        log_bytes=sum(one.stat().st_size for one in log_folder.rglob("*") if one.is_file()),
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
        strict=strict,
    )


def print_figures(figures: Figures) -> None:
    """Write figures as the last line of the output."""
    print(json.dumps(asdict(figures)), flush=True)


def case_of(described: str) -> Case:
    """Return the case that a command line describes."""
    fields: dict[str, Any] = json.loads(described)
    return Case(**fields)
