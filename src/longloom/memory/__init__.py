"""The memory agent: reads a document of any length section by section (QwenLong-L1.5, 2.3).

    document -> chunks -> (memory, plan) rewritten after each chunk -> answer from the memory

The state is text and is overwritten at every step; the plan says what to look for next and is not
shown to the final answer. The same agent serves reinforcement learning, evaluation and
`longloom read`. Trajectory-level advantages for its training are in `longloom.training`.

Read `agent.py`, `parsing.py`, and `longloom.text.chunking`.
"""

from longloom.memory.agent import MemoryAgent, MemoryConfig
from longloom.memory.parsing import MemoryState, parse_update

__all__ = ["MemoryAgent", "MemoryConfig", "MemoryState", "parse_update"]
