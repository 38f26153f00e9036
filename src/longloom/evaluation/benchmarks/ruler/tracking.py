"""Variable tracking (RULER's variable_tracking.py): one chain of four assignments through noise.

    VAR ABCDE = 12345 ... VAR FGHIJ = VAR ABCDE ... : which variables have the value 12345?

A solved example with names of three letters stands ahead, as there.
"""

import random
import string
from itertools import islice

from longloom.evaluation.benchmarks.ruler.sample import Sample, distinct, join_pieces, put_into
from longloom.evaluation.benchmarks.ruler.words import NOISE

NUM_HOPS = 4
LEAST_SIZE = NUM_HOPS + 1
_EXAMPLE_LINES = 5
_EXAMPLE_VALUE = "12345"
_OPENING = "Follow the chain of variable assignments that is hidden in the text below.\n\n"


def make_tracking(size: int, dice: random.Random) -> Sample:
    """Make a sample with `size` lines of noise."""
    example = _chained(_EXAMPLE_LINES, dice, num_letters=3, value=_EXAMPLE_VALUE)
    value = _EXAMPLE_VALUE
    while value == _EXAMPLE_VALUE:
        value = str(dice.randint(10_000, 99_999))
    sample = _chained(size, dice, num_letters=5, value=value)
    solved = f"{example.before}{example.context}{example.after}{' '.join(example.outputs)}\n\n"
    return Sample(
        before=solved + sample.before,
        context=sample.context,
        question=sample.question,
        answer_prefix=sample.answer_prefix,
        outputs=sample.outputs,
        evidence=sample.evidence,
    )


def _chained(size: int, dice: random.Random, *, num_letters: int, value: str) -> Sample:
    drawn = distinct(lambda: "".join(dice.choices(string.ascii_uppercase, k=num_letters)), ())
    names = list(islice(drawn, NUM_HOPS + 1))
    chain = [f"VAR {names[0]} = {value}"]
    chain += [f"VAR {name} = VAR {names[hop]}" for hop, name in enumerate(names[1:])]
    places = sorted(dice.sample(range(size), len(chain)))
    pieces, found = put_into([NOISE] * size, chain, places)
    context, evidence = join_pieces(pieces, "\n", set(found))
    return Sample(
        before=_OPENING,
        context=context,
        question=f"Question: Find all variables that are assigned the value {value} in the text "
        "above.",
        answer_prefix=" Answer: According to the chain(s) of variable assignment in the text "
        f"above, {len(names)} variables are assigned the value {value}, they are: ",
        outputs=tuple(names),
        evidence=evidence,
    )
