"""Synthesis: long documents become questions that programs answer.

    documents/ -> facts/ -> index -> generators/ -> contexts -> checks -> pipeline -> storage

Documents are rendered once to text; facts are statements with spans; a question is a program over
facts, worded by a template, asked about a context of gold and distractor pieces, and kept only if
execution on that very context gives its answer alone. No language model takes part.
Paper: QwenLong-L1.5, section 3; the five task types of section 4.2.

Read `pipeline.py`, `programs.py`, `checks.py`.
"""

from longloom.synthesis.config import SynthesisConfig, TaskWeights
from longloom.synthesis.documents import Corpus, read_corpus
from longloom.synthesis.split import split_of_title

__all__ = ["Corpus", "SynthesisConfig", "TaskWeights", "read_corpus", "split_of_title"]
