"""Which generators there are."""

from collections.abc import Mapping

from longloom.synthesis.generators import (
    dialogue_memory,
    finance,
    literature,
    multi_hop,
    multiple_choice,
    numerical,
    reading_comprehension,
)
from longloom.synthesis.generators.draft import Generator

GENERATORS: Mapping[str, Generator] = {
    "dialogue_memory": dialogue_memory.generate,
    "finance": finance.generate,
    "literature": literature.generate,
    "multi_hop": multi_hop.generate,
    "multiple_choice": multiple_choice.generate,
    "numerical": numerical.generate,
    "reading_comprehension": reading_comprehension.generate,
}
"""Generators by name; each context is offered to all of them."""
