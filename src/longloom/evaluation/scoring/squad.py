"""The measures of short answers that SQuAD and HotpotQA brought up, as LongBench and L1 use them.

The normalised text is lower case, without ASCII punctuation, English articles and extra spaces.
Accents and other scripts' punctuation are kept; letters with marks are not composed. The strict
forms, which compose them, are `longloom.rewards.rules`.
"""

import re
import string
from collections import Counter
from collections.abc import Sequence

from longloom.rewards import rules

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_DROP_PUNCTUATION = str.maketrans("", "", string.punctuation)
_BARE_WORDS = ("yes", "no", "noanswer")


def normalize_squad(text: str) -> str:
    """Return the words that SQuAD's scorer compares."""
    bare = text.lower().translate(_DROP_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", bare).split())


def exact_match(prediction: str, gold: str) -> bool:
    """Return whether both normalise to the same words."""
    return normalize_squad(prediction) == normalize_squad(gold)


def token_f1(prediction: Sequence[str], gold: Sequence[str]) -> float:
    """Return the F1 of two bags of tokens; 0 if they share none."""
    num_shared = sum((Counter(prediction) & Counter(gold)).values())
    if not num_shared:
        return 0.0
    precision, recall = num_shared / len(prediction), num_shared / len(gold)
    return (2 * precision * recall) / (precision + recall)


def answer_f1(prediction: str, gold: str, *, bare_words_decide: bool = False) -> float:
    """Return the F1 of the normalised words.

    `bare_words_decide` is HotpotQA's rule: where one side is just yes, no or noanswer and the
    other is not the same, nothing is right, however many words they share.
    """
    return _f1(normalize_squad(prediction), normalize_squad(gold), bare_words_decide)


def strict_f1(prediction: str, gold: str) -> float:
    """Return the F1 with HotpotQA's rule, and with letters and their accents composed."""
    return _f1(rules.normalize_answer(prediction), rules.normalize_answer(gold), True)


def cover_exact_match(prediction: str, gold: str) -> bool:
    """Return whether the normalised gold answer is part of the normalised prediction.

    The paper's measure, one way only. An empty gold covers nothing.
    """
    gold_words = normalize_squad(gold)
    return bool(gold_words) and gold_words in normalize_squad(prediction)


def _f1(prediction: str, gold: str, bare_words_decide: bool) -> float:
    is_bare = prediction in _BARE_WORDS or gold in _BARE_WORDS
    if bare_words_decide and is_bare and prediction != gold:
        return 0.0
    return token_f1(prediction.split(), gold.split())
