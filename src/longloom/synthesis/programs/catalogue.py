"""Which program nodes there are, by the name they have in JSON."""

from collections.abc import Mapping

from longloom.synthesis.programs import (
    choice,
    codec,
    comparison,
    dates,
    dialogue,
    dialogue_recall,
    dialogue_state,
    finance,
    graph,
    graph_sets,
    mention_counts,
    mentions,
    numeric,
    numeric_aggregates,
    numeric_arithmetic,
    numeric_series,
    predicates,
    table_query,
    voted,
)
from longloom.synthesis.programs.node import Program

_MODULES = (
    choice,
    comparison,
    dates,
    dialogue,
    dialogue_recall,
    dialogue_state,
    finance,
    graph,
    graph_sets,
    mention_counts,
    mentions,
    numeric,
    numeric_aggregates,
    numeric_arithmetic,
    numeric_series,
    predicates,
    table_query,
    voted,
)


def _node_classes() -> dict[str, type[Program]]:
    classes: dict[str, type[Program]] = {}
    for module in _MODULES:
        for node_class in module.NODES:
            other = classes.setdefault(node_class.KIND, node_class)
            assert other is node_class, f"{node_class} and {other} are both {node_class.KIND!r}"
    return classes


NODE_CLASSES: Mapping[str, type[Program]] = _node_classes()
"""Node classes by kind."""


def read_program(text: str) -> Program:
    """Return the program of a JSON text.

    Raises:
        DataError: it is none.
    """
    return codec.from_json(text, NODE_CLASSES)
