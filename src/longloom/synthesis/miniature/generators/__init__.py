"""One file per task type; each turns facts into drafts of questions.

    View (what a split may show) -> drafts -> Draft (program, question, required pieces)

A draft has no context yet; `pipeline.py` assembles one, executes the program on it and accepts or
refuses. A new task type is one file here and one line in `GENERATORS`.
Paper: QwenLong-L1.5, sections 3 and 4.2 (the five task types).

Read `drafts.py`, `multi_hop.py`, `dialogue_memory.py`.
"""

from collections.abc import Mapping

from longloom.records import TaskType
from longloom.synthesis.miniature.generators import (
    dialogue_memory,
    multi_hop,
    multiple_choice,
    numerical,
    reading_comprehension,
)
from longloom.synthesis.miniature.generators.drafts import Draft, Generator

GENERATORS: Mapping[TaskType, Generator] = {
    TaskType.DIALOGUE_MEMORY: dialogue_memory.draft_questions,
    TaskType.MULTI_HOP: multi_hop.draft_questions,
    TaskType.MULTIPLE_CHOICE: multiple_choice.draft_questions,
    TaskType.NUMERICAL: numerical.draft_questions,
    TaskType.READING_COMPREHENSION: reading_comprehension.draft_questions,
}

__all__ = ["GENERATORS", "Draft", "Generator"]
