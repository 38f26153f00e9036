"""The memory agent: reads a document of any length section by section (QwenLong-L1.5, 2.3).

    question -> core, instructions           document -> sections that fit the window
        -> (memory, plan) rewritten after each section -> answer from the memory, with citations

The state is text and is overwritten at every step; the plan says what to look for next and is not
shown to the final answer. The same agent serves reinforcement learning, evaluation,
`longloom read` and the server. A journal lets it go on where it stopped. Trajectory-level
advantages for its training are in `longloom.training`.

Read `agent.py`, `reading.py` and `updates.py`.
"""

from longloom.memory.agent import MemoryAgent
from longloom.memory.config import MemoryConfig
from longloom.memory.journal import Journal, NoJournal, SpareableJournal, StepRecord
from longloom.memory.parsing import MemoryState, parse_update
from longloom.memory.query import Query, split_question

__all__ = [
    "Journal",
    "MemoryAgent",
    "MemoryConfig",
    "MemoryState",
    "NoJournal",
    "Query",
    "SpareableJournal",
    "StepRecord",
    "parse_update",
    "split_question",
]
