"""LongBench v1: the table of data sets, ROUGE and Chinese by hand, and what strict repairs."""

import builtins
import random

import pytest

from longloom.errors import DataError, MissingDependencyError
from longloom.evaluation.scoring import chinese
from longloom.evaluation.scoring.longbench_v1 import (
    MEASURE_BY_DATASET,
    qa_f1_zh,
    rouge_zh,
    score_longbench,
)
from longloom.evaluation.scoring.rouge import rouge_l


def both(score):
    return score.parity, score.strict


def f_measure(num_shared, num_predicted, num_expected):
    precision, recall = num_shared / num_predicted, num_shared / num_expected
    return 2 * precision * recall / (precision + recall + 1e-8)


def reference_rouge(prediction, gold):
    """The slow reference: full tables in plain Python, for every pair of sentences."""
    texts = [[" ".join(s.split()) for s in t.split(".") if s] for t in (prediction, gold)]
    predicted, expected = ([sentence.split(" ") for sentence in text] for text in texts)
    if not predicted or not expected:
        return 0.0
    shared = set()
    for rows in expected:
        for columns in predicted:
            table = [[0] * (len(columns) + 1) for _ in range(len(rows) + 1)]
            for i, row in enumerate(rows):
                for j, column in enumerate(columns):
                    longer = max(table[i][j + 1], table[i + 1][j])
                    table[i + 1][j + 1] = table[i][j] + 1 if row == column else longer
            i, j = len(rows), len(columns)
            while i and j:
                if rows[i - 1] == columns[j - 1]:
                    shared.add(rows[i - 1])
                    i, j = i - 1, j - 1
                elif table[i - 1][j] > table[i][j - 1]:
                    i -= 1
                else:
                    j -= 1
    sizes = [
        len({word for sentence in text for word in sentence}) for text in (predicted, expected)
    ]
    return f_measure(len(shared), *sizes)


def test_rouge_of_one_sentence_by_hand():
    # Different words: 5 (the cat sat on mat) and 5 (the cat is on mat); shared in order: 4.
    assert rouge_l("the cat sat on the mat", "the cat is on the mat") == f_measure(4, 5, 5)


def test_rouge_joins_what_several_sentences_share():
    # "a b" gives a b, "c d" gives c d: all 4 words of either text.
    assert rouge_l("a b. c d.", "a b c d") == f_measure(4, 4, 4)
    # In one sentence the order is wrong: "c d" or "a b" is shared, 2 words of 4.
    assert rouge_l("c d a b", "a b c d") == f_measure(2, 4, 4)


def test_rouge_counts_a_sentence_of_spaces_as_an_empty_word():
    assert rouge_l("a. .", "a") == f_measure(1, 2, 1)


@pytest.mark.parametrize("empty", ["", ".", "..."])
def test_rouge_of_nothing_is_zero(empty):
    assert rouge_l(empty, "a") == rouge_l("a", empty) == 0


def test_rouge_equals_the_slow_reference():
    generator = random.Random(3)
    for _ in range(150):
        texts = [
            "".join(generator.choice(["a ", "b ", "c ", "d ", ". ", ".", " "]) for _ in range(25))
            for _ in range(2)
        ]
        assert rouge_l(*texts) == reference_rouge(*texts)


def test_chinese_words_by_hand():
    # jieba cuts 今天天气 | 很 | 好 and 今天天气 | 不好: 1 shared of 3 and of 2.
    assert chinese.normalized_words("今天天气很好。") == ["今天天气", "很", "好"]
    # The official list of marks lacks the one that opens a title.
    assert chinese.normalized_words(" Abc,《不好》!") == ["abc", "《", "不好"]
    assert qa_f1_zh("今天天气很好。", "今天天气不好") == pytest.approx(
        2 * (1 / 3) * (1 / 2) / (5 / 6)
    )
    assert rouge_zh("今天天气很好", "今天天气不好") == f_measure(1, 3, 2)


def test_missing_jieba_names_the_pip_line(monkeypatch):
    original = builtins.__import__

    def refuse(name, *arguments, **keywords):
        if name == "jieba":
            raise ImportError("No module named 'jieba'")
        return original(name, *arguments, **keywords)

    chinese._tokenizer.cache_clear()
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingDependencyError, match=r"pip install 'longloom\[eval\]'"):
        qa_f1_zh("好", "好")


def test_every_data_set_gives_a_perfect_reply_the_full_score():
    golds = {"passage_count": "7", "passage_retrieval_en": "Paragraph 7"}
    golds["passage_retrieval_zh"] = "段落7"
    for dataset in MEASURE_BY_DATASET:
        gold = golds.get(dataset, "今天天气很好")
        score = score_longbench(dataset, gold, [gold], [gold, "其他"])
        assert both(score) == pytest.approx((1, 1), abs=1e-7), dataset


def test_first_line_counts_for_four_data_sets_alone():
    reply = "\nParis\nQuestion: and Italy? Rome"
    assert score_longbench("triviaqa", reply, ["Paris"]).parity == 1
    assert score_longbench("hotpotqa", reply, ["Paris"]).parity < 1


def test_the_best_gold_counts():
    assert both(score_longbench("qasper", "Rome", ["Paris", "Rome"])) == (1, 1)


def test_unknown_data_set_is_refused_with_the_known_ones():
    with pytest.raises(DataError, match=r"'hotpot' is not of LongBench; expected one of .*musique"):
        score_longbench("hotpot", "x", ["x"])


def test_strict_yes_in_a_sentence_is_no_bare_yes():
    parity, strict = both(score_longbench("hotpotqa", "yes it is", ["yes"]))
    assert parity == pytest.approx(0.5)
    assert strict == 0


def test_strict_class_inside_a_longer_class_is_not_named():
    classes = ["other", "city", "other city"]
    assert both(score_longbench("trec", "other city", ["city"], classes)) == (1 / 3, 0)
    assert both(score_longbench("trec", "other city", ["other city"], classes)) == (1 / 2, 1)


def test_strict_class_is_found_in_any_case_and_as_a_whole_word():
    assert both(score_longbench("trec", "City", ["city"], ["city"])) == (0, 1)
    assert both(score_longbench("trec", "capacity", ["city"], ["city"])) == (1, 0)


def test_strict_count_names_one_number_however_often():
    assert both(score_longbench("passage_count", "5 or 6", ["5"])) == (0.5, 0)
    assert both(score_longbench("passage_count", "05, so 5", ["5"])) == (0.5, 1)


def test_strict_paragraph_is_the_number_behind_the_word():
    reply = "Paragraph 3 (of 30)"
    assert both(score_longbench("passage_retrieval_en", reply, ["Paragraph 3"])) == (0.5, 1)
    assert both(score_longbench("passage_retrieval_en", "3 or 4", ["Paragraph 3"])) == (0.5, 0)


def test_strict_code_is_the_first_line_that_is_no_comment():
    assert both(score_longbench("lcc", "# c\n\nreturn y", ["return y"])) == (0, 1)
    assert both(score_longbench("lcc", 'x = "#"', ['x = "#"'])) == (0, 1)


def test_official_code_ratio_is_rounded_to_two_decimals():
    # 2 * 2 matched of 6 characters.
    assert score_longbench("lcc", "abc", ["abd"]).parity == 0.67
