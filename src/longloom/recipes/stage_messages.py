"""What a stage tells in one line: rows it cannot use, steps that taught nothing, lost figures."""

from collections.abc import Sequence
from pathlib import Path

from longloom.records import Example
from longloom.runlog import MetricRow, metric_series, read_metrics
from longloom.training.sft import SftConfig
from longloom.training.sft_rows import SftExample
from longloom.training.stage import TrainingConfig

_MAX_LISTED = 10


def left_out_message(training: TrainingConfig, examples: Sequence[Example]) -> str:
    """Return how many examples are outside the stage's lengths; empty if none is."""
    low, high = training.min_prompt_tokens, training.max_prompt_tokens
    num_long = sum(example.num_prompt_tokens > high for example in examples)
    num_short = sum(example.num_prompt_tokens <= low for example in examples)
    parts = []
    if num_long:
        parts.append(f"{num_long} with a prompt of over {high:,} tokens")
    if num_short:
        parts.append(f"{num_short} with a prompt of up to {low:,} tokens")
    if not parts:
        return ""
    return f"left out of {len(examples)} examples: {' and '.join(parts)}"


def long_rows_message(sft: SftConfig, rows: Sequence[SftExample]) -> str:
    """Return how many rows are too long to be learned; empty if none is."""
    num_long = sum(row.num_tokens > sft.max_tokens for row in rows)
    if not num_long:
        return ""
    return f"left out of {len(rows)} rows: {num_long} with over {sft.max_tokens:,} tokens"


def skipped_message(metrics_file: Path, stage: str) -> str:
    """Return how many steps of a stage changed nothing; empty if each changed something.

    Raises:
        DataError: the metrics cannot be read.
    """
    skipped = metric_series(read_metrics(metrics_file), "training/skipped_steps", stage=stage)
    num_skipped = sum(value > 0 for _, value in skipped)
    if not num_skipped:
        return ""
    return (
        f"{stage}: {num_skipped} of {len(skipped)} steps changed nothing: no answer was better "
        "than its group (training/skipped_steps)"
    )


def lost_steps_message(rows: Sequence[MetricRow], num_steps: int) -> str:
    """Return which of the steps taken have no metrics any more; empty if all have."""
    known = {row.step for row in rows}
    lost = [step for step in range(1, num_steps + 1) if step not in known]
    if not lost:
        return ""
    shown = ", ".join(map(str, lost[:_MAX_LISTED])) + (", ..." if len(lost) > _MAX_LISTED else "")
    return (
        f"metrics.jsonl lacks {len(lost)} of the {num_steps} steps that are in the checkpoint "
        f"(step {shown}): it was cut or deleted; training goes on, its figures stay lost"
    )
