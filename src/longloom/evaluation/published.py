"""What the papers report, by benchmark and model: a table of facts, with its known faults.

Sources: QwenLong-L1.5 (arXiv 2512.12967), QwenLong-L1 (arXiv 2505.17667), MemAgent (arXiv
2507.02259), CorpusQA (its paper in Tongyi-Zhiwen/CorpusQA). Figures are in percent, as printed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

Role = Literal["", "base", "recipe"]
"""The recipe's own model, what it was trained from, or neither."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedFigure:
    """One figure of one model."""

    model: str
    """As the source calls it, with the way of asking where the source compares several."""
    percent: float
    """The figure, from 0 to 100."""
    source: str
    """Paper and table."""
    notes: tuple[str, ...] = ()
    """What is known to be wrong or unlike about it."""
    role: Role = ""
    """Whether it is the recipe's own model or its base."""
    part: str = ""
    """Part of the benchmark that it is about (a length, a task); empty for the whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    source: str
    columns: tuple[str, ...]
    """Benchmark, or `benchmark/part`."""
    rows: Mapping[str, tuple[float | None, ...]]
    roles: Mapping[str, Role]
    row_notes: Mapping[str, str]
    column_notes: Mapping[str, str]


RECIPE = "QwenLong-L1.5-30B-A3B"
BASE = "Qwen3-30B-A3B-Thinking-2507"
_L1, _L1_BASE = "QwenLong-L1-32B (DAPO)", "R1-Distill-Qwen-32B"
_ROLES: Mapping[str, Role] = {RECIPE: "recipe", BASE: "base"}
_SIX = ("docmath", "longbench-v2", "frames", "mrcr", "corpusqa", "longbench-v1-qa")
_V1_SETS = ("2wikimqa", "hotpotqa", "musique", "narrativeqa", "qasper")
_V1_FAULT = (
    "a user of the released model finds about 20 points less (THUDM/LongBench issue 140); the row "
    "by dataset that Table 12 prints for it repeats that of Gemini-2.5-Pro and is left out here"
)
_AGENT_NOTES = {
    "corpusqa-4m": "231 questions: one is 0.43 points",
    "corpusqa": "printed figures fit 320 questions",
}

_TABLE_7 = _Table(
    source="QwenLong-L1.5, Table 7",
    columns=_SIX,
    rows={
        RECIPE: (66.26, 55.27, 74.76, 82.99, 81.25, 70.40),
        BASE: (62.26, 49.11, 70.27, 51.27, 71.56, 67.10),
        "Gemini-2.5-Pro": (62.38, 65.72, 74.51, 79.92, 80.62, 71.28),
        "GPT-5": (67.62, 62.82, 84.59, 77.29, 81.56, 73.70),
        "DeepSeek-R1-0528": (63.44, 59.48, 76.86, 64.88, 77.50, 69.90),
        "Qwen3-235B-A22B-Thinking-2507": (65.75, 57.46, 75.12, 66.17, 75.31, 70.90),
        "Qwen3-Max-Thinking-Preview": (64.12, 57.89, 77.93, 71.24, 74.69, 70.71),
        "Gemini-2.5-Flash-Thinking": (64.75, 56.77, 65.78, 78.84, 79.38, 66.86),
        "GPT-5-Nano": (63.88, 43.74, 73.54, 43.88, 50.31, 67.10),
        "GPT-OSS-120B": (61.25, 47.01, 72.69, 39.68, 64.38, 66.30),
        "QwenLong-L1": (64.75, 40.76, 72.39, 47.86, 42.50, 68.40),
    },
    roles=_ROLES,
    row_notes={
        "GPT-5": "the average printed for the row is 74.74; its columns give 74.60",
        "GPT-5-Nano": "the average printed for the row is 57.06; its columns give 57.08",
    },
    column_notes={"corpusqa": _AGENT_NOTES["corpusqa"]},
)

_TABLE_8 = _Table(
    source="QwenLong-L1.5, Table 8",
    columns=(
        "mmlu-pro", "aime24", "aime25", "gpqa-diamond", "bfcl-memory", "bfcl-memory/kv",
        "bfcl-memory/vector", "bfcl-memory/rec_sum", "longmemeval-s",
    ),
    rows={
        RECIPE: (81.33, 90.0, 86.46, 76.78, 24.52, 16.77, 16.77, 40.00, 76.40),
        BASE: (81.03, 90.31, 82.81, 75.88, 23.01, 10.97, 16.13, 41.94, 60.80),
    },
    roles=_ROLES,
    row_notes={},
    column_notes={
        "aime24": "printed figures fit the mean of 32 answers to 30 questions",
        "aime25": "printed figures fit the mean of 32 answers to 30 questions",
    },
)  # fmt: skip

_TABLE_9 = _Table(
    source="QwenLong-L1.5, Table 9",
    columns=("mrcr-512k", "mrcr-1m", "corpusqa-1m", "corpusqa-4m"),
    rows={
        f"{RECIPE} (memory agent)": (34.87, 22.53, 20.72, 14.29),
        f"{BASE} (memory agent)": (16.55, 4.24, 15.32, 9.52),
        "MemAgent-14B": (6.78, 3.11, 9.70, 9.09),
        "Gemini-2.5-Pro (whole context)": (53.83, 39.51, 53.11, None),
        "Gemini-2.5-Flash-Thinking (whole context)": (53.98, 46.88, 36.91, None),
        "Qwen-Flash-Thinking-1M (whole context)": (22.10, 9.97, 2.75, None),
    },
    roles={f"{RECIPE} (memory agent)": "recipe", f"{BASE} (memory agent)": "base"},
    row_notes={},
    column_notes={"corpusqa-4m": _AGENT_NOTES["corpusqa-4m"]},
)

_TABLE_10 = _Table(
    source="QwenLong-L1.5, Table 10",
    columns=(*_SIX, "mrcr-1m"),
    rows={
        f"{BASE} + naive GRPO": (65.12, 55.27, 71.36, 66.92, 76.87, 67.90, None),
        "QwenLong-L1.5 after stage 1": (65.88, 55.67, 73.79, 76.35, 75.62, 70.20, 17.14),
        "QwenLong-L1.5 after stage 2": (64.38, 53.68, 74.76, 81.53, 77.50, 70.90, 17.05),
        "QwenLong-L1.5 after stage 3": (66.25, 57.65, 74.27, 82.69, 79.38, 69.30, 12.66),
        "QwenLong-L1.5 memory expert": (64.75, 47.91, 74.15, 80.29, 75.00, 69.10, 20.34),
        "QwenLong-L1.5 after merging": (66.75, 52.88, 73.79, 82.69, 81.56, 69.40, 21.68),
    },
    roles={},
    row_notes={},
    column_notes={"mrcr-1m": "by the memory agent"},
)

_TABLES_4B = _Table(
    source="QwenLong-L1.5, Tables 2, 4 and 5",
    columns=_SIX,
    rows={
        "Qwen3-4B-Thinking-2507": (59.00, 41.35, 62.86, 39.85, 49.38, 64.30),
        "Qwen3-4B-Thinking-2507 + GRPO": (61.25, 44.33, 67.11, 40.90, 58.75, 64.10),
        "Qwen3-4B-Thinking-2507 + task-balanced sampling, task-level deviation": (
            61.25, 43.54, 67.48, 53.23, 60.94, 65.30,
        ),
        "Qwen3-4B-Thinking-2507 + AEPO": (62.50, 47.91, 67.35, 47.88, 64.69, 65.80),
    },
    roles={},
    row_notes={},
    column_notes={},
)  # fmt: skip

_TABLE_11 = _Table(
    source="QwenLong-L1.5, Table 11",
    columns=tuple(
        f"longbench-v2/{part}" for part in ("easy", "hard", "short", "medium", "long")
    ),
    rows={
        RECIPE: (59.90, 52.41, 62.78, 53.95, 45.37),
        BASE: (52.60, 46.95, 59.44, 43.72, 42.59),
        "Gemini-2.5-Pro": (72.34, 61.64, 69.66, 62.91, 64.71),
        "DeepSeek-R1-0528": (65.61, 55.70, 66.11, 52.86, 61.32),
        "Gemini-2.5-Flash-Thinking": (67.19, 50.32, 61.67, 52.80, 56.48),
    },
    roles=_ROLES,
    row_notes={},
    column_notes={},
)  # fmt: skip

_V1_ROWS: Mapping[str, tuple[float | None, ...]] = {
    BASE: (88.00, 77.50, 64.50, 52.00, 53.50),
    "Gemini-2.5-Pro": (91.00, 82.41, 71.50, 61.00, 50.50),
    "DeepSeek-R1-0528": (90.00, 82.00, 68.50, 61.00, 48.00),
    "Gemini-2.5-Flash-Thinking": (89.34, 81.00, 60.00, 56.50, 47.50),
}
_TABLE_12, _TABLE_12_PARTS = (
    _Table(
        source="QwenLong-L1.5, Table 12",
        columns=columns,
        rows=_V1_ROWS,
        roles=_ROLES,
        row_notes={},
        column_notes={},
    )
    for columns in (_V1_SETS, tuple(f"longbench-v1-qa/{name}" for name in _V1_SETS))
)

_L1_TABLE_4 = _Table(
    source="QwenLong-L1, Table 4",
    columns=("docmath-l1", "frames", *_V1_SETS),
    rows={
        _L1: (67.5, 70.1, 90.5, 83.0, 69.0, 56.0, 58.5),
        _L1_BASE: (62.5, 67.0, 84.0, 80.5, 61.0, 54.0, 50.0),
        "QwenLong-L1-32B (GRPO)": (68.0, 72.2, 87.0, 82.0, 66.0, 61.0, 56.0),
        "R1-Distill-Qwen-32B + SFT": (65.0, 71.6, 87.0, 80.5, 65.5, 57.5, 54.0),
        "QwenLong-L1-14B (DAPO)": (65.5, 67.4, 89.0, 84.0, 63.0, 57.0, 52.5),
        "QwenLong-L1-14B (GRPO)": (65.0, 68.7, 88.5, 86.5, 63.5, 53.5, 51.5),
        "R1-Distill-Qwen-14B + SFT": (60.0, 65.7, 88.5, 80.5, 60.0, 52.0, 48.5),
        "R1-Distill-Qwen-14B": (61.0, 64.2, 87.0, 77.5, 58.0, 51.0, 51.0),
        "OpenAI-o1-preview": (64.5, 80.8, 87.5, 83.5, 69.0, 68.0, 57.0),
        "Claude-3.7-Sonnet-Thinking": (67.5, 70.9, 86.5, 84.4, 68.3, 61.5, 56.0),
        "OpenAI-o3-mini": (66.5, 75.5, 86.5, 83.5, 66.5, 59.0, 55.0),
        "Qwen3-Plus": (66.0, 73.6, 90.5, 82.4, 69.8, 57.5, 52.5),
        "QwQ-Plus": (64.5, 73.5, 89.0, 81.0, 66.5, 62.0, 53.5),
        "Gemini-2.0-Flash-Thinking": (63.0, 69.8, 82.9, 79.5, 62.5, 57.0, 45.5),
        "DeepSeek-R1": (66.0, 79.6, 89.9, 82.5, 74.5, 59.5, 53.0),
        "Qwen3-235B-A22B": (67.5, 74.6, 91.5, 84.4, 63.3, 60.0, 53.0),
        "QwQ-32B": (59.5, 72.9, 90.5, 78.5, 66.0, 58.0, 57.5),
        "Qwen3-32B": (58.0, 70.0, 87.0, 83.4, 62.8, 57.5, 56.0),
    },
    roles={_L1: "recipe", _L1_BASE: "base"},
    row_notes={},
    column_notes={
        "frames": "asked with 120K tokens in and 10K out, unlike QwenLong-L1.5's 128K and 50K",
    },
)

_CORPUSQA = _Table(
    source="CorpusQA, main results and Table 4",
    columns=("corpusqa", "corpusqa-1m", "corpusqa-4m"),
    rows={
        "GPT-5": (82.02, None, None),
        "Gemini-2.5-Pro": (80.19, 50.73, None),
        "Qwen3-235B-A22B": (78.08, None, None),
        "Qwen3-30B-A3B-Thinking": (69.59, None, None),
        "Gemini-2.5-Flash": (None, 37.31, None),
        "MiniMax-M1": (None, 11.63, None),
        "Gemini-2.5-Pro (memory agent)": (67.58, 44.95, 22.14),
        "Gemini-2.5-Pro (retrieval)": (55.85, 17.38, 2.43),
    },
    roles={},
    row_notes={},
    column_notes=dict.fromkeys(
        ("corpusqa", "corpusqa-1m", "corpusqa-4m"), "329 questions, temperature 0"
    ),
)

_RULER_LENGTHS = ("7K", "14K", "28K", "56K", "112K", "224K", "448K", "896K", "1.75M", "3.5M")
_RULER_HQA = _Table(
    source="MemAgent, Table 2",
    columns=tuple(f"ruler-hqa/{length}" for length in _RULER_LENGTHS),
    rows={
        "RL-MemAgent-14B": (
            83.59, 82.03, 84.38, 80.47, 76.56, 81.25, 75.00, 77.34, 76.56, 78.12,
        ),
        "RL-MemAgent-7B": (
            82.03, 79.69, 78.91, 77.34, 79.69, 72.66, 74.22, 76.56, 75.78, 71.09,
        ),
        "QwenLong-L1-32B": (72.66, 75.00, 72.66, 60.94, 31.25, 17.19, 13.28, 11.72, None, None),
        "Qwen2.5-14B-Instruct-1M": (
            60.16, 60.94, 50.00, 57.03, 50.00, 37.50, 8.59, 0.00, None, None,
        ),
        "Qwen2.5-7B-Instruct-1M": (
            61.72, 56.25, 53.91, 55.47, 51.56, 33.59, 12.50, 0.00, None, None,
        ),
        "R1-Distill-Qwen-32B": (70.31, 66.41, 65.62, 46.88, 23.44, 13.28, 7.81, 7.03, None, None),
        "R1-Distill-Qwen-14B": (64.06, 64.84, 57.03, 40.62, 14.84, 8.59, 3.12, 6.25, None, None),
        "R1-Distill-Qwen-7B": (30.47, 12.50, 3.12, 0.0, 0.0, 0.78, 0.0, 0.0, None, None),
    },
    roles={},
    row_notes={},
    column_notes={
        f"ruler-hqa/{length}": "printed figures fit 128 questions: one is 0.78 points"
        for length in _RULER_LENGTHS
    },
)  # fmt: skip

_RULER = _Table(
    source="MemAgent, mean of 10 RULER tasks",
    columns=tuple(
        f"ruler/{length}" for length in ("8K", "16K", "32K", "64K", "128K", "256K", "512K")
    ),
    rows={
        "RL-MemAgent-14B": (97.45, 96.97, 97.46, 97.85, 96.08, 96.24, 95.40),
        "RL-MemAgent-7B": (93.03, 92.03, 91.33, 88.83, 86.92, 83.70, 81.91),
        "MemAgent-32B (not trained)": (99.04, 96.59, 94.61, 91.85, 86.56, 83.57, 81.51),
        "MemAgent-14B (not trained)": (97.95, 90.22, 87.43, 80.30, 67.97, 58.88, 46.18),
        "MemAgent-7B (not trained)": (92.56, 92.47, 90.52, 88.36, 84.46, 80.05, 73.48),
        "QwenLong-L1-32B": (92.00, 91.23, 91.40, 77.39, 41.66, 23.22, 14.78),
    },
    roles={},
    row_notes={},
    column_notes={},
)

_TABLES = (
    _TABLE_7, _TABLE_8, _TABLE_9, _TABLE_10, _TABLE_11, _TABLE_12, _TABLE_12_PARTS, _L1_TABLE_4,
    _CORPUSQA, _RULER_HQA, _RULER, _TABLES_4B,
)  # fmt: skip


def published_figures(benchmark: str) -> tuple[PublishedFigure, ...]:
    """Return what the papers report on a benchmark, the recipe's model first; maybe nothing."""
    return _figures().get(benchmark, ())


@cache
def _figures() -> Mapping[str, tuple[PublishedFigure, ...]]:
    found: dict[str, list[PublishedFigure]] = {}
    for table in _TABLES:
        for model, row in table.rows.items():
            for column, percent in zip(table.columns, row, strict=True):
                if percent is None:
                    continue
                benchmark, _, part = column.partition("/")
                figure = PublishedFigure(
                    model=model,
                    percent=percent,
                    source=table.source,
                    notes=_notes(table, model, column),
                    role=table.roles.get(model, ""),
                    part=part,
                )
                found.setdefault(benchmark, []).append(figure)
    return {benchmark: tuple(figures) for benchmark, figures in found.items()}


def _notes(table: _Table, model: str, column: str) -> tuple[str, ...]:
    notes = [table.row_notes.get(model, ""), table.column_notes.get(column, "")]
    if model == RECIPE and column == "longbench-v1-qa":
        notes.append(_V1_FAULT)
    return tuple(note for note in notes if note)
