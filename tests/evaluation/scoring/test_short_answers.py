"""SQuAD's measures, L1's pipeline, BFCL, RULER: where strict departs from parity, and why."""

import pytest

from longloom.evaluation.scoring import squad
from longloom.evaluation.scoring.bfcl import is_matchable, score_bfcl_memory
from longloom.evaluation.scoring.long_answer import score_answer
from longloom.evaluation.scoring.ruler import score_ruler_all, score_ruler_part
from longloom.evaluation.scoring.whole_words import contains_whole


def both(score):
    return score.parity, score.strict


def test_f1_counts_shared_words():
    # 2 shared of 3 predicted and 2 expected: P 2/3, R 1, F1 0.8.
    assert squad.answer_f1("new york city", "New York") == pytest.approx(0.8)


def test_bare_yes_against_a_sentence_with_yes_is_wrong_by_hotpotqas_rule_alone():
    assert squad.answer_f1("yes it is", "yes") == pytest.approx(0.5)
    assert squad.answer_f1("yes it is", "yes", bare_words_decide=True) == 0


def test_cover_exact_match_is_one_way_and_an_empty_gold_covers_nothing():
    assert squad.cover_exact_match("It is Paris, France.", "the Paris")
    assert not squad.cover_exact_match("Paris", "Paris, France")
    assert not squad.cover_exact_match("Paris", "the")


def test_strict_f1_takes_both_spellings_of_an_accent_as_one():
    assert squad.answer_f1("e\u0301tat", "\u00e9tat") == 0
    assert squad.strict_f1("e\u0301tat", "\u00e9tat") == 1


@pytest.mark.parametrize("empty", ["...", "The", "   "])
def test_strict_answer_that_says_nothing_is_wrong_though_l1_finds_it_in_every_gold(empty):
    assert both(score_answer(f"the answer is {empty}", ["Paris"])) == (1, 0)


def test_strict_answer_that_is_only_a_part_of_the_gold_is_wrong():
    assert both(score_answer("the answer is Bar", ["Barack Obama"])) == (1, 0)


def test_strict_answer_is_found_behind_a_capital_phrase():
    score = score_answer("The answer is: Paris.", ["Paris"])
    assert both(score) == (0, 1)
    assert (score.parity_extracted, score.extracted) == (None, "Paris")


def test_strict_answer_may_meet_any_gold_where_l1_looks_at_the_first_alone():
    assert both(score_answer("the answer is Rome", ["Paris", "Rome"])) == (0, 1)


def test_strict_number_is_not_a_part_of_a_longer_number():
    assert both(score_answer("the answer is 1234", ["23"])) == (1, 0)


def test_parts_of_an_answer_are_of_the_best_gold():
    score = score_answer("the answer is New York City", ["Rome", "New York"])
    assert score.parts == {
        "exact_match": 0,
        "cover_exact_match": 1,
        "f1": pytest.approx(0.8),
    }


def test_unfinished_thinking_has_no_strict_answer_though_l1_evaluates_it():
    assert both(score_answer("<think> the answer is Paris", ["Paris"])) == (1, 0)


@pytest.mark.parametrize(
    ("reply", "gold", "expected"),
    [
        ("April 1,2024", "April 1 2024", (0, 1)),
        ("3-5 items", "35", (1, 0)),
        ("It is C++.", "C++", (0, 1)),
        ("It costs $5.50.", "$5.50", (0, 1)),
        ("It costs $5.50.", "5", (0, 0)),
        ("anything", "", (1, 0)),
        ("It was 1,000 (one thousand).", "1000", (1, 1)),
        ("thirty-five", "thirty five", (0, 1)),
        ("135", "35", (0, 0)),
        ("michael's", "Michael", (1, 1)),
        ("the U.S. army", "US army", (1, 1)),
    ],
)
def test_strict_bfcl_keeps_words_apart_and_finds_symbols(reply, gold, expected):
    assert both(score_bfcl_memory(reply, [gold])) == expected


def test_golds_that_bfcl_can_never_find_alone_are_told():
    golds = ["C++", "$5.50", "", "...", "April 1, 2024", "35 (years)"]
    assert [is_matchable(gold) for gold in golds] == [False, False, False, False, True, True]


def test_strict_ruler_wants_whole_numbers():
    assert both(score_ruler_all("1234567 and 89", ["123456", "89"])) == (1, 0.5)
    assert both(score_ruler_part("1234567", ["123456"])) == (1, 0)


def test_control_characters_of_a_reply_are_line_breaks():
    assert both(score_ruler_part("a\x00b", ["a\nb"])) == (1, 1)


@pytest.mark.parametrize(
    ("text", "is_whole"),
    [
        ("123", True),
        ("1234", False),
        ("0123", False),
        ("x123", False),
        ("(123).", True),
        ("123.5", False),
        ("4.123", False),
        ("1,123", False),
        ("123,456", False),
        ("123, 456", True),
        ("7654321,123,8", True),
        ("1234 123", True),
        ("123_", True),
        ("", False),
    ],
)
def test_number_stands_whole(text, is_whole):
    assert contains_whole(text, "123") is is_whole


def test_no_gold_answers_make_nothing_right():
    for score in (score_answer("the answer is x", []), score_ruler_all("x", [])):
        assert both(score) == (0, 0)
