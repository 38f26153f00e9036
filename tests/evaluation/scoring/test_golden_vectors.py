"""Parity with the original scorers: what they gave for 188 inputs in 20 groups.

`golden_vectors.json` holds figures alone: inputs written for it, and the originals' outputs. One
row is the arguments and then the output. The originals give shares in percent for RULER.
"""

import json
from pathlib import Path

import pytest

from longloom.evaluation.scoring import (
    bfcl,
    choices,
    docmath,
    long_answer,
    longbench_v1,
    ruler,
    sequence,
    squad,
)

VECTORS = json.loads(Path(__file__).with_name("golden_vectors.json").read_text("utf-8"))


def l1_metrics(prediction, gold):
    """Assemble L1's row: rounded to two decimals, as its `calc_metrics` rounds."""
    predicted = squad.normalize_squad(prediction).split()
    expected = squad.normalize_squad(gold).split()
    f1 = squad.answer_f1(prediction, gold, bare_words_decide=True)
    shared = sum(min(predicted.count(word), expected.count(word)) for word in set(predicted))
    is_counted = f1 > 0
    return {
        "f1": round(f1, 2),
        "prec": round(shared / len(predicted), 2) if is_counted else 0.0,
        "recall": round(shared / len(expected), 2) if is_counted else 0.0,
        "em": float(squad.exact_match(prediction, gold)),
        "sub_em": float(long_answer.l1_match(prediction, gold)),
        "total_num": 1,
    }


def bfcl_valid(reply, golds):
    """The original takes the first of a list; our replies are always texts."""
    text = reply[0] if isinstance(reply, list) else reply
    return bool(bfcl.score_bfcl_memory(text, golds).parity)


SCORERS = {
    "bfcl_agentic": bfcl_valid,
    "docmath_l1_acc": docmath.l1_accuracy,
    "docmath_l1_extract": docmath.l1_number,
    "docmath_official_acc_cot": docmath.official_accuracy,
    "gpqa_simple_evals_extract": choices.extract_gpqa,
    "l1_extract_answer": long_answer.l1_answer,
    "l1_extract_solution": long_answer.l1_visible,
    "l1_metrics": l1_metrics,
    "lbv2_extract": choices.extract_longbench_v2,
    "longbench_classification": longbench_v1.classification,
    "longbench_code_sim": longbench_v1.code_similarity,
    "longbench_count": longbench_v1.count,
    "longbench_qa_f1": longbench_v1.qa_f1,
    "longbench_qa_f1_zh": longbench_v1.qa_f1_zh,
    "longbench_retrieval": longbench_v1.retrieval,
    "longbench_rouge_l_f": longbench_v1.rouge_l,
    "mmlu_pro_extract": choices.extract_mmlu_pro,
    "mrcr": lambda _, *arguments: sequence.grade_mrcr(*arguments),
    "ruler_all": lambda *row: round(100 * ruler.score_ruler_all(*row).parity, 2),
    "ruler_part": lambda *row: round(100 * ruler.score_ruler_part(*row).parity, 2),
}


@pytest.mark.parametrize("group", sorted(SCORERS))
def test_group_of_vectors_is_met_exactly(group):
    for *arguments, expected in VECTORS[group]:
        assert SCORERS[group](*arguments) == expected, arguments


def test_all_188_vectors_of_20_groups_are_checked():
    assert set(SCORERS) == set(VECTORS)
    assert len(SCORERS) == 20
    assert sum(len(VECTORS[group]) for group in SCORERS) == 188
