"""Executors: where the tasks of a step run.

    Executor.map(function, tasks) -> outcomes as they are done, each a value or a failure

A task is small and picklable (paths, settings); what it makes goes to a file it names. A task that
crashes its process, hangs or runs out of memory becomes a `Failure` and harms no other. The
paper's data pipeline runs on a cluster; this is the seam behind which that fits.

Read `protocol.py`, `processes.py`.
"""

from longloom.executor.inline import InlineExecutor
from longloom.executor.processes import ProcessExecutor
from longloom.executor.protocol import Beat, Executor, Failure, Outcome

__all__ = ["Beat", "Executor", "Failure", "InlineExecutor", "Outcome", "ProcessExecutor"]
