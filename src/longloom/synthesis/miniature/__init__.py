"""Miniature: synthesis in prompts of a few hundred tokens, for the tiny CPU recipe.

    documents/ -> facts/ -> index -> generators/ -> contexts -> checks -> pipeline

Documents are rendered to short statements a model of a million weights can read; a question is a
program over them, worded by a template, asked about a context of gold and distractor pieces, and
kept only if execution on that very context gives its answer alone. The full-size room is
`longloom.synthesis`; both write the same files.
Paper: QwenLong-L1.5, section 3; the five task types of section 4.2.

Read `pipeline.py`, `programs.py`, `checks.py`.
"""

from longloom.synthesis.miniature.config import MiniatureConfig
from longloom.synthesis.miniature.documents import Corpus, corpus_digest, read_corpus
from longloom.synthesis.miniature.split import split_of_title
from longloom.synthesis.task_weights import TaskWeights

__all__ = [
    "Corpus",
    "MiniatureConfig",
    "TaskWeights",
    "corpus_digest",
    "read_corpus",
    "split_of_title",
]
