"""A run as one HTML file that people would rather look at than read.

    run folder -> RunContents -> tables, summary, charts, rollouts -> report.html

Every figure is computed from the files of the run folder; none is stored by the run. The file
needs no network: style, script, charts and rollouts are inside it. Texts of documents and models
are escaped by the template or embedded as JSON without `<`.

The main table has the shape of QwenLong-L1.5, Table 10.

Read `write.py`, `tables.py`, `rollout_pages.py`.
"""

from longloom.report.markdown import results_markdown
from longloom.report.rollout_records import ROLLOUT_SCHEMA, rollout_record
from longloom.report.write import write_report

__all__ = ["ROLLOUT_SCHEMA", "results_markdown", "rollout_record", "write_report"]
