"""Every public function of the scorers, as it is called with a text that a model wrote.

One table for all attacks. `test_hostile_answers.py` asserts that it is complete: a function that is
neither here nor in `NOT_ATTACKED` fails the test.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from types import ModuleType

from longloom.evaluation import scoring
from longloom.evaluation.scoring import (
    arithmetic,
    bfcl,
    chinese,
    choices,
    corpusqa,
    docmath,
    judging,
    leval,
    long_answer,
    longbench_v1,
    mathematics,
    rouge,
    ruler,
    sequence,
    squad,
    tatqa,
    whole_words,
)

GOLD = "The 3 quick brown foxes, 1999"
POEM = "Q7xprefix" + "Roses are red, and violets are blue; 12 owls sing to you.\n" * 5
CLASSES = ("fox", "brown fox", "number", "other number")

ATTACKED: dict[str, Callable[[str], object]] = {
    "arithmetic.evaluate": arithmetic.evaluate,
    "bfcl.score_bfcl_memory": lambda text: bfcl.score_bfcl_memory(text, [GOLD, "C++", ""]),
    "bfcl.standardized": bfcl.standardized,
    "chinese.cut_words": chinese.cut_words,
    "chinese.normalized_words": chinese.normalized_words,
    "choices.extract_gpqa": choices.extract_gpqa,
    "choices.extract_longbench_v2": choices.extract_longbench_v2,
    "choices.extract_mmlu_pro": choices.extract_mmlu_pro,
    "choices.extract_stated_choice": lambda text: choices.extract_stated_choice(text, "ABCD"),
    "choices.score_gpqa": lambda text: choices.score_gpqa(text, ["B"]),
    "choices.score_longbench_v2": lambda text: choices.score_longbench_v2(text, ["B"]),
    "choices.score_mmlu_pro": lambda text: choices.score_mmlu_pro(text, ["B"], num_options=7),
    "corpusqa.decide_corpusqa": lambda text: [
        corpusqa.decide_corpusqa(text, gold) for gold in (GOLD, "[]", '["a", 1.5]', "12.34%")
    ],
    "corpusqa.extract_corpusqa": corpusqa.extract_corpusqa,
    "corpusqa.score_corpusqa": lambda text: corpusqa.score_corpusqa(text, ["[1, 2]", GOLD]),
    "docmath.l1_accuracy": lambda text: docmath.l1_accuracy(text, "7.5"),
    "docmath.l1_number": docmath.l1_number,
    "docmath.official_accuracy": lambda text: docmath.official_accuracy(text, 7.5),
    "docmath.score_docmath": lambda text: docmath.score_docmath(text, ["7.5", "yes", "0"]),
    "judging.frames_prompt": lambda text: judging.frames_prompt("Who?", text, GOLD),
    "judging.longmemeval_prompt": lambda text: [
        judging.longmemeval_prompt(kind, "Who?", text, GOLD) for kind in judging.LongMemEvalKind
    ],
    "judging.qwenlong_prompt": lambda text: judging.qwenlong_prompt("Who?", text, GOLD),
    "judging.read_corpusqa": judging.read_corpusqa,
    "judging.read_frames": judging.read_frames,
    "judging.read_longmemeval": judging.read_longmemeval,
    "judging.read_qwenlong": judging.read_qwenlong,
    "leval.score_leval_letters": lambda text: [
        leval.score_leval_letters(text, ["ABD"], are_several=are_several)
        for are_several in (False, True)
    ],
    "leval.score_leval_text": lambda text: leval.score_leval_text(text, [GOLD, ""]),
    "leval.score_leval_truth": lambda text: leval.score_leval_truth(text, ["True"]),
    "long_answer.l1_answer": long_answer.l1_answer,
    "long_answer.l1_evaluated_answer": long_answer.l1_evaluated_answer,
    "long_answer.l1_match": lambda text: long_answer.l1_match(text, GOLD),
    "long_answer.l1_visible": long_answer.l1_visible,
    "long_answer.score_answer": lambda text: long_answer.score_answer(text, [GOLD, ""]),
    "longbench_v1.classification": lambda text: longbench_v1.classification(text, "fox", CLASSES),
    "longbench_v1.code_similarity": lambda text: longbench_v1.code_similarity(text, POEM),
    "longbench_v1.count": lambda text: longbench_v1.count(text, "3"),
    "longbench_v1.qa_f1": lambda text: longbench_v1.qa_f1(text, GOLD),
    "longbench_v1.qa_f1_zh": lambda text: longbench_v1.qa_f1_zh(text, "今天天气不好"),
    "longbench_v1.retrieval": lambda text: longbench_v1.retrieval(text, "Paragraph 3"),
    "longbench_v1.rouge_zh": lambda text: longbench_v1.rouge_zh(text, "今天天气不好。明天也是。"),
    "longbench_v1.score_longbench": lambda text: [
        longbench_v1.score_longbench(dataset, text, [GOLD, "Paragraph 3"], CLASSES)
        for dataset in ("hotpotqa", "gov_report", "lcc", "trec", "passage_count")
    ],
    "longbench_v1.strict_classification": lambda text: longbench_v1.strict_classification(
        text, "fox", CLASSES
    ),
    "longbench_v1.strict_code_similarity": lambda text: longbench_v1.strict_code_similarity(
        text, POEM
    ),
    "longbench_v1.strict_count": lambda text: longbench_v1.strict_count(text, "3"),
    "longbench_v1.strict_retrieval": lambda text: longbench_v1.strict_retrieval(
        text, "Paragraph 3"
    ),
    "mathematics.compare_exactly": lambda text: mathematics.compare_exactly(text, "204"),
    "mathematics.extract_final_answer": mathematics.extract_final_answer,
    "mathematics.is_comparable": mathematics.is_comparable,
    "mathematics.score_mathematics": lambda text: mathematics.score_mathematics(text, ["204"]),
    "rouge.rouge_l": lambda text: rouge.rouge_l(text, POEM),
    "ruler.score_ruler_all": lambda text: ruler.score_ruler_all(text, [GOLD, "1999", ""]),
    "ruler.score_ruler_part": lambda text: ruler.score_ruler_part(text, [GOLD, "1999"]),
    "sequence.grade_mrcr": lambda text: sequence.grade_mrcr("Q7xprefix" + text, POEM, "Q7xprefix"),
    "sequence.match_ratio": lambda text: sequence.match_ratio(text, POEM),
    "sequence.score_mrcr": lambda text: sequence.score_mrcr(
        " Q7xprefix" + text, [POEM, "Q7xprefix short"], prefix="Q7xprefix"
    ),
    "squad.answer_f1": lambda text: squad.answer_f1(text, GOLD, bare_words_decide=True),
    "squad.cover_exact_match": lambda text: squad.cover_exact_match(text, GOLD),
    "squad.exact_match": lambda text: squad.exact_match(text, GOLD),
    "squad.normalize_squad": squad.normalize_squad,
    "squad.strict_f1": lambda text: squad.strict_f1(text, GOLD),
    "squad.token_f1": lambda text: squad.token_f1(text.split(), GOLD.split()),
    "tatqa.score_tatqa": lambda text: [
        tatqa.score_tatqa(text, ["7.5", "fox"], answer_type=kind)
        for kind in ("arithmetic", "multi-span")
    ],
    "whole_words.contains_whole": lambda text: whole_words.contains_whole(text, "1"),
}

NOT_ATTACKED = {
    "bfcl.is_matchable": "takes a gold answer",
    "judging.longmemeval_kind": "takes a field of the benchmark",
    "math_worker.main": "serves a process; attacked through MathWorkers in test_math_workers.py",
    "whole_words.is_word_character": "takes one character",
}


def public_functions() -> set[str]:
    """Return the public functions that the modules of the package define."""
    return {
        f"{module.__name__.rpartition('.')[2]}.{name}"
        for module in _modules()
        for name, member in inspect.getmembers(module, inspect.isfunction)
        if not name.startswith("_") and member.__module__ == module.__name__
    }


def _modules() -> list[ModuleType]:
    return [
        importlib.import_module(f"{scoring.__name__}.{found.name}")
        for found in pkgutil.iter_modules(scoring.__path__)
    ]
