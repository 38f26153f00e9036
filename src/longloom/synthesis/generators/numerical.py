"""Numerical questions of a context: on filings and on tables, all shapes in turn.

Most need two documents or more; about a fourth come with options, of which the wrong ones are what
typical errors give.
"""

from collections.abc import Iterator
from random import Random

from longloom.synthesis.generators import numerical_filings, numerical_tables
from longloom.synthesis.generators.draft import Draft, Setting
from longloom.synthesis.generators.numerical_drafts import in_turns, numbers_shown


def generate(setting: Setting, rng: Random) -> Iterator[Draft]:
    """Yield drafts of every shape in turn."""
    shapes = {
        **{f"filings/{name}": shape for name, shape in numerical_filings.shapes(setting).items()},
        **{f"tables/{name}": shape for name, shape in numerical_tables.shapes(setting).items()},
    }
    if shapes:
        yield from in_turns(shapes, setting, numbers_shown(setting.documents.values()), rng)
