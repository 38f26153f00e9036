"""Multiple choice answers the letter of the right option and nothing else."""

from dataclasses import dataclass
from typing import ClassVar

from longloom.synthesis.programs.choice import NODES, Choice
from longloom.synthesis.programs.codec import from_json, shape_of, to_json
from longloom.synthesis.programs.node import Execution, Program
from longloom.synthesis.programs.world import World


@dataclass(frozen=True, slots=True)
class Says:
    """Answers what it was given."""

    KIND: ClassVar[str] = "says"
    CONSTANTS: ClassVar[frozenset[str]] = frozenset({"answers"})

    answers: tuple[str, ...]

    def execute(self, world: World) -> Execution:
        """Return the answers."""
        return Execution(frozenset(self.answers))


WORLD = World({})
OPTIONS = ("Ada", "Bea", "Cleo", "Dora")


def test_letter_of_the_right_option_is_the_answer() -> None:
    assert Choice(Says(("Cleo",)), OPTIONS).execute(WORLD).only_answer == "C"


def test_no_letter_without_a_right_option_or_with_several_answers() -> None:
    assert not Choice(Says(("Emma",)), OPTIONS).execute(WORLD).answers
    assert not Choice(Says(("Ada", "Bea")), OPTIONS).execute(WORLD).answers
    assert not Choice(Says(()), OPTIONS).execute(WORLD).answers
    assert not Choice(Says(("Ada",)), ("Ada", "Ada")).execute(WORLD).answers


def test_choice_survives_json_and_its_shape_leaves_the_options_out() -> None:
    choice = Choice(Says(("Ada",)), OPTIONS)
    classes: dict[str, type[Program]] = {node.KIND: node for node in (*NODES, Says)}
    assert from_json(to_json(choice), classes) == choice
    assert "Bea" not in shape_of(choice)
