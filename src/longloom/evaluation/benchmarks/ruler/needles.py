"""The eight tasks in which needles are looked for (RULER's niah.py).

A needle is "One of the special magic numbers for KEY is: VALUE."; keys are compounds of words or
UUIDs, values numbers of seven digits or UUIDs. Departures: keys and values that are asked for occur
once, in their needle alone; keys have three words, so that a haystack of a million needles need
not repeat one.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from longloom.evaluation.benchmarks.ruler.sample import (
    MakeSample,
    Prose,
    Sample,
    distinct,
    join_pieces,
    put_into,
)
from longloom.evaluation.benchmarks.ruler.words import NOISE, compound, identifier, number

NUM_DEPTHS = 40
"""Depths that needles in prose are drawn from: 0, 2.6, ... 100 percent."""

Draw = Callable[[random.Random], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedleTask:
    """What tells the tasks apart."""

    haystack: Literal["needles", "noise", "prose"]
    """What the needles are put into; `needles` are others of their kind."""
    num_keys: int = 1
    """Needles with a key of their own."""
    num_values: int = 1
    """Needles for each key."""
    num_asked: int = 1
    """Keys that are asked for."""
    keys: Draw = compound
    """Makes a key."""
    values: Draw = number
    """Makes a value."""
    kind: Literal["numbers", "uuids"] = "numbers"
    """What values are called."""

    @property
    def least_size(self) -> int:
        """Lines or sentences that a haystack must have."""
        return max(2, self.num_keys * self.num_values)


NEEDLE_TASKS: Mapping[str, NeedleTask] = {
    "niah_multikey_1": NeedleTask(haystack="prose", num_keys=4),
    "niah_multikey_2": NeedleTask(haystack="needles"),
    "niah_multikey_3": NeedleTask(
        haystack="needles", keys=identifier, values=identifier, kind="uuids"
    ),
    "niah_multiquery": NeedleTask(haystack="prose", num_keys=4, num_asked=4),
    "niah_multivalue": NeedleTask(haystack="prose", num_values=4),
    "niah_single_1": NeedleTask(haystack="noise"),
    "niah_single_2": NeedleTask(haystack="prose"),
    "niah_single_3": NeedleTask(haystack="prose", values=identifier, kind="uuids"),
}
"""By RULER's names."""


def needle_maker(task: NeedleTask, prose: Prose) -> MakeSample:
    """Return what makes samples of a task."""

    def make(size: int, dice: random.Random) -> Sample:
        keys = _drawn(task.keys, dice, task.num_keys, prose)
        values = _drawn(task.values, dice, task.num_keys * task.num_values, prose)
        pairs = [(keys[index // task.num_values], value) for index, value in enumerate(values)]
        dice.shuffle(pairs)
        needles = [_needle(task.kind, key, value) for key, value in pairs]
        lines, separator = _haystack(task, size, dice, prose, taken={*keys, *values})
        pieces, places = put_into(lines, needles, _places(task, len(lines), len(needles), dice))
        asked = dice.sample(keys, task.num_asked)
        marked = {place for place, (key, _) in zip(places, pairs, strict=True) if key in asked}
        context, evidence = join_pieces(pieces, separator, marked)
        outputs = [value for key in asked for one, value in sorted(pairs) if one == key]
        return _sample(task, asked, context, tuple(outputs), evidence)

    return make


def _needle(kind: str, key: str, value: str) -> str:
    return f"One of the special magic {kind} for {key} is: {value}."


def _drawn(draw: Draw, dice: random.Random, number_of: int, prose: Prose) -> list[str]:
    drawn = distinct(lambda: draw(dice), ())
    return list(islice((one for one in drawn if not prose.holds(one)), number_of))


def _haystack(
    task: NeedleTask, size: int, dice: random.Random, prose: Prose, *, taken: set[str]
) -> tuple[list[str], str]:
    if task.haystack == "noise":
        return [NOISE] * size, "\n"
    if task.haystack == "prose":
        return prose.take(size), " "
    keys = distinct(lambda: task.keys(dice), taken)
    values = distinct(lambda: task.values(dice), taken)
    return [_needle(task.kind, next(keys), next(values)) for _ in range(size)], "\n"


def _places(task: NeedleTask, num_lines: int, num_needles: int, dice: random.Random) -> list[int]:
    if task.haystack != "prose":
        return sorted(dice.sample(range(num_lines), num_needles))
    depths = dice.sample(range(NUM_DEPTHS), num_needles)
    return sorted(num_lines * depth // (NUM_DEPTHS - 1) for depth in depths)


def _sample(
    task: NeedleTask,
    asked: list[str],
    context: str,
    outputs: tuple[str, ...],
    evidence: tuple[tuple[int, int], ...],
) -> Sample:
    keys = f"{', '.join(asked[:-1])}, and {asked[-1]}" if len(asked) > 1 else asked[0]
    kind, verb = str(task.kind), "are"
    opening = f"Some special magic {kind} are hidden in the text below. Keep them in mind"
    question = f"What are all the special magic {kind} for {keys} mentioned in the provided text?"
    if len(outputs) == 1:
        kind, verb = task.kind.removesuffix("s"), "is"
        opening = f"A special magic {kind} is hidden in the text below. Keep it in mind"
        question = f"What is the special magic {kind} for {keys} mentioned in the provided text?"
    return Sample(
        before=f"{opening}: you are asked about the {kind} afterwards.\n",
        context=context,
        question=question,
        answer_prefix=f" The special magic {kind} for {keys} mentioned in the provided text {verb}",
        outputs=outputs,
        evidence=evidence,
    )
