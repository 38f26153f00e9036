"""Published sets: other people's training files in verl's format, read as examples.

    Parquet or JSON Lines -> rows -> document | question, answer -> examples and contexts

Meant for DocQA-RL-1.6K, the set QwenLong-L1 was trained on (QwenLong-L1, section 3.1), and for
any verl file whose `data_source` is one of Longloom's task types, `longloom export` included.
Such examples have no program: nothing here can execute their answers again.

Read `data_sources.py`, `prompts.py`, `reading.py`.
"""

from longloom.synthesis.published.reading import PublishedSet, read_published
from longloom.synthesis.published.writing import import_published

__all__ = ["PublishedSet", "import_published", "read_published"]
