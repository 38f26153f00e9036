"""MRCR: difflib's ratio, exactly where it is affordable."""

import random
from difflib import SequenceMatcher

import pytest

from longloom.evaluation.scoring.sequence import grade_mrcr, match_ratio, score_mrcr


def test_ratio_equals_difflibs_with_its_junk_heuristic():
    generator = random.Random(2)
    words = ["rose", "red", "violet ", "blue, ", "owl", "Zebra", "\n"]
    num_junk = 0
    for size in (5, 20, 60, 120):
        for _ in range(15):
            gold = "".join(generator.choice(words) for _ in range(size))
            reply = "".join(generator.choice(words) for _ in range(size))
            expected = SequenceMatcher(None, reply, gold).ratio()
            measured = match_ratio(reply, gold)
            assert measured.ratio == measured.upper_bound == expected
            num_junk += expected != SequenceMatcher(None, reply, gold, autojunk=False).ratio()
    assert num_junk > 10


def test_texts_without_a_character_are_the_same():
    assert grade_mrcr("Pre", "Pre", "Pre") == SequenceMatcher(None, "", "").ratio() == 1


def test_strict_overlooks_space_before_the_prefix():
    score = score_mrcr("\n Pre a poem", ["Pre a poem"], prefix="Pre")
    assert (score.parity, score.strict) == (0, 1)
    assert score_mrcr("a poem", ["Pre a poem"], prefix="Pre").strict == 0


def test_long_reply_is_matched_by_its_beginning_and_bounded_above():
    gold = "abcdefghij"
    score = score_mrcr("P" + "x" * 3_000 + gold, ["P" + gold], prefix="P")
    assert score.parity == score.strict == 0
    assert score.parts["upper_bound"] == pytest.approx(20 / 3_020)
