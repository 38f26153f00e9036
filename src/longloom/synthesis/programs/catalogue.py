"""Which program nodes there are, by the name they have in JSON."""

from collections.abc import Mapping

from longloom.synthesis.programs import codec
from longloom.synthesis.programs.choice import NODES as CHOICE_NODES
from longloom.synthesis.programs.node import Program

_MODULES = (CHOICE_NODES,)

NODE_CLASSES: Mapping[str, type[Program]] = {
    node_class.KIND: node_class for nodes in _MODULES for node_class in nodes
}
"""Node classes by kind."""


def read_program(text: str) -> Program:
    """Return the program of a JSON text.

    Raises:
        DataError: it is none.
    """
    return codec.from_json(text, NODE_CLASSES)
