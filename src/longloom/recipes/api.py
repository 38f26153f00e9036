"""The Python interface: the verbs of the command line as functions.

    import longloom

    longloom.synthesize("docs", output="questions")
    trained = longloom.train("questions", output="training")
    found = longloom.evaluate("questions", model=trained.model).results

`import longloom` alone loads none of this; the functions are found on first use.
"""

from longloom.evaluation.comparing import Comparison
from longloom.merging import MergeReport
from longloom.recipes.graph.selection import Part
from longloom.recipes.planning.recipe_plan import RecipePlan
from longloom.recipes.run_listener import SilentListener
from longloom.recipes.verbs.compare import compare, comparison_notes
from longloom.recipes.verbs.evaluate import (
    EvaluationOutcome,
    evaluate,
    plan_evaluation,
)
from longloom.recipes.verbs.import_examples import import_examples
from longloom.recipes.verbs.merge import merge, merge_file
from longloom.recipes.verbs.miniature import MiniatureOutcome, synthesize_miniature
from longloom.recipes.verbs.plan import plan
from longloom.recipes.verbs.read import Reading, ReadModel, SectionNote, read, read_all
from longloom.recipes.verbs.report import export, report_markdown, write_report
from longloom.recipes.verbs.run import RunOutcome, run
from longloom.recipes.verbs.serve import ServedAddress, serve
from longloom.recipes.verbs.synthesize import synthesize, verify
from longloom.recipes.verbs.tiny_base import tiny_base
from longloom.recipes.verbs.train import TrainingOutcome, train
from longloom.recipes.verbs.train_plan import TrainingPlan, plan_training

__all__ = [
    "Comparison",
    "EvaluationOutcome",
    "MergeReport",
    "MiniatureOutcome",
    "Part",
    "ReadModel",
    "Reading",
    "RecipePlan",
    "RunOutcome",
    "SectionNote",
    "ServedAddress",
    "SilentListener",
    "TrainingOutcome",
    "TrainingPlan",
    "compare",
    "comparison_notes",
    "evaluate",
    "export",
    "import_examples",
    "merge",
    "merge_file",
    "plan",
    "plan_evaluation",
    "plan_training",
    "read",
    "read_all",
    "report_markdown",
    "run",
    "serve",
    "synthesize",
    "synthesize_miniature",
    "tiny_base",
    "train",
    "verify",
    "write_report",
]
