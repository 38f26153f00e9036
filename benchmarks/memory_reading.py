"""What reading costs beside the model: the memory agent over 4M tokens with a scripted model.

The model answers at once with a memory of about 1,000 tokens that changes at every step, so what is
measured is ours: cutting sections, filling prompts, parsing, events, the journal. Tokenising (all
counting of tokens included) and the scripted model's own work are timed apart. Every case runs in a
process of its own that must not import torch: sections of 32K and of 2K tokens by estimate, with
and without a journal, taken up again from a full journal, and sections of 32K tokens of the shipped
tokenizer. What the model was shown is compared with the text: every section once, in order.

Text: `--documents` names folders whose text files are joined, over and over if they are too short;
the standard library's sources if none are given. Linux only (peak memory from /proc).
Targets: under 2 ms a step; the whole reading under 20 s and 600 MB. Wall and CPU time are both
given: on a machine that does other work (`load_average`), the CPU time is what a step costs.
Usage: python benchmarks/memory_reading.py [--documents FOLDER...] [--write]
"""

import argparse
import asyncio
import hashlib
import itertools
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from machine_facts import machine_facts
from text_options import add_text_options, parse_text_options

RESULT = Path(__file__).parent / "results" / "memory_reading.json"
TINY_BASE = Path(__file__).parents[1] / "src/longloom/recipes/assets/tiny_base"
NUM_TOKENS = 4_000_000
MEMORY_TOKENS = 1_000
WINDOW_TOKENS = 256_000
SUFFIXES = {".html", ".md", ".py", ".rst", ".txt"}
TARGETS = {"step_ms": 2.0, "seconds": 20.0, "peak_mb": 600}


@dataclass(frozen=True)
class Case:
    """One reading."""

    name: str
    """What is special about it."""
    section_tokens: int
    """Most tokens of a section."""
    journal: str = "none"
    """`none`, `new` (every step is written) or `full` (every step was taken before)."""
    tokenizer: bool = False
    """Measured by the shipped tokenizer, not by estimate."""


CASES = (
    Case("32K sections", 32_000),
    Case("32K sections, journal", 32_000, journal="new"),
    Case("2K sections", 2_000),
    Case("2K sections, journal", 2_000, journal="new"),
    Case("2K sections, read before", 2_000, journal="full"),
    Case("32K sections, tokenizer", 32_000, tokenizer=True),
)


class Stopwatch:
    """Adds up wall and CPU seconds of what runs within it."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.cpu_seconds = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count the time within the block."""
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - wall
            self.cpu_seconds += time.process_time() - cpu


class TimedTokens:
    """Text tokens whose work is timed."""

    def __init__(self, tokens: Any) -> None:
        self._tokens = tokens
        self.name: str = tokens.name
        self.is_exact: bool = tokens.is_exact
        self.watch = Stopwatch()

    def count(self, text: str) -> int:
        """Return the number of tokens of `text`."""
        with self.watch.running():
            return int(self._tokens.count(text))

    def starts(self, text: str) -> Iterator[Any]:
        """Yield the starts of the tokens, block after block."""
        blocks = self._tokens.starts(text)
        while True:
            with self.watch.running():
                block = next(blocks, None)
            if block is None:
                return
            yield block


class ScriptedModel:
    """A chat sampler that answers at once and remembers a hash of the sections it was shown."""

    name = "scripted"
    window_tokens = WINDOW_TOKENS

    def __init__(self, tokens: TimedTokens) -> None:
        self.tokens = tokens
        self.watch = Stopwatch()
        self.shown = hashlib.sha256()
        self.num_updates = 0
        self._note = "The committee of the third county approved the budget of 1843 in May. "

    def num_prompt_tokens(self, message: str) -> int:
        """Return the tokens of a prompt."""
        return self.tokens.count(message)

    async def reply(self, request: Any) -> Any:
        """Return a memory, or the answer."""
        from longloom.records import FinishReason, Purpose, Reply, TokenUsage

        with self.watch.running():
            text = "Therefore, the answer is (May)."
            if request.purpose is Purpose.UPDATE:
                section = request.message.rpartition("\n<section>\n")[2]
                self.shown.update(bare(section.rpartition("\n</section>\n")[0]))
                self.num_updates += 1
                notes = self._note * (MEMORY_TOKENS // 16)
                text = f"<memory>Step {self.num_updates}. {notes}</memory><plan>Read on.</plan>"
            usage = TokenUsage(num_prompt_tokens=1, num_response_tokens=1, num_calls=1)
            return Reply(text=text, finish_reason=FinishReason.STOP, usage=usage)


def bare(section: str) -> bytes:
    """Return a section without what a prompt may change: outer line breaks, closing tags."""
    return section.strip("\n").replace("< /", "</").encode("utf-8")


def read_here(case: Case, text_path: Path, folder: Path) -> dict[str, Any]:
    """Read the text in this process, which has done nothing else; return the figures."""
    from longloom.memory import MemoryAgent, MemoryConfig
    from longloom.memory.journal import NoJournal
    from longloom.memory.journal_file import JournalFile

    start_bytes = memory_bytes("VmRSS")
    text = text_path.read_text("utf-8")
    tokens = TimedTokens(load_tokens(case))
    config = MemoryConfig(chunk_tokens=case.section_tokens)
    journal = NoJournal() if case.journal == "none" else JournalFile(folder / "journal.sqlite")
    agent = MemoryAgent(config, journal=journal)
    if case.journal == "full":
        asyncio.run(agent(make_attempt(text), sampler=ScriptedModel(tokens), emit=ignore))
        tokens = TimedTokens(load_tokens(case))
    model, whole, events = ScriptedModel(tokens), Stopwatch(), []
    with whole.running():
        rollout = asyncio.run(agent(make_attempt(text), sampler=model, emit=events.append))
    peak_bytes = memory_bytes("VmHWM")
    if rollout.error:
        raise SystemExit(f"{case.name}: the reading failed: {rollout.error}")
    sections = expected_sections(text, case)
    num_steps = sum(event.kind == "section_read" for event in events)
    others = (tokens.watch, model.watch)
    wall = whole.seconds - sum(watch.seconds for watch in others)
    cpu = whole.cpu_seconds - sum(watch.cpu_seconds for watch in others)
    shown = "nothing, all was read before"
    if case.journal != "full":
        is_same = model.shown.hexdigest() == sections[1] and model.num_updates == sections[0]
        shown = "every section once" if is_same else "NOT every section once"
    return {
        "num_sections": sections[0],
        "num_steps": num_steps,
        "step_ms": round(1_000 * wall / num_steps, 3),
        "step_cpu_ms": round(1_000 * cpu / num_steps, 3),
        "seconds": round(whole.seconds, 2),
        "tokenising_seconds": round(tokens.watch.seconds, 2),
        "tokenising_cpu_seconds": round(tokens.watch.cpu_seconds, 2),
        "peak_mb": round(peak_bytes / 1e6),
        "start_mb": round(start_bytes / 1e6),
        "shown_to_the_model": shown,
        "has_torch": "torch" in sys.modules,
    }


def ignore(event: object) -> None:
    """Take no notice of an event."""


def load_tokens(case: Case) -> Any:
    """Return what measures texts."""
    if case.tokenizer:
        from longloom.text.tokenizer import FolderTokenizer
        from longloom.text.tokenizer_tokens import TokenizerTokens

        return TokenizerTokens(FolderTokenizer(TINY_BASE))
    from longloom.text.estimated_tokens import EstimatedTokens

    return EstimatedTokens()


def expected_sections(text: str, case: Case) -> tuple[int, str]:
    """Return how many sections the text has, and a hash of them all."""
    from longloom.text.sections import SectionCutter

    digest, number = hashlib.sha256(), 0
    for section in SectionCutter(text, load_tokens(case)).sections(case.section_tokens):
        digest.update(bare(text[section.start : section.end]))
        number += 1
    return number, digest.hexdigest()


def make_attempt(text: str) -> Any:
    """Return an attempt at a question about the text."""
    from longloom.records import Context, Example, RewardRule, SamplingParams, Split, TaskType
    from longloom.rollout.agent import Attempt

    example = Example(
        example_id="reading",
        task_type=TaskType.READING_COMPREHENSION,
        ability="recall",
        context_id="text",
        question="When did the committee approve the budget?",
        answer="May",
        reward_rule=RewardRule.COVER_EXACT_MATCH,
        program="{}",
        evidence=(),
        num_context_tokens=NUM_TOKENS,
        num_prompt_tokens=NUM_TOKENS,
        split=Split.HELD_OUT,
        licences=(),
        provenance=(),
    )
    return Attempt(
        example=example,
        context=Context(context_id="text", text=text, parts=()),
        rollout_index=0,
        policy_version=0,
        params=SamplingParams(temperature=0.7, top_p=0.95, max_new_tokens=1_000),
        key="reading",
    )


def memory_bytes(field: str) -> int:
    """Return VmRSS or VmHWM of this process."""
    for line in Path("/proc/self/status").read_text("utf-8").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1_024
    raise SystemExit(f"/proc/self/status has no {field}; this benchmark needs Linux")


def write_text(folders: Sequence[Path], num_tokens: int, target: Path) -> dict[str, Any]:
    """Write a text of `num_tokens` by estimate; return what it is made of."""
    from longloom.text.estimated_tokens import EstimatedTokens

    library = [Path(sysconfig.get_path("stdlib"))]
    paths = sorted(
        path
        for folder in folders or library
        for path in (folder.rglob("*") if folders else folder.glob("*.py"))
        if path.suffix in SUFFIXES and path.is_file()
    )
    if not paths:
        raise SystemExit(f"no text files in {', '.join(map(str, folders))}")
    tokens = EstimatedTokens()
    parts: list[str] = []
    num_left, num_files = num_tokens, 0
    for path in itertools.cycle(paths):
        part = path.read_text("utf-8", errors="replace").strip() + "\n\n"
        num_left -= tokens.count(part)
        parts.append(part)
        num_files += 1
        if num_left <= 0 or (num_files >= len(paths) and num_left == num_tokens):
            break
    text = "".join(parts)
    target.write_text(text, "utf-8")
    return {
        "source": "documents" if folders else "the standard library",
        "num_files": min(num_files, len(paths)),
        "num_characters": len(text),
        "num_tokens_by_estimate": num_tokens - num_left,
    }


def in_child(index: int, text_path: Path) -> dict[str, Any]:
    """Run one case in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--index", str(index), "--folder", folder]
        run = subprocess.run(
            [*command, "--text", str(text_path)],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
        )
    figures: dict[str, Any] = json.loads(run.stdout)
    print(
        f"{CASES[index].name:<26} {figures['num_steps']:>6} steps "
        f"{figures['step_ms']:>7.3f} ms each ({figures['step_cpu_ms']:.3f} CPU) "
        f"{figures['seconds']:>6.2f} s, tokenising {figures['tokenising_seconds']:>6.2f} s "
        f"{figures['peak_mb']:>5} MB  {figures['shown_to_the_model']}",
        flush=True,
    )
    return figures


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Run all cases, or one of them within a child."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_text_options(parser, num_tokens=NUM_TOKENS)
    parser.add_argument("--index", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--text", type=Path, help=argparse.SUPPRESS)
    given = parse_text_options(parser, arguments)
    if given.index is not None:
        figures = read_here(CASES[given.index], given.text, given.folder)
        print(json.dumps(figures))
        return figures
    with tempfile.TemporaryDirectory() as folder:
        text_path = Path(folder) / "text.txt"
        made_of = write_text(given.documents, given.tokens, text_path)
        print(made_of, flush=True)
        figures_by_case = {
            case.name: in_child(index, text_path)
            for index, case in enumerate(CASES)
            if case.name.startswith(given.case)
        }
    result = {
        "benchmark": "memory_reading",
        "command": "python benchmarks/memory_reading.py --write"
        + (" --documents FOLDER" if given.documents else ""),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine_facts(),
        "text": made_of,
        "memory_tokens": MEMORY_TOKENS,
        "targets": TARGETS,
        "cases": figures_by_case,
    }
    if given.write:
        RESULT.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    return result


if __name__ == "__main__":
    main()
