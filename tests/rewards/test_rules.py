import subprocess
import sys
from decimal import Decimal
from difflib import SequenceMatcher

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longloom.rewards import rules
from longloom.rewards.rules import (
    choice_match,
    cover_exact_match,
    normalize_answer,
    numeric_match,
    parse_number,
    sequence_ratio,
)


def test_rewards_do_not_load_torch():
    script = "import sys, longloom.rewards; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_normalisation_drops_case_punctuation_articles_and_spaces():
    assert normalize_answer("  The U.S.A.,  an Isle ") == "usa isle"


@pytest.mark.parametrize(
    ("prediction", "gold", "expected"),
    [
        ("Paris", "Paris", True),
        ("the Paris", "Paris", True),
        ("Paris, France", "Paris", True),
        ("Paris", "Paris, France", False),
        ("", "Paris", False),
        ("The", "Paris", False),
        ("...", "Paris", False),
        ("Paris", "", False),
        ("U.S.A.", "USA", True),
        ("1,234", "1234", True),
        ("état", "etat", False),
        ("_siftdown", "siftdown", True),
        ("OrderedDict", "dict", True),
        ("12", "2", False),
        ("2 of 3", "2", True),
        ("2012", "12", False),
        ("x", "X", True),
        ("xyz", "x", False),
        ("the", "the", True),
        ("The ", "the", True),
        ("the cat", "the", False),
    ],
)
def test_cover_exact_match_by_hand(prediction, gold, expected):
    assert cover_exact_match(prediction, gold) is expected


def test_whole_words_keep_a_longer_name_from_scoring():
    assert not cover_exact_match("OrderedDict", "dict", whole_words=True)
    assert cover_exact_match("the dict type", "dict", whole_words=True)


@given(gold=st.text(max_size=20), around=st.text(max_size=10))
def test_a_gold_answer_covers_itself_and_stays_covered(gold, around):
    if gold.strip():
        assert cover_exact_match(gold, gold)
    if len(normalize_answer(gold)) > 1:
        assert cover_exact_match(f"{around} {gold} {around}", gold)


@pytest.mark.parametrize(
    ("letter", "gold", "expected"),
    [("B", "B", True), ("B", "(b)", True), ("B", "C", False), (None, "B", False)],
)
def test_choice_match_by_hand(letter, gold, expected):
    assert choice_match(letter, gold) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7.54", "7.54"),
        ("1,234.50", "1234.50"),
        ("$1,234", "1234"),
        ("-5%", "-5"),
        ("\u22125", "-5"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1e3", "1000"),
        ("x = 3 = 6", "6"),
        ("\u22483.1", "3.1"),
        ("5 or 6", "5"),
        ("approximately 7.54 million dollars", "7.54"),
        ("12kg", "12"),
        ("(12)", "12"),
        ("\u066015", None),
        ("3 x 4", None),
        ("10^2", None),
        ("2**3", None),
        ("1/0", None),
        ("3-5", None),
        ("[1,2]", None),
        ("1,2345", None),
        ("2.5.1", None),
        ("v2", None),
        ("1e9999", None),
        ("9" * 300, None),
        ("abc", None),
        ("", None),
    ],
)
def test_number_is_parsed_only_when_there_is_one(text, expected):
    assert parse_number(text) == (None if expected is None else Decimal(expected))


@pytest.mark.parametrize(
    ("prediction", "gold", "expected"),
    [
        ("7.54", "7.54", True),
        ("7.55", "7.54", True),  # 0.01 <= 0.0015 * 7.54 = 0.0113
        ("7.56", "7.54", False),
        ("-7.54", "7.54", False),
        ("754", "7.54", True),  # percent
        ("0.0754", "7.54", True),
        ("7540", "7.54", True),  # thousand
        ("75.4", "7.54", False),
        ("7.54 million", "7,540,000", True),
        ("0.0004", "0.0009", True),  # both round up to 0.001
        ("0.001", "0.004", False),
        ("abc", "0", False),
        ("", "0", False),
        ("0.00", "0", True),
        ("Yes", "true", True),
        ("No.", "True", False),
        ("7.54", "yes", False),
        ("1e999", "1e999", True),
        ("1e999", "1", False),
    ],
)
def test_numeric_match_by_hand(prediction, gold, expected):
    assert numeric_match(prediction, gold) is expected


def test_gold_that_is_no_number_is_left_to_another_rule():
    assert numeric_match("builtins", "builtins") is None


def test_without_scales_a_number_must_be_itself():
    assert numeric_match("200", "2") is True
    assert numeric_match("200", "2", scales=()) is False


@given(number=st.decimals(-(10**9), 10**9, allow_nan=False, places=3))
def test_a_number_matches_itself_in_other_notations(number):
    assert numeric_match(f"about {number:,} units", str(number))


@given(text=st.text(max_size=60))
def test_any_text_is_compared_without_an_error(text):
    assert numeric_match(text, "5") in {True, False}


short_texts = st.text(alphabet="abc \n", max_size=40)


@given(prediction=short_texts, gold=short_texts)
def test_ratio_is_that_of_difflib_without_autojunk(prediction, gold):
    expected = SequenceMatcher(None, prediction, gold, autojunk=False).ratio()
    if not prediction or not gold:
        expected = 0.0
    assert sequence_ratio(prediction, gold) == pytest.approx(expected)


def test_ratio_by_hand():
    # "bcd" matches: 2 * 3 / (4 + 4).
    assert sequence_ratio("abcd", "bcde") == pytest.approx(0.75)
    assert sequence_ratio("", "x") == 0.0
    assert sequence_ratio("x", "") == 0.0


def test_one_wrong_character_in_a_very_long_reply_costs_little():
    gold = "ab" * 20_000
    wrong = gold[:20_000] + "x" + gold[20_001:]
    assert sequence_ratio(wrong, gold) == pytest.approx(1 - 1 / 40_000)


def test_padding_a_reply_never_pays():
    gold = "one two three"
    assert sequence_ratio(gold + " " + "one two three " * 10_000, gold) < 0.01


def test_ratio_stops_after_its_budget(monkeypatch):
    searches = 0

    class CountingMatcher(SequenceMatcher):
        def find_longest_match(self, *bounds):
            nonlocal searches
            searches += 1
            return super().find_longest_match(*bounds)

    monkeypatch.setattr(rules, "SequenceMatcher", CountingMatcher)
    monkeypatch.setattr(rules, "MAX_SEQUENCE_COMPARISONS", 19_102)
    # The first search costs 191 letters times (1 + 99 places), and 2 for the others.
    assert 0 < sequence_ratio("ab" + "a" * 100 + "c" + "a" * 90, "d" + "a" * 99 + "e") < 1
    assert searches == 1
