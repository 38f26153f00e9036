"""Answers written to be expensive or to trick the score: the work they cause is bounded.

Work is counted, not timed: the lines of Python that run, the text that regular expressions see,
and the pairs of characters that are compared. Single passes of str methods are not counted.
"""

import re
import sys
from decimal import Decimal
from difflib import SequenceMatcher
from types import FrameType

import pytest

from longloom.records import Example, RewardRule
from longloom.rewards import extraction, rule_reward, rules, sequence_ratio
from longloom.rewards.rules import (
    MAX_SEQUENCE_COMPARISONS,
    cover_exact_match,
    match_characters,
    numeric_match,
    parse_number,
)
from questions import make_example

MEGABYTE = 1_000_000
THOUGHT = "thinking</think>\n"
STATED = f"{THOUGHT}Therefore, the answer is "

HOSTILE = {
    "braces": STATED + "{" * MEGABYTE,
    "closing braces": STATED + "}" * MEGABYTE,
    "open boxes": THOUGHT + "\\boxed{" * (MEGABYTE // 7),
    "nested latex": STATED + "\\text{" * 100_000 + "5" + "}" * 100_000,
    "nested fractions": STATED + "\\frac{" * 100_000 + "1" + "}{2}" * 100_000,
    "power tower": STATED + "9**9**9**9",
    "call": STATED + "__import__('os').system('true')",
    "digits": STATED + "9" * MEGABYTE,
    "digits with commas": STATED + "9,999" * (MEGABYTE // 5),
    "exponent": STATED + "1e999999999",
    "exponent digits": STATED + "1e" + "9" * MEGABYTE,
    "many numbers": STATED + "1 " * (MEGABYTE // 2),
    "signs": STATED + "-+" * (MEGABYTE // 2),
    "points": STATED + "1." * (MEGABYTE // 2),
    "phrases": THOUGHT + "the answer is " * (MEGABYTE // 14),
    "phrases without spaces": THOUGHT + "the answer is" * (MEGABYTE // 13),
    "thoughts": "</think>" * (MEGABYTE // 8),
    "open thoughts": "<think>" * (MEGABYTE // 7) + "the answer is 5",
    "end marks": STATED + "5" + "<|im_end|>" * (MEGABYTE // 10),
    "white space": STATED + " " * MEGABYTE + "5",
    "lines": STATED + "\n" * MEGABYTE + "5",
    "articles": STATED + "the " * (MEGABYTE // 4),
    "almost articles": STATED + "a" * MEGABYTE + "n",
    "letters in brackets": STATED + "( A" * (MEGABYTE // 3),
    "combining marks": STATED + "e" + "\u0301\u0327" * (MEGABYTE // 2),
    "confusables": STATED + "\u0430\u0501\u0435" * (MEGABYTE // 3),
    "bidirectional": STATED + "\u202e\u2066" * (MEGABYTE // 2),
    "growing in lower case": STATED + "\u0130" * MEGABYTE,
    "surrogates": STATED + "\ud800" * MEGABYTE,
    "nulls": STATED + "\x00" * MEGABYTE,
}


def example(rule: RewardRule, answer: str) -> Example:
    return make_example(answer=answer, reward_rule=rule)


EXAMPLES = (
    example(RewardRule.COVER_EXACT_MATCH, "builtins"),
    example(RewardRule.CHOICE, "D"),
    example(RewardRule.NUMERIC, "7"),
)


def lines_run(function, *arguments) -> int:
    """Return how many lines of Python run in a call, whatever module they stand in."""
    num_lines = 0

    def trace(frame: FrameType, event: str, argument: object):
        nonlocal num_lines
        num_lines += event == "line"
        return trace

    earlier = sys.gettrace()
    sys.settrace(trace)
    try:
        function(*arguments)
    finally:
        sys.settrace(earlier)
    return num_lines


class WatchedPattern:
    """A regular expression that remembers the longest text it was given."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self._pattern = pattern
        self.longest = 0

    def __getattr__(self, name):
        method = getattr(self._pattern, name)

        def watched(*arguments):
            self.longest = max(self.longest, len(arguments[-1]))
            return method(*arguments)

        return watched


@pytest.fixture
def patterns(monkeypatch) -> list[WatchedPattern]:
    """Watch every regular expression of the two modules that read answers."""
    watched = []
    for module in (extraction, rules):
        for name, pattern in list(vars(module).items()):
            if isinstance(pattern, re.Pattern):
                watched.append(WatchedPattern(pattern))
                monkeypatch.setattr(module, name, watched[-1])
    assert len(watched) >= 5
    return watched


@pytest.mark.parametrize("asked", EXAMPLES, ids=lambda asked: asked.reward_rule.value)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_answer_costs_bounded_work_and_earns_nothing(asked, name, patterns) -> None:
    assert rule_reward(asked, HOSTILE[name]).value == 0
    assert lines_run(rule_reward, asked, HOSTILE[name]) < 10_000
    # An answer has 1,000 characters; lower case may double it, NFC at most triple it.
    assert max(pattern.longest for pattern in patterns) <= 6_000


def test_right_answer_behind_much_white_space_or_many_marks_is_one_answer_like_others() -> None:
    five = example(RewardRule.NUMERIC, "5")
    assert rule_reward(five, f"{STATED}5{'<|im_end|>' * 3}\n").value == 1
    assert rule_reward(five, f"{STATED}{'{' * 10}5{'}' * 10}").value == 1


@pytest.mark.parametrize(
    "text", ["9**9**9", "9^9^9", "10^1000000", "9" * 201, "1e9999", "7" + "0" * MEGABYTE]
)
def test_enormous_numbers_are_never_computed(text) -> None:
    number = parse_number(text)
    assert number is None or abs(number.adjusted()) < 1_000
    assert not numeric_match(text, "7")


def test_longest_exponent_that_is_read_is_compared_without_being_written_out() -> None:
    assert parse_number("1e999") == Decimal("1e999")
    assert lines_run(numeric_match, "1e999", "7") < 10_000
    assert numeric_match("1e999", "1e999")
    assert not numeric_match("1e-999", "7")


def test_letters_that_look_alike_are_other_letters() -> None:
    assert not cover_exact_match("b\u0443iltins", "builtins")  # a Cyrillic u
    assert not cover_exact_match("bui\u200bltins", "builtins")  # an invisible space
    assert not numeric_match("\uff17", "7")  # a full-width 7


def test_composed_and_combining_spellings_are_the_same_answer() -> None:
    assert cover_exact_match("Caf\u00e9", "cafe\u0301")
    assert not cover_exact_match("cafe", "caf\u00e9")


GOLD = "the quick brown fox jumps over the lazy dog. " * 2_200
PAIRS = {
    "one letter": ("a" * MEGABYTE, "a" * (MEGABYTE - 1) + "b"),
    "one letter against text": ("e" * MEGABYTE, GOLD),
    "spaces": (" x" * (MEGABYTE // 2), GOLD),
    "two letters in turn": ("ab" * (MEGABYTE // 2), "ba" * (MEGABYTE // 2)),
    "the most frequent letters": (" eoeo rhe" * 110_000, GOLD),
    "shifted": ("x" + GOLD * 10, GOLD * 10 + "y"),
    "reversed": (GOLD[::-1] * 10, GOLD),
    "nothing in common": ("#" * MEGABYTE, GOLD),
}


LONGEST = {"one letter against text", "spaces", "the most frequent letters"}
"""Pairs that take seconds each: one of them is enough every time."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name in LONGEST - {"spaces"} else [])
        for name in PAIRS
    ],
)
def test_verbatim_replies_of_a_megabyte_are_compared_within_the_budget(name, monkeypatch) -> None:
    looked_at = 0
    search = SequenceMatcher.find_longest_match

    def counted(self, low, high, gold_low, gold_high):
        nonlocal looked_at
        # The loop of difflib: every character, and all its places in the gold text.
        places = (len(self.b2j.get(character, ())) for character in self.a[low:high])
        looked_at += sum(1 + num_places for num_places in places)
        return search(self, low, high, gold_low, gold_high)

    monkeypatch.setattr(SequenceMatcher, "find_longest_match", counted)
    assert 0 <= sequence_ratio(*PAIRS[name]) <= 1
    assert looked_at <= MAX_SEQUENCE_COMPARISONS


def test_counted_comparisons_never_exceed_the_budget() -> None:
    counted = match_characters("ab" * 2_000, "ba" * 2_000)
    assert counted.num_comparisons <= MAX_SEQUENCE_COMPARISONS
    assert counted.num_matched >= 3_998  # found by the first search; the rest is left out


def test_budget_takes_nothing_from_ordinary_replies() -> None:
    reply = "We ship on Tuesday, or on Wednesday if the weather is bad. " * 20
    gold = "We ship on Monday, or on Thursday if the weather is good. " * 20
    whole = SequenceMatcher(None, reply, gold, autojunk=False).ratio()
    assert sequence_ratio(reply, gold) == whole
