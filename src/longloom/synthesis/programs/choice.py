"""Multiple choice: the letter of the option that a program answers."""

from dataclasses import dataclass
from typing import ClassVar

from longloom.synthesis.programs.node import NOTHING, Execution, Program
from longloom.synthesis.programs.world import World

LETTERS = "ABCD"
"""The letters of the options, in order."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Answers the letter of the one option that equals the only answer of `program`."""

    KIND: ClassVar[str] = "choice"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"options"})

    program: Program
    """What is asked."""
    options: tuple[str, ...]
    """What may be chosen, as programs give it, in the order of the letters."""

    def execute(self, world: World) -> Execution:
        """Return the letter; nothing if no option, or more than one, is the answer."""
        inner = self.program.execute(world)
        fitting = [
            letter
            for letter, option in zip(LETTERS, self.options, strict=False)
            if option == inner.only_answer
        ]
        return Execution(frozenset(fitting), inner.evidence) if len(fitting) == 1 else NOTHING


NODES: tuple[type[Program], ...] = (Choice,)
"""The node classes of this module."""
