import sys

import pytest

from longloom.rewards.extraction import (
    extract_answer,
    extract_choice,
    last_boxed,
    sequence_candidates,
    visible_text,
)


def answered(text):
    return f"module dict builtins</think>\n\n{text}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Therefore, the answer is builtins", "builtins"),
        ("Therefore, the answer is **42**.", "42"),
        ("The answer is 42.", "42"),
        ("I think the answer is A. Therefore, the answer is B.", "B"),
        ("no phrase", None),
        ("the answer is (Paris).", "(Paris)"),
        ("the answer is\n\nx", "x"),
        ("the answer is: 7", "7"),
        ("therefore, the answer is  .", None),
        ("the answer is x\nthen more text", "x"),
        ("Therefore, the correct answer is B", "B"),
        ("answer is 5", "5"),
        ("the answer is 1. The correct answer is 2", "1. The correct answer is 2"),
        ("the correct answer is 2. Or the answer is 1", "1"),
        ('"Therefore, the answer is (insert answer here)".', None),
        ("Therefore, the answer is builtins<|im_end|>\n<|endoftext|>", "builtins"),
    ],
)
def test_answer_is_the_line_after_the_last_phrase(text, expected):
    assert extract_answer(answered(text)) == expected


def test_unfinished_thinking_has_no_answer():
    assert extract_answer("the answer is builtins") is None
    assert extract_choice("the correct answer is B \\boxed{B}") is None
    assert sequence_candidates("the answer is builtins") == ()
    assert visible_text("builtins") is None


def test_phrase_inside_the_thinking_does_not_count():
    assert extract_answer("the answer is x</think>no idea") is None


def test_text_after_the_last_end_of_thinking_counts():
    assert visible_text("a</think>x</think> y ") == "y"


def test_letters_whose_lower_case_is_longer_do_not_shift_the_answer():
    assert extract_answer(answered("\u0130\u0130\u0130 the answer is abc")) == "abc"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Therefore, the correct answer is B", "B"),
        ("The correct answer is (C).", "C"),
        ("the correct answer is ( D )", "D"),
        ("**The correct answer is (B)**", "B"),
        ("The correct answer is A. builtins", "A"),
        ("The correct answer is A", "A"),
        ("The correct answer is B because it is", "B"),
        ("The correct answer is A dog", None),
        ("The correct answer is Apple", None),
        ("The correct answer is I'm not sure", None),
        ("The correct answer is $\\boxed{C}$", "C"),
        ("So \\boxed{A} or rather \\boxed{\\text{D}}", "D"),
        ("The correct answer is unclear: \\boxed{B}", "B"),
        ("B", None),
    ],
)
def test_choice_is_a_letter_that_stands_alone(text, expected):
    assert extract_choice(answered(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\\boxed{A}", "A"),
        ("\\boxed{{A}}", "A"),
        ("\\boxed{A", None),
        ("boxed", None),
        ("\\boxed{" + "x" * 200 + "}", None),
    ],
)
def test_last_boxed_needs_its_closing_brace_nearby(text, expected):
    assert last_boxed(text) == expected


def test_verbatim_reply_may_hold_lines_and_phrases_of_its_own():
    text = answered("Therefore, the answer is first line.\nHere the answer is no.")
    assert sequence_candidates(text) == (
        "Therefore, the answer is first line.\nHere the answer is no.",
        "first line.\nHere the answer is no.",
    )


HOSTILE = {
    "answers": lambda n: answered("the answer is " * (n // 14)),
    "boxes": lambda n: answered("\\boxed{" * (n // 7)),
    "braces": lambda n: answered("the answer is \\boxed" + "{" * n),
    "end_marks": lambda n: answered("the answer is x" + "<|im_end|> " * (n // 11)),
    "letters": lambda n: answered("the correct answer is " + "(" * n),
    "near_phrases": lambda n: answered("the answer i" * (n // 12)),
    "one_line": lambda n: answered("the answer is " + "a" * n),
    "spaces": lambda n: answered("the answer is" + " " * n),
    "thinking": lambda n: "</think>" * (n // 8),
}


def executed_lines(function, text):
    """Count the Python lines that run; the string methods behind them are linear."""
    count = 0

    def trace(frame, event, argument):
        nonlocal count
        count += event == "line"
        return trace

    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        function(text)
    finally:
        sys.settrace(previous)
    return count


@pytest.mark.parametrize("function", [extract_answer, extract_choice, sequence_candidates])
@pytest.mark.parametrize("kind", sorted(HOSTILE.keys() - {"end_marks"}))
def test_work_does_not_grow_with_hostile_text(function, kind):
    assert executed_lines(function, HOSTILE[kind](1_000_000)) < 2_000


def test_work_on_repeated_end_marks_is_linear():
    small = executed_lines(extract_answer, HOSTILE["end_marks"](10_000))
    large = executed_lines(extract_answer, HOSTILE["end_marks"](20_000))
    assert large < 2.1 * small


def test_model_that_does_not_think_is_read_whole_if_that_is_allowed():
    text = "Well, the answer is 5."
    assert extract_answer(text) is None
    assert extract_answer(text, requires_thinking=False) == "5"
    assert extract_choice("The correct answer is B", requires_thinking=False) == "B"
    assert sequence_candidates("abc", requires_thinking=False) == ("abc",)


def test_thinking_that_was_begun_must_end_even_where_it_is_not_required():
    text = "<think>maybe the answer is 5"
    assert extract_answer(text, requires_thinking=False) is None
    assert sequence_candidates(text, requires_thinking=False) == ()
