"""Write the samples of one length into files in RULER's row format, once.

A folder's name holds a digest of all that shapes its rows: length, number, seed, haystack, the
tokenizer's counts and the version of the generator. So a folder is only ever taken up again for
the same rows. Each task's file appears whole or not at all.
"""

import hashlib
import json
import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from longloom.evaluation.benchmark import CountTokens, ReadSettings
from longloom.evaluation.benchmarks.ruler.counting import (
    LEAST_COMMON_SIZE,
    LEAST_FREQUENT_SIZE,
    MOST_COMMON_SIZE,
    frequent_maker,
    make_common,
)
from longloom.evaluation.benchmarks.ruler.documents import (
    HOTPOT_FILE,
    SQUAD_FILE,
    DocumentFile,
    read_documents,
)
from longloom.evaluation.benchmarks.ruler.needles import NEEDLE_TASKS, needle_maker
from longloom.evaluation.benchmarks.ruler.sample import Prose, Sample
from longloom.evaluation.benchmarks.ruler.sizing import count_blocks, largest_size
from longloom.evaluation.benchmarks.ruler.tracking import LEAST_SIZE, make_tracking
from longloom.evaluation.rows import sha256_digest
from longloom.runlog.atomic import atomic_path, atomic_write_text

GENERATOR_VERSION = 1
"""Another version makes other rows."""
HAYSTACK_FILE = "haystack.txt"
"""Prose in the place of RULER's essays."""
CHAT_TOKENS = 64
"""Kept free for what a chat template adds."""
ANSWER_TOKENS: Mapping[str, int] = {
    "cwe": 120,
    "fwe": 50,
    **dict.fromkeys(NEEDLE_TASKS, 128),
    "qa_1": 32,
    "qa_2": 32,
    "vt": 30,
}
"""Longest answers by task, in alphabetical order of the tasks."""
QA_FILES: Mapping[str, str] = {"qa_1": SQUAD_FILE, "qa_2": HOTPOT_FILE}
"""Files that the tasks about paragraphs are made of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that shapes the rows of one length."""

    max_tokens: int
    """Prompt and answer together."""
    num_samples: int
    """Questions of each task."""
    seed: int
    """For everything that is drawn."""
    tokenizer: str
    """Digest of how texts are counted."""
    sources: Mapping[str, str]
    """Given files with their digests."""
    version: int = GENERATOR_VERSION
    """Of the generator."""

    @property
    def digest(self) -> str:
        """Return what tells it from every other plan."""
        stated = json.dumps(asdict(self), sort_keys=True)
        return hashlib.blake2b(stated.encode(), digest_size=8).hexdigest()


def make_plan(folder: Path, settings: ReadSettings, max_tokens: int, num_samples: int) -> Plan:
    """Return the plan for a folder with the files that may lie in it."""
    given = [folder / name for name in (HAYSTACK_FILE, SQUAD_FILE, HOTPOT_FILE)]
    return Plan(
        max_tokens=max_tokens,
        num_samples=settings.max_questions or num_samples,
        seed=settings.seed,
        tokenizer=_counts_digest(settings.count_tokens),
        sources={path.name: sha256_digest(path) for path in given if path.is_file()},
    )


def generate(folder: Path, plan: Plan, count: CountTokens) -> tuple[dict[str, Path], list[str]]:
    """Write what is missing; return the file of every task, and the tasks that do not fit.

    Raises:
        DataError: a given file is damaged, or the folder cannot be written.
    """
    target = folder / f"rows-{plan.max_tokens}-{plan.digest}"
    if not (target / "plan.json").is_file():
        atomic_write_text(target / "plan.json", json.dumps(asdict(plan), indent=2) + "\n")
    prose: Prose | None = None
    paths: dict[str, Path] = {}
    left_out: list[str] = []
    for task in ANSWER_TOKENS:
        if task in QA_FILES and QA_FILES[task] not in plan.sources:
            continue
        path = target / f"{task}.jsonl"
        if not path.is_file():
            if prose is None:
                haystack = folder / HAYSTACK_FILE
                prose = Prose(haystack if HAYSTACK_FILE in plan.sources else None, plan.seed)
            with atomic_path(path) as partial_path:
                _write_task(partial_path, _TaskMaker(task, plan, folder, prose), count)
        if path.stat().st_size:
            paths[task] = path
        else:
            left_out.append(task)
    return paths, left_out


class _TaskMaker:
    """Makes the samples of one task by number and size."""

    def __init__(self, task: str, plan: Plan, folder: Path, prose: Prose) -> None:
        self.task = task
        self.plan = plan
        self.most: int | None = None
        self.least = LEAST_SIZE
        self._documents: DocumentFile | None = None
        if task in QA_FILES:
            self._documents = read_documents(folder / QA_FILES[task])
            self.least, self.most = 1, len(self._documents.paragraphs)
        elif task in NEEDLE_TASKS:
            self._make = needle_maker(NEEDLE_TASKS[task], prose)
            self.least = NEEDLE_TASKS[task].least_size
        elif task == "cwe":
            self._make = make_common
            self.least, self.most = LEAST_COMMON_SIZE, MOST_COMMON_SIZE
        elif task == "fwe":
            self._make = frequent_maker(plan.max_tokens)
            self.least = LEAST_FREQUENT_SIZE
        else:
            self._make = make_tracking

    def sample(self, index: int, size: int) -> Sample:
        dice = random.Random(f"{self.plan.seed}/{self.plan.max_tokens}/{self.task}/{index}")
        if self._documents is not None:
            return self._documents.make(index, size, dice)
        return self._make(size, dice)


def _write_task(path: Path, maker: _TaskMaker, count: CountTokens) -> None:
    """Write the rows of a task; none if its smallest sample does not fit."""
    room = maker.plan.max_tokens - ANSWER_TOKENS[maker.task] - CHAT_TOKENS

    def tokens(index: int, size: int) -> int:
        return _num_tokens(maker.sample(index, size), count)

    first = largest_size(
        lambda size: tokens(0, size), least=maker.least, most=maker.most, max_tokens=room
    )
    with path.open("w", encoding="utf-8") as file:
        if first is None:
            return
        for index in range(maker.plan.num_samples):
            size = first
            sample = maker.sample(index, size)
            num_tokens = _num_tokens(sample, count)
            while num_tokens > room and size > maker.least:
                # Samples of one size differ by a few tokens; take off what this one has too many.
                size = max(maker.least, size - 1 - (num_tokens - room) * size // num_tokens)
                sample = maker.sample(index, size)
                num_tokens = _num_tokens(sample, count)
            if num_tokens <= room:
                file.write(json.dumps(_row(maker.task, index, sample, num_tokens)) + "\n")


def _num_tokens(sample: Sample, count: CountTokens) -> int:
    return count_blocks(count, sample.before + sample.context + sample.after)


def _row(task: str, index: int, sample: Sample, num_tokens: int) -> dict[str, object]:
    start = len(sample.before)
    length = num_tokens + ANSWER_TOKENS[task]
    return {
        "index": index,
        "input": f"{sample.before}{sample.context}\n{sample.question}",
        "outputs": list(sample.outputs),
        "length": length,
        "length_w_model_temp": length + CHAT_TOKENS,
        "answer_prefix": sample.answer_prefix,
        "context_span": [start, start + len(sample.context)],
        "evidence": [list(span) for span in sample.evidence],
        "question": sample.question,
    }


def _counts_digest(count: CountTokens) -> str:
    """Return a digest of how texts of many kinds are counted: what tells tokenizers apart."""
    dice = random.Random(0)
    letters = "etaoinshrdlucmfwypvbgkjqxz ETAOIN 0123456789-.,:\n"
    texts = ["".join(dice.choices(letters, k=400)) for _ in range(16)]
    texts += [
        "The lamp is on.\n" * 20,
        "\u8bfb\u4e66\u7b14\u8bb0" * 20,
        "caf\u00e9 na\u00efve " * 20,
    ]
    counts = [count(text) for text in texts]
    return hashlib.blake2b(json.dumps(counts).encode(), digest_size=8).hexdigest()
