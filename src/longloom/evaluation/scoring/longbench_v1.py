"""LongBench (v1): the measure of every data set, and the best gold (metrics.py, eval.py).

Parity is the official measure. Strict repairs what is known of it:

- Questions, officially the F1 of words: HotpotQA's rule for yes and no, accents in either spelling.
- Classes, officially all names in the text, of a list that loses names while it is walked over:
  names that stand whole, in any case, and not only inside longer names.
- Numbers, officially the share of the reply's numbers that are right: the right one and no other.
- Code, officially the first line without a mark of comments, by fuzzywuzzy: the first line that is
  no comment, by the matching ratio without difflib's junk heuristic.

Chinese questions and all summaries are the same in both.
"""

import re
from collections.abc import Callable, Sequence

from longloom.errors import DataError
from longloom.evaluation.scoring import squad
from longloom.evaluation.scoring.chinese import cut_words, normalized_words
from longloom.evaluation.scoring.rouge import rouge_l
from longloom.evaluation.scoring.score import Score
from longloom.evaluation.scoring.sequence import match_ratio
from longloom.evaluation.scoring.whole_words import contains_whole
from longloom.rewards.rules import sequence_ratio

_Measure = Callable[[str, str], float]

_NUMBER = re.compile(r"\d+")
_PARAGRAPH = {"en": re.compile(r"Paragraph (\d+)"), "zh": re.compile(r"段落(\d+)")}
_COMMENT_MARKS = ("`", "#", "//")


def qa_f1(prediction: str, gold: str) -> float:
    """Return the F1 of the normalised words."""
    return squad.answer_f1(prediction, gold)


def qa_f1_zh(prediction: str, gold: str) -> float:
    """Return the F1 of the Chinese words.

    Raises:
        MissingDependencyError: jieba is not installed.
    """
    return squad.token_f1(normalized_words(prediction), normalized_words(gold))


def rouge_zh(prediction: str, gold: str) -> float:
    """Return ROUGE-L of the Chinese words.

    Raises:
        MissingDependencyError: jieba is not installed.
    """
    return rouge_l(" ".join(cut_words(prediction)), " ".join(cut_words(gold)))


def classification(prediction: str, gold: str, all_classes: Sequence[str]) -> float:
    """Return 1 by the number of class names found, if the gold is one; some are lost on the way."""
    found = [name for name in all_classes if name in prediction]
    place = 0
    while place < len(found):
        name = found[place]
        if name in gold and name != gold:
            found.remove(name)  # the official walk then skips the next name
        place += 1
    return 1.0 / len(found) if gold in found else 0.0


def strict_classification(prediction: str, gold: str, all_classes: Sequence[str]) -> float:
    """Return 1 by the number of classes named, if the gold is one.

    A name counts where it stands whole, in any case, and not only inside a longer name.
    """
    rest = prediction.lower()
    found = []
    for name in sorted(set(all_classes), key=len, reverse=True):
        if name and contains_whole(rest, name.lower()):
            found.append(name)
            rest = rest.replace(name.lower(), " ")
    return 1.0 / len(found) if gold in found else 0.0


def count(prediction: str, gold: str) -> float:
    """Return the share of the numbers in a prediction that are the gold number."""
    numbers = _NUMBER.findall(prediction)
    return numbers.count(gold) / len(numbers) if numbers else 0.0


def strict_count(prediction: str, gold: str) -> float:
    """Return whether a prediction names the gold number and no other."""
    numbers = {number.lstrip("0") or "0" for number in _NUMBER.findall(prediction)}
    return float(numbers == {gold.strip().lstrip("0") or "0"})


def retrieval(prediction: str, gold: str) -> float:
    """Return the share of the numbers that are the paragraph's ("Paragraph 3")."""
    return count(prediction, _paragraph(gold))


def strict_retrieval(prediction: str, gold: str) -> float:
    """Return whether a prediction names the gold paragraph and no other.

    Numbers behind the word for paragraph count, and all numbers where there is no such word.
    """
    named = [number for form in _PARAGRAPH.values() for number in form.findall(prediction)]
    return strict_count(" ".join(named) or prediction, _paragraph(gold))


def code_similarity(prediction: str, gold: str) -> float:
    """Return fuzzywuzzy's ratio of the first line that holds no mark of a comment."""
    lines = prediction.lstrip("\n").split("\n")
    first = next((line for line in lines if not any(mark in line for mark in _COMMENT_MARKS)), "")
    if first != gold and not (first and gold):
        return 0.0
    return round(100 * match_ratio(first, gold).ratio) / 100


def strict_code_similarity(prediction: str, gold: str) -> float:
    """Return the matching ratio of the first line that is code: no comment, no fence."""
    lines = (line.strip() for line in prediction.split("\n"))
    first = next((line for line in lines if line and not line.startswith(("```", "#", "//"))), "")
    return sequence_ratio(first, gold.strip())


_MEASURES: dict[str, tuple[_Measure, _Measure]] = {
    "code": (code_similarity, strict_code_similarity),
    "count": (count, strict_count),
    "qa": (qa_f1, squad.strict_f1),
    "qa_zh": (qa_f1_zh, qa_f1_zh),
    "retrieval": (retrieval, strict_retrieval),
    "summary": (rouge_l, rouge_l),
    "summary_zh": (rouge_zh, rouge_zh),
}

MEASURE_BY_DATASET = {
    "2wikimqa": "qa",
    "dureader": "summary_zh",
    "gov_report": "summary",
    "hotpotqa": "qa",
    "lcc": "code",
    "lsht": "classes",
    "multi_news": "summary",
    "multifieldqa_en": "qa",
    "multifieldqa_zh": "qa_zh",
    "musique": "qa",
    "narrativeqa": "qa",
    "passage_count": "count",
    "passage_retrieval_en": "retrieval",
    "passage_retrieval_zh": "retrieval",
    "qasper": "qa",
    "qmsum": "summary",
    "repobench-p": "code",
    "samsum": "summary",
    "trec": "classes",
    "triviaqa": "qa",
    "vcsum": "summary_zh",
}
FIRST_LINE_ONLY = frozenset({"lsht", "samsum", "trec", "triviaqa"})


def score_longbench(
    dataset: str, text: str, golds: Sequence[str], all_classes: Sequence[str] = ()
) -> Score:
    """Score a reply to a question of one data set against the best gold.

    Args:
        dataset: its name without the `_e` of LongBench-E.
        text: the reply; of four data sets its first line counts.
        golds: the row's `answers`.
        all_classes: the row's `all_classes`; classification needs them.

    Raises:
        DataError: there is no such data set.
        MissingDependencyError: a Chinese data set needs jieba.
    """
    measure = MEASURE_BY_DATASET.get(dataset)
    if measure is None:
        raise DataError(
            f"data set {dataset!r} is not of LongBench; expected one of "
            f"{', '.join(MEASURE_BY_DATASET)}"
        )
    if dataset in FIRST_LINE_ONLY:
        text = text.lstrip("\n").split("\n")[0]
    if measure == "classes":
        official = [classification(text, gold, all_classes) for gold in golds]
        repaired = [strict_classification(text, gold, all_classes) for gold in golds]
    else:
        parity, strict = _MEASURES[measure]
        official = [parity(text, gold) for gold in golds]
        repaired = official if strict is parity else [strict(text, gold) for gold in golds]
    return Score(parity=max(official, default=0.0), strict=max(repaired, default=0.0))


def _paragraph(gold: str) -> str:
    """Return the number of the gold paragraph; empty where none is named."""
    matches = (form.search(gold) for form in _PARAGRAPH.values())
    return next((match[1] for match in matches if match), "")
