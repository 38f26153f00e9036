"""Longloom: long-context post-training by the QwenLong-L1.5 recipe.

Documents are woven into verified questions, a model is trained on them with stabilised
reinforcement learning over growing contexts, a memory agent learns to read beyond the window,
the two are merged, and the result is evaluated exactly.

Start reading at `recipes/tiny_cpu.py` (a whole run as one typed config), then
`recipes/pipeline.py` (how the parts are joined) and `records/` (what flows between them).
The verbs of the command line are functions of this package, loaded on first use; `__init__.pyi`
tells type checkers about them.
"""

from importlib import import_module

__version__ = "0.1.0"

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


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # By name: no room below may seem to import the recipes through this package.
    verb: object = getattr(import_module("longloom.recipes.api"), name)
    return verb


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
