"""The whole of synthesis on real documents: time, what is made, and what verification catches.

    python benchmarks/bench_synthesis.py [FOLDER...]

Runs `longloom synthesize` over every folder of ../shared/data/corpus-* (or those given) with the
default settings, then `--verify`, then changes 1,000 answers and spans of the written examples and
counts how many verification reports. No endpoint is used. Result: results/synthesis.json.
"""

import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from machine_facts import machine_facts

from longloom.records import Context, Example
from longloom.synthesis.storage import read_examples
from longloom.synthesis.verification import CorpusView, read_corpus_view, verify_examples

NUM_MUTATIONS = 1_000
HERE = Path(__file__).parent
DATA = HERE.parents[1] / "shared/data"
LONGLOOM = str(Path(sys.executable).with_name("longloom"))


def timed(command: list[str]) -> tuple[float, float]:
    """Run a command and return its wall and CPU seconds, worker processes included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    subprocess.run(command, check=True)
    wall = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return round(wall, 1), round(cpu, 1)


def mutated(example: Example, rng: Random) -> Example:
    """Return the example with another answer, or with a span moved, doubled or left out."""
    if rng.random() < 0.5:
        letters = "ABCD"
        if example.answer in set(letters):
            return replace(example, answer=rng.choice(letters.replace(example.answer, "")))
        return replace(example, answer=example.answer + rng.choice("0123456789x"))
    spans = list(example.evidence)
    place = rng.randrange(len(spans))
    if len(spans) > 1 and rng.random() < 0.2:
        del spans[place]
    elif rng.random() < 0.2:
        spans.append(spans[place])
    else:
        field = rng.choice(["doc_start", "doc_end", "context_start", "context_end"])
        moved = getattr(spans[place], field) + rng.choice([-3, -1, 1, 3])
        spans[place] = replace(spans[place], **{field: moved})
    return replace(example, evidence=tuple(spans))


def num_caught(
    examples: tuple[Example, ...], contexts: dict[str, Context], corpus: CorpusView
) -> int:
    """Return how many of `NUM_MUTATIONS` changed examples verification reports."""
    rng = Random(0)
    drawn = rng.sample(examples, min(NUM_MUTATIONS, len(examples)))
    changed = [mutated(drawn[place % len(drawn)], rng) for place in range(NUM_MUTATIONS)]
    caught = 0
    for first in range(0, NUM_MUTATIONS, len(drawn)):
        report = verify_examples(changed[first : first + len(drawn)], contexts, corpus)
        caught += len(report.findings)
    return caught


def figures(folder: Path) -> dict[str, Any]:
    """Return what the issue of synthesis asks for, of one output folder."""
    examples, contexts = read_examples(folder)
    report = verify_examples(examples, contexts, read_corpus_view(folder))
    by_task = Counter(example.task_type.value for example in examples)
    shapes = Counter((example.task_type.value, example.shape) for example in examples)
    num_long = sum(example.num_context_tokens > 64_000 for example in examples)
    return {
        "num_questions": len(examples),
        "num_contexts": len(contexts),
        "by_task": dict(by_task),
        "num_with_two_or_more_documents": sum(len(e.gold_documents) > 1 for e in examples),
        "fraction_with_contexts_above_64000_tokens": round(num_long / len(examples), 4),
        "longest_context_tokens": max(example.num_context_tokens for example in examples),
        "genres": dict(Counter(genre for e in examples for genre in e.genres).most_common()),
        "largest_shape_fraction": {
            task: round(max(n for (name, _), n in shapes.items() if name == task) / count, 4)
            for task, count in by_task.items()
        },
        "num_spans": report.num_spans,
        "num_wrong_examples_or_spans": len(report.findings),
        "mutations": NUM_MUTATIONS,
        "mutations_caught": num_caught(examples, contexts, read_corpus_view(folder)),
    }


def main() -> None:
    """Measure, print and write the result."""
    documents = sys.argv[1:] or [str(path) for path in sorted(DATA.glob("corpus-*"))]
    if not documents:
        sys.exit(f"no documents in {DATA}")
    folder = Path(tempfile.mkdtemp(prefix="bench-synthesis-"))
    try:
        wall, cpu = timed([LONGLOOM, "synthesize", *documents, "-o", str(folder / "woven")])
        verify_wall, _ = timed([LONGLOOM, "synthesize", "--verify", str(folder / "woven")])
        result = {
            "benchmark": "synthesis",
            "command": "python benchmarks/bench_synthesis.py",
            "date": datetime.now(UTC).date().isoformat(),
            "machine": machine_facts(),
            "documents": [Path(path).name for path in documents],
            "wall_seconds": wall,
            "cpu_seconds": cpu,
            "verify_wall_seconds": verify_wall,
            **figures(folder / "woven"),
        }
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(result, indent=2))
    if not sys.argv[1:]:
        target = HERE / "results" / "synthesis.json"
        target.write_text(json.dumps(result, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
