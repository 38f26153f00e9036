"""The paper's own figures and directions, to set beside ours.

QwenLong-L1.5, Tables 2, 4 and 5: Qwen3-4B-Thinking-2507, 40 steps, mean over six benchmarks.
QwenLong-L1's ablations are bars without numbers; its text says that each part helps.
"""

from collections.abc import Mapping

PAPER_SCORES: Mapping[str, float] = {
    "base": 52.79,
    "grpo": 56.07,
    "tbs": 56.86,
    "tbs-batch-std": 57.45,
    "tbs-task-std": 58.62,
    "clip-low-tokens": 55.56,
    "clip-high-tokens": 57.02,
    "clip-low-sequences": 55.47,
    "clip-high-sequences": 57.36,
    "aepo": 59.36,
}
"""Average score in percent. For clipped low-entropy sequences that of step 40; 56.66 at step 30."""

PAPER_DIRECTIONS: tuple[tuple[str, str, str], ...] = (
    ("grpo", "base", "Reinforcement learning helps."),
    ("tbs", "grpo", "Task-balanced sampling helps."),
    ("tbs-batch-std", "tbs", "Batch std helps beyond task-balanced sampling."),
    ("tbs-task-std", "tbs", "Task std helps beyond task-balanced sampling."),
    ("tbs-task-std", "tbs-batch-std", "Task std is better than batch std."),
    ("grpo", "clip-low-tokens", "Clipping low-entropy tokens hurts."),
    ("clip-high-tokens", "grpo", "Clipping high-entropy tokens helps."),
    ("clip-high-tokens", "clip-low-tokens", "High-entropy tokens are those to clip."),
    ("grpo", "clip-low-sequences", "Clipping low-entropy sequences hurts in the end."),
    ("clip-high-sequences", "grpo", "Clipping high-entropy sequences helps."),
    ("clip-high-sequences", "clip-low-sequences", "High-entropy sequences are those to clip."),
    ("aepo", "grpo", "AEPO helps."),
    ("aepo", "clip-high-sequences", "AEPO is better than static clipping."),
    ("l1-full", "l1-no-sft", "The warm-up helps (QwenLong-L1)."),
    ("l1-full", "l1-one-phase", "Two phases by length help (QwenLong-L1)."),
    ("l1-full", "l1-no-retrospective", "Retrospective sampling helps (QwenLong-L1)."),
    ("l1-full", "l1-rule-only", "Rule and judge are better than the rule alone (QwenLong-L1)."),
)
"""Better arm, other arm, and the paper's statement."""
