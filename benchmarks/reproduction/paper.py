"""QwenLong-L1.5, Table 10: what each stage of the recipe scores at the paper's size."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperRow:
    """One checkpoint of Qwen3-30B-A3B-Thinking-2507."""

    title: str
    """The paper's name of it."""
    mean: float
    """Mean over its six benchmarks of up to 128K tokens, percent."""
    agent: float | None
    """MRCR of 512K to 1M tokens, read by the memory agent, percent; None where not measured."""


PAPER_ROWS: dict[str, PaperRow] = {
    "base": PaperRow(title="base", mean=61.92, agent=4.24),
    "naive-grpo": PaperRow(title="naive GRPO", mean=67.24, agent=None),
    "stage-1": PaperRow(title="stage 1", mean=69.59, agent=17.14),
    "stage-2": PaperRow(title="stage 2", mean=70.46, agent=17.05),
    "stage-3": PaperRow(title="stage 3", mean=71.59, agent=12.66),
    "memory": PaperRow(title="memory RL", mean=68.53, agent=20.34),
    "merged": PaperRow(title="SCE merge", mean=71.18, agent=21.68),
    "final": PaperRow(title="stage 4", mean=71.82, agent=22.53),
}
"""By our checkpoint."""
