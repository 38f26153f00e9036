# What type checkers see: the verbs as if they were imported, which __init__.py does on first use.
from longloom.recipes.api import ReadModel as ReadModel
from longloom.recipes.api import compare as compare
from longloom.recipes.api import evaluate as evaluate
from longloom.recipes.api import import_examples as import_examples
from longloom.recipes.api import merge as merge
from longloom.recipes.api import plan as plan
from longloom.recipes.api import read as read
from longloom.recipes.api import read_all as read_all
from longloom.recipes.api import run as run
from longloom.recipes.api import serve as serve
from longloom.recipes.api import synthesize as synthesize
from longloom.recipes.api import synthesize_miniature as synthesize_miniature
from longloom.recipes.api import train as train
from longloom.recipes.api import write_report as write_report

__version__: str

__all__ = [
    "ReadModel",
    "__version__",
    "compare",
    "evaluate",
    "import_examples",
    "merge",
    "plan",
    "read",
    "read_all",
    "run",
    "serve",
    "synthesize",
    "synthesize_miniature",
    "train",
    "write_report",
]
