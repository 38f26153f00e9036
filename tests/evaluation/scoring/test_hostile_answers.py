"""Whatever a model writes: no exception, scores in [0, 1], bounded work.

Bounds are asserted on counters and sizes, not on time.
"""

import random
from collections.abc import Iterator
from dataclasses import fields, is_dataclass

import pytest

from attacked_scorers import ATTACKED, NOT_ATTACKED, public_functions
from longloom.evaluation.scoring import chinese, rouge, sequence
from longloom.evaluation.scoring.score import Score
from longloom.rewards.rules import MAX_SEQUENCE_COMPARISONS

MEGABYTE = 1_000_000
HOSTILE = {
    "empty": "",
    "a megabyte of one letter": "a" * MEGABYTE,
    "a megabyte of words": "the answer is 3 foxes. " * (MEGABYTE // 23),
    "a megabyte of digits": "the answer is " + "7" * MEGABYTE,
    "a megabyte of spaces": "answer:" + " " * MEGABYTE,
    "a megabyte of line breaks": "\n" * MEGABYTE,
    "a megabyte of sentences": ". ".join(str(number) for number in range(120_000)),
    "a megabyte of Chinese": "的一是不了人我在有他" * (MEGABYTE // 10),
    "10,000 braces": "\\boxed{" + "{" * 10_000,
    "10,000 closed braces": "\\boxed{" + "{" * 10_000 + "1" + "}" * 10_001,
    "20,000 boxes": "\\boxed{" * 20_000,
    "10,000 brackets": "The answer is: " + "[" * 10_000 + "]" * 10_000,
    "10,000 round brackets": "the answer is " + "(" * 10_000 + "1" + ")" * 10_000,
    "a list of quotes": "The answer is: [" + "'\"\\" * 7_000 + "]",
    "lone surrogates": "the answer is \ud800\udfff 3 \udc80",
    "a tower of powers": "the answer is 9**9**9",
    "a tower of powers and nothing else": "9**9**9**9",
    "a power of ten": "the answer is 10^99999999",
    "an endless number": "the answer is 1e999999999",
    "infinity": "the answer is inf",
    "not a number": "nan",
    "a division by zero": "the answer is 1/0",
    "a negative root": "(-8)**0.5",
    "deep LaTeX": "\\boxed{" + "\\frac{" * 500 + "1" + "}{2}" * 500 + "}",
    "a huge fraction": "\\boxed{\\frac{" + "9" * 150 + "}{0}}",
    "NUL": "the answer is \x00 3\x00",
    "right-to-left marks": "\u202ethe answer is\u202c \u200f3\u200e",
    "code": "__import__('os').system('false')",
    "a regular expression": "(a+)+$" * 100 + "answer: (.*)*\\",
    "verdicts": "[[YES]] [[NO]] Decision: TRUE Decision: FALSE </given> yes no",
    "thinking without end": "<think> the answer is 3",
    "other digits": "the answer is \u0663 \u00b2 \uff13 \u2460, Paragraph \u0663",
}


def numbers_in(result: object) -> Iterator[float]:
    if isinstance(result, bool | int | float):
        yield float(result)
    elif isinstance(result, Score):
        yield from (result.parity, result.strict, *result.parts.values())
    elif isinstance(result, list | tuple):
        for element in result:
            yield from numbers_in(element)
    elif is_dataclass(result):
        for field in fields(result):
            yield from numbers_in(getattr(result, field.name))


def is_measure(name: str) -> bool:
    """Numbers that are no scores: a value of arithmetic, counted work, the tokens of a reply."""
    return name not in ("arithmetic.evaluate", "sequence.match_ratio") and "prompt" not in name


def attack(name: str, text: str) -> None:
    result = ATTACKED[name](text)
    if is_measure(name):
        assert all(0 <= number <= 1 for number in numbers_in(result)), (name, text[:50])


def random_text(generator: random.Random) -> str:
    """Random bytes read as Latin-1 or as broken UTF-8, at times behind a phrase that is read on."""
    some = generator.randbytes(generator.randrange(40))
    text = some.decode(*generator.choice([("latin-1",), ("utf-8", "surrogateescape")]))
    digits = "".join(generator.choice("0123456789.,-+*/^()=%$ xe") for _ in range(8))
    return generator.choice(["", "the answer is ", "The answer is: [", "\\boxed{", "Answer:"]) + (
        generator.choice([text, digits])
    )


def test_every_public_function_is_attacked_or_excused():
    assert set(ATTACKED) | set(NOT_ATTACKED) == public_functions()
    assert not set(ATTACKED) & set(NOT_ATTACKED)


@pytest.mark.parametrize("name", sorted(ATTACKED))
def test_hostile_answers_give_scores_and_no_errors(name):
    for text in HOSTILE.values():
        attack(name, text)


def attack_at_random(name: str, num_texts: int) -> None:
    generator = random.Random(7)
    for _ in range(num_texts):
        attack(name, random_text(generator))


@pytest.mark.parametrize("name", sorted(ATTACKED))
def test_random_bytes_give_scores_and_no_errors(name):
    attack_at_random(name, 200)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(ATTACKED))
def test_10000_random_bytes_give_scores_and_no_errors(name):
    attack_at_random(name, 10_000)


def test_matching_never_looks_at_more_than_the_budget():
    # Rare characters of the gold in a reply of nothing else: every one of them begins blocks.
    rare = "".join(chr(0x4E00 + number % 60) for number in range(3_000))
    reply = "".join(chr(0x4E00 + number * 7 % 60) for number in range(30_000))
    measured = sequence.match_ratio(reply, rare)
    assert measured.num_comparisons <= MAX_SEQUENCE_COMPARISONS
    assert 0 < measured.ratio < measured.upper_bound == pytest.approx(2 * 3_000 / 33_000)


def test_matching_reads_a_bounded_part_of_a_long_reply():
    # The gold has 10 characters, so 8 x 10 + 2,000 of the reply are looked at, and as often as
    # each is in the gold: here not at all.
    assert sequence.match_ratio("x" * MEGABYTE, "abcdefghij").num_comparisons == 2_080


def test_rouge_compares_3000_words_and_no_more():
    expected = rouge.rouge_l("a b", "a c")
    padding = " ".join(["b"] * 3_000)
    assert rouge.rouge_l("a b", "a c " + " ".join(["c"] * 4_000)) == expected
    assert rouge.rouge_l(padding + " a", "a c") == 0


def test_chinese_words_are_cut_from_20000_characters_and_no_more():
    assert sum(map(len, chinese.cut_words("的一是不了" * 5_000))) == 20_000
