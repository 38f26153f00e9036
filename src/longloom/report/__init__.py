"""A run, a set of questions or a merge as one HTML file that people would rather look at than read.

    run folder -> RunContents -> tables, summary, charts, rollouts -> report.html
    questions  -> SynthesisContents -> tables, charts, a sample    -> report.html
    merge      -> MergeContents -> charts by layer and kind        -> merge_report.html
    evaluation -> EvaluationContents -> tables, charts, answers    -> report.html, wrong_answers/

Every figure is computed from the files of the folder. A page needs no network: style, script,
charts and texts are inside it. Texts of documents and models are escaped by the template or
embedded as JSON without `<`.

The main table of a run has the shape of QwenLong-L1.5, Table 10.

Read `write.py`, `tables.py`, `rollout_pages.py`; for questions `write_synthesis.py`,
`synthesis_tables.py`; for evaluations `write_evaluation.py`, `wrong_pages.py`.
"""

from longloom.report.evaluation_contents import holds_evaluation
from longloom.report.evaluation_markdown import evaluation_markdown
from longloom.report.markdown import results_markdown
from longloom.report.rollout_records import ROLLOUT_SCHEMA, rollout_record
from longloom.report.synthesis_contents import holds_examples
from longloom.report.synthesis_markdown import synthesis_markdown
from longloom.report.write import write_report
from longloom.report.write_evaluation import write_evaluation_report
from longloom.report.write_merge import merge_table, write_merge_page
from longloom.report.write_synthesis import write_synthesis_report

__all__ = [
    "ROLLOUT_SCHEMA",
    "evaluation_markdown",
    "holds_evaluation",
    "holds_examples",
    "merge_table",
    "results_markdown",
    "rollout_record",
    "synthesis_markdown",
    "write_evaluation_report",
    "write_merge_page",
    "write_report",
    "write_synthesis_report",
]
