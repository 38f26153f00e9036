"""Merge the memory expert with the full-context model (QwenLong-L1.5, section 4.1).

Flow: `merge.merge_models` compares the folders, `streaming` plans the output and reads one block
of one tensor at a time from all models, an algorithm (`sce`, the paper's, or `linear`,
`task_arithmetic`, `ties`, `dare`) merges it, and the merged folder takes its name when it is
whole. `merge_report.json` in it says what happened to every tensor.

Import `merge_models` from `longloom.merging.merge`; this package itself does not load torch.

Read `sce.py`, `merge.py`, `streaming.py`.
"""

from longloom.merging.config import MergeConfig
from longloom.merging.merge_report import MergeReport, UnitReport
from longloom.merging.mergekit_yaml import MergePlan, read_mergekit_yaml

__all__ = ["MergeConfig", "MergePlan", "MergeReport", "UnitReport", "read_mergekit_yaml"]
