"""Which generators there are."""

from collections.abc import Mapping

from longloom.synthesis.generators.draft import Generator

GENERATORS: Mapping[str, Generator] = {}
"""Generators by name; each context is offered to all of them."""
