"""Common and frequent words (RULER's common_words_extraction.py, freq_words_extraction.py).

`cwe`: ten words occur 30 times each in a numbered list, all others three times. `fwe`: coded words
occur as often as a Zeta distribution with exponent 2 has it; the most frequent are dots.
"""

import math
import random
import string
from itertools import islice

from longloom.evaluation.benchmarks.ruler.sample import MakeSample, Sample, distinct
from longloom.evaluation.benchmarks.ruler.words import NUM_MADE_WORDS, distinct_words

NUM_COMMON = 10
LEAST_COMMON_SIZE = NUM_COMMON + 1
MOST_COMMON_SIZE = NUM_MADE_WORDS
LEAST_FREQUENT_SIZE = 100
"""At 100 the words occur 60, 15, 6, 3 and 2 times; below, the last two might be equal."""
_COMMON_TIMES, _OTHER_TIMES = 30, 3
_EXAMPLE_WORDS, _EXAMPLE_COMMON_TIMES, _EXAMPLE_OTHER_TIMES = 40, 10, 3
_ZETA_2 = math.pi**2 / 6
_DOTS = "...."
_CODE_LETTERS = 6
_NUM_FREQUENT = 3
_TOKENS_PER_CODE = 50


def make_common(size: int, dice: random.Random) -> Sample:
    """Make a sample with `size` different words."""
    words = distinct_words(dice, size)
    example = _listed(
        distinct_words(dice, _EXAMPLE_WORDS), _EXAMPLE_COMMON_TIMES, _EXAMPLE_OTHER_TIMES, dice
    )
    sample = _listed(words, _COMMON_TIMES, _OTHER_TIMES, dice)
    answers = " ".join(f"{place}. {word}" for place, word in enumerate(example.outputs, start=1))
    solved = f"{example.before}{example.context}{example.after} {answers}\n"
    return Sample(
        before=solved + sample.before,
        context=sample.context,
        question=sample.question,
        answer_prefix=sample.answer_prefix,
        outputs=sample.outputs,
    )


def frequent_maker(max_tokens: int) -> MakeSample:
    """Return what makes samples of `fwe` whose `size` is about the number of all words."""

    def make(size: int, dice: random.Random) -> Sample:
        code = distinct(lambda: "".join(dice.choices(string.ascii_lowercase, k=_CODE_LETTERS)), ())
        # Words of later ranks would occur less than once.
        num_codes = min(max_tokens // _TOKENS_PER_CODE, math.isqrt(int(size / _ZETA_2)))
        ranked = [_DOTS, *islice(code, num_codes)]
        listed = [
            word
            for rank, word in enumerate(ranked, start=1)
            for _ in range(int(size / (_ZETA_2 * rank**2)))
        ]
        dice.shuffle(listed)
        return Sample(
            before="Read the coded text below and count how often each coded word appears; find "
            "the three most frequent ones. ",
            context=" ".join(listed),
            question="Question: Do not provide any explanation. Please ignore the dots '....'. "
            "What are the three most frequently appeared words in the above coded text?",
            answer_prefix=" Answer: According to the coded text above, the three most frequently "
            "appeared words are:",
            outputs=tuple(ranked[1 : 1 + _NUM_FREQUENT]),
        )

    return make


def _listed(words: list[str], common_times: int, other_times: int, dice: random.Random) -> Sample:
    common, others = words[:NUM_COMMON], words[NUM_COMMON:]
    listed = common * common_times + others * other_times
    dice.shuffle(listed)
    return Sample(
        before="Below is a numbered list of words. Some of them appear more often than others: "
        "keep those in mind.\n",
        context=" ".join(f"{place}. {word}" for place, word in enumerate(listed, start=1)),
        question="Question: What are the 10 most common words in the above list?",
        answer_prefix=" Answer: The top 10 words that appear most often in the list are:",
        outputs=tuple(common),
    )
