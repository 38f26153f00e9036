"""L-Eval's own rules, and what strict mode repairs of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longloom.evaluation.scoring.leval import (
    score_leval_letters,
    score_leval_text,
    score_leval_truth,
)


@pytest.mark.parametrize(
    ("text", "gold", "parity", "strict"),
    [
        ("B", "B", 1, 1),
        ("(B) A candle", "(B) A candle", 1, 1),
        ("The correct answer is B.", "B", 1, 1),
        ("the answer is (B).", "(B) with its text", 1, 1),
        # The first capital of A to D anywhere is the answer there.
        ("Because of the lamp, the answer is (C).", "B", 1, 0),
        ("A good question. The answer is (C).", "C", 0, 1),
        ("I do not know", "A", 1, 0),  # without any, A is taken
        ("The answer is D, not B.", "D", 1, 1),
        ("The answer is A or B.", "A", 1, 0),
        ("", "A", 0, 0),
    ],
)
def test_one_letter(text: str, gold: str, parity: int, strict: int) -> None:
    score = score_leval_letters(text, (gold,), are_several=False)
    assert (score.parity, score.strict) == (parity, strict)


@pytest.mark.parametrize(
    ("text", "gold", "parity", "strict"),
    [
        ("ABD", "ABD", 1, 1),
        ("DBA", "ABD", 1, 1),
        ("A, B and D", "ABD", 0, 1),  # D ends the text and is no option there
        ("A. B. D.", "ABD", 1, 1),
        ("Therefore, the correct answer is A, B and D.", "ABD", 0, 1),
        ("Therefore, the correct answers are (A) and (B).", "AB", 1, 1),
        ("Therefore, the correct answer is (B) A candle.", "B", 0, 1),
        ("Therefore, the correct answer is A.", "AB", 0, 0),
        ("nothing", "A", 1, 0),
    ],
)
def test_several_letters(text: str, gold: str, parity: int, strict: int) -> None:
    score = score_leval_letters(text, (gold,), are_several=True)
    assert (score.parity, score.strict) == (parity, strict)


@pytest.mark.parametrize(
    ("text", "parity", "strict"),
    [
        ("True", 1, 1),
        ("Therefore, the answer is True.", 1, 1),
        ("It is untrue, so the answer is False.", 1, 0),
        ("Not false: the answer is true", 0, 1),
        ("True or false", 1, 0),
        ("True [fact: False]", 1, 0),  # of two words neither is the stated one
        ("", 0, 0),
    ],
)
def test_truth(text: str, parity: int, strict: int) -> None:
    score = score_leval_truth(text, ("True",))
    assert (score.parity, score.strict) == (parity, strict)


def test_text_is_the_stated_answer_in_strict_mode() -> None:
    score = score_leval_text("Well, I think. Therefore, the answer is Reva.", ("Reva",))
    # One word of seven ("the" is none) is right: precision 1/7, recall 1, F1 1/4.
    assert score.parity == pytest.approx(1 / 4)
    assert score.strict == 1.0


@given(st.text())
def test_any_text_has_a_score(text: str) -> None:
    for score in (
        score_leval_letters(text, ("AB",), are_several=True),
        score_leval_letters(text, ("B",), are_several=False),
        score_leval_truth(text, ("False",)),
        score_leval_text(text, ("Reva",)),
    ):
        assert 0.0 <= score.parity <= 1.0
        assert 0.0 <= score.strict <= 1.0


@pytest.mark.parametrize("text", ["answer is " * 100_000, "A" * 1_000_000, "( " * 500_000])
def test_long_texts_are_scored(text: str) -> None:
    assert score_leval_letters(text, ("C",), are_several=True).strict == 0.0
    assert score_leval_truth(text, ("False",)).strict == 0.0
