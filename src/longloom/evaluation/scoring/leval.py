"""The rules of L-Eval (`Evaluation/auto_eval.py`, OpenLMLab/LEval): letters, true or false, F1.

Its own rule takes the first A, B, C or D of a reply for the answer, so "Because of B" is a B and
"A good question: it is (C)" an A, and it takes a reply without one for an A. Strict mode reads the
letters behind "answer is".
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from longloom.evaluation.scoring.choices import extract_stated_choice
from longloom.evaluation.scoring.long_answer import score_answer
from longloom.evaluation.scoring.score import Score
from longloom.evaluation.scoring.squad import answer_f1

LEvalRule = Literal["letter", "letters", "text", "truth"]
"""How a task is scored."""

_LETTERS = "ABCD"
_PHRASE = re.compile(r"answers?\s{1,8}(?:is|are)\b", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+")
_JOINING = ("and", "option", "options")
_OPTION = re.compile(r"[A-Z](?=[\s.)])")
_READ_CHARACTERS = 400
"""As much is read behind the phrase."""


def score_leval_letters(text: str, golds: Sequence[str], *, are_several: bool) -> Score:
    """Score a choice among A to D; `are_several` where the options that are right may be several.

    Args:
        text: the visible reply.
        golds: the first counts: "B", "ABD" or "(B) with its text".
        are_several: whether the reply may name several letters.
    """
    gold = _gold_letters(golds[0])
    theirs = _their_letters(text, are_several)
    ours = _letters(text) if are_several else extract_stated_choice(text, _LETTERS) or ""
    return Score(
        parity=float(theirs == gold),
        strict=float(ours == gold),
        extracted=ours or None,
        parity_extracted=theirs or None,
    )


def score_leval_truth(text: str, golds: Sequence[str]) -> Score:
    """Score true or false, as the document has it."""
    gold = golds[0].strip().lower()
    theirs = _first_truth(text.lower().partition("[fact:")[0].split())
    ours = _truth(text)
    return Score(
        parity=float(theirs == gold),
        strict=float(ours == gold),
        extracted=ours,
        parity_extracted=theirs,
    )


def score_leval_text(text: str, golds: Sequence[str]) -> Score:
    """Score a free answer by F1 of its words; in strict mode only the stated answer counts."""
    score = score_answer(text, golds)
    return Score(
        parity=max(answer_f1(text, gold) for gold in golds),
        strict=score.parts["f1"],
        parts=score.parts,
        extracted=score.extracted,
        parity_extracted=text,
    )


def _gold_letters(gold: str) -> str:
    first = (gold.split() or [""])[0]
    return "".join(letter for letter in first if letter in _LETTERS) or "A"


def _their_letters(text: str, are_several: bool) -> str:
    if text in _LETTERS:
        return text
    if not are_several:
        found = next((letter for letter in text if letter in _LETTERS), None)
        if found is not None:
            return found
    ahead = text[: len(text) - len(text.lstrip(_LETTERS))]
    if len(ahead) > 1:
        return "".join(sorted(set(ahead)))
    behind = _OPTION.findall(text[len(ahead) :].partition("Question")[0])
    return "".join(sorted({letter for letter in [*ahead, *behind] if letter in _LETTERS})) or "A"


def _letters(text: str) -> str:
    """Return the letters that a reply states, sorted; empty if it states none."""
    phrases = list(_PHRASE.finditer(text))
    tail = text[phrases[-1].end() :] if phrases else text
    words = [word for word in _WORD.findall(tail[:_READ_CHARACTERS]) if word not in _JOINING]
    stated: set[str] = set()
    for word, following in pairwise([*words, ""]):
        is_article = word == "A" and bool(stated) and following.islower()
        if is_article or not set(word) <= set(_LETTERS):
            # Behind a letter stands the option's text; without the phrase nothing may.
            return "".join(sorted(stated)) if phrases else ""
        stated |= set(word)
    return "".join(sorted(stated))


def _truth(text: str) -> str | None:
    phrases = list(_PHRASE.finditer(text))
    tail = text[phrases[-1].end() :][:_READ_CHARACTERS] if phrases else text
    words = set(_WORD.findall(tail.lower())) & {"true", "false"}
    return words.pop() if len(words) == 1 else None


def _first_truth(words: Sequence[str]) -> str | None:
    for word in words:
        if "true" in word:
            return "true"
        if "false" in word:
            return "false"
    return None
