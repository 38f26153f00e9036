"""Which generators there are."""

from collections.abc import Mapping

from longloom.synthesis.generators import dialogue_memory, literature, multi_hop, numerical
from longloom.synthesis.generators.draft import Generator

GENERATORS: Mapping[str, Generator] = {
    "dialogue_memory": dialogue_memory.generate,
    "literature": literature.generate,
    "multi_hop": multi_hop.generate,
    "numerical": numerical.generate,
}
"""Generators by name; each context is offered to all of them."""
