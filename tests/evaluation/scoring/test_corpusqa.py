"""CorpusQA: what is decided without a judge, and what is left to one."""

import pytest

from longloom.evaluation.scoring.corpusqa import decide_corpusqa, extract_corpusqa, score_corpusqa


@pytest.mark.parametrize(
    ("prediction", "gold", "decision"),
    [
        ("12.345", "12.35", True),
        ("12.34%", "12.34", True),
        ("1,234.5", "1234.50", True),
        ("12.3", "12.4", False),
        ("-3", "3", False),
        ("0.1234", "12.34%", None),
        ("12.34 million", "12340000", None),
        ("['b', 'A']", '["a", "b"]', True),
        ("[a、b]", "[b, a]", True),
        ('["a, b", 2.0]', '["2", "a, b"]', True),
        ("[a]", "[a, b]", None),
        ("[]", "[]", True),
        ("[a]", "[]", False),
        ("[]", "[a]", False),
        ("none", "[]", None),
        ("", "[]", False),
        ("The Acme Corp.", "acme corp", True),
        ("Acme Corporation", "Acme Corp", None),
        ("2024-01", "2024-01", True),
        ("2024-01", "2024-02", None),
    ],
)
def test_answers_are_decided_or_left_to_the_judge(prediction, gold, decision):
    assert decide_corpusqa(prediction, gold) is decision


def test_answer_is_the_line_after_the_first_phrase_or_the_whole_reply():
    assert extract_corpusqa("x The answer is: [1]\nmore The answer is: 2") == "[1]"
    assert extract_corpusqa(" no phrase ") == "no phrase"


def test_official_score_waits_for_the_judge():
    score = score_corpusqa("The answer is: 12.30", ["12.3"])
    assert (score.parity, score.strict, score.parts["decided"]) == (0, 1, 1)
    undecided = score_corpusqa("The answer is: Acme Corporation", ["Acme"])
    assert (undecided.strict, undecided.parts["decided"]) == (0, 0)
    assert undecided.parts["cover_exact_match"] == 1


def test_empty_list_is_a_proper_answer():
    assert score_corpusqa("The answer is: []", ["[]"]).strict == 1
