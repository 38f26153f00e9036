"""Sets of benchmarks that are asked together, with the settings of the papers.

`qwenlong-l15`: QwenLong-L1.5, section 5.1 and Table 7 (128K tokens in, 50K out). `qwenlong-l1`:
QwenLong-L1, section 3 (seven sets, 120K in, 10K out). Both sample at temperature 0.7, top-p 0.95.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """Benchmarks with common settings."""

    name: str
    """As in commands."""
    title: str
    """As in tables."""
    benchmarks: tuple[str, ...]
    """Their names, in the order of the paper's columns."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings of `AskingConfig` that differ from its defaults."""


_SAMPLING = {"temperature": 0.7, "top_p": 0.95}
_L1 = {**_SAMPLING, "max_prompt_tokens": 120_000, "max_new_tokens": 10_000}
_L15 = {**_SAMPLING, "max_prompt_tokens": 128_000, "max_new_tokens": 50_000}
_L1_SETS = (
    "docmath-l1", "frames", "2wikimqa", "hotpotqa", "musique", "narrativeqa", "qasper",
)  # fmt: skip

SUITES: Mapping[str, Suite] = {
    suite.name: suite
    for suite in (
        Suite(
            name="qwenlong-l1",
            title="QwenLong-L1",
            benchmarks=_L1_SETS,
            settings=_L1,
        ),
        Suite(
            name="qwenlong-l15",
            title="QwenLong-L1.5",
            benchmarks=(
                "docmath", "longbench-v2", "frames", "mrcr", "corpusqa", "longbench-v1-qa",
            ),
            settings=_L15,
        ),
        Suite(
            name="qwenlong-l15-general",
            title="QwenLong-L1.5, Table 8",
            benchmarks=(
                "mmlu-pro", "aime24", "aime25", "gpqa-diamond", "bfcl-memory", "longmemeval-s",
            ),
            settings=_L15,
        ),
        Suite(
            name="qwenlong-l15-long",
            title="QwenLong-L1.5, Table 9 (memory agent)",
            benchmarks=("mrcr-512k", "mrcr-1m", "corpusqa-1m", "corpusqa-4m"),
            settings=_L15,
        ),
    )
}  # fmt: skip
"""By name."""
