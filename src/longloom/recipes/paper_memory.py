"""How the paper's memory agent reads, apart from the recipe: a server needs it, and no torch."""

from longloom.memory import MemoryConfig

PAPER_MEMORY = MemoryConfig(
    chunk_tokens=32_000, memory_tokens=15_000, num_repairs=0, overflow="cut"
)
"""QwenLong-L1.5, section 2.3: one call for each section and one for the answer."""
