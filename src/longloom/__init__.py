"""Longloom: long-context post-training by the QwenLong-L1.5 recipe.

Documents are woven into verified questions, a model is trained on them with stabilised
reinforcement learning over growing contexts, a memory agent learns to read beyond the window,
the two are merged, and the result is evaluated exactly.

Start reading at `recipes/tiny_cpu.py` (a whole run as one typed config), then
`recipes/pipeline.py` (how the parts are joined) and `records/` (what flows between them).
The verbs of the command line are functions of this package, loaded on first use.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from longloom.recipes.api import evaluate, merge, read, run, synthesize, train, write_report

__version__ = "0.1.0"

__all__ = [
    "__version__",
    "evaluate",
    "merge",
    "read",
    "run",
    "synthesize",
    "train",
    "write_report",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from longloom.recipes import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
