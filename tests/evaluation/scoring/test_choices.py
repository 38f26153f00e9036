"""Letters: what each benchmark finds is in the golden vectors; here, what strict finds."""

import re

import pytest

from longloom.evaluation.scoring.choices import (
    extract_mmlu_pro,
    extract_stated_choice,
    score_gpqa,
    score_longbench_v2,
    score_mmlu_pro,
)


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("The correct answer is (A).", "A"),
        ("the correct answer is: (D)", "D"),
        ("Answer:\nC", "C"),
        ("**Answer:** (b)", "B"),
        ("answer: b", "B"),
        ("answer : $b$", "B"),
        ('{"answer": "C"}', "C"),
        ("so it is \\boxed{\\text{B}}", "B"),
        ("The answer is \\boxed{B}.", "B"),
        ("B", "B"),
        ("(C) because", "C"),
        ("Answer: A, no, wait. Answer: B", "B"),
        ("The correct answer is Apple", None),
        ("The answer is a matter of taste", None),
        ("I think it is none", None),
        ("The answer is A good idea", None),
        ("The answer is E", None),
        ("<think> the answer is B", None),
        ("no letter", None),
    ],
)
def test_stated_letter_is_found_in_every_common_form(reply, letter):
    assert extract_stated_choice(reply, "ABCD") == letter


def test_strict_takes_no_word_for_a_letter():
    for score, reply in (
        (score_longbench_v2, "The correct answer is Apple"),
        (score_mmlu_pro, "the answer is Apple"),
        (score_gpqa, "Answer: Apple"),
    ):
        assert (score(reply, ["A"]).parity, score(reply, ["A"]).strict) == (1, 0)


def test_strict_gpqa_takes_lower_case_and_brackets():
    for reply in ("answer: b", "Answer: (B)", "Answer:\nB"):
        assert (score_gpqa(reply, ["B"]).parity, score_gpqa(reply, ["B"]).strict) == (0, 1)


def test_reply_without_a_letter_is_compensated_or_guessed_in_a_part():
    assert score_longbench_v2("none", ["A"]).parts == {"compensated": 0.25}
    assert score_longbench_v2("The correct answer is (A)", ["A"]).parts == {"compensated": 1}
    assert score_mmlu_pro("none", ["A"], num_options=4).parts == {"guessed": 0.25}


def test_mmlu_pro_label_equals_the_original_expression():
    # The original form is quadratic, so it is only run on short texts here.
    original = re.compile(r".*[aA]nswer:\s*([A-J])")
    for text in (
        "Answer: A Answer: B\nAnswer: C",
        "answer: Answer: B",
        "x\nanswer:\n\nC then Answer: D",
        "Answer: K\nAnswer: B",
    ):
        assert extract_mmlu_pro(text) == original.search(text)[1]
