"""Multiple choice: the letter of LongBench v2, MMLU-Pro and GPQA.

Parity is each benchmark's own extraction:

- LongBench v2 (pred.py): "The correct answer is (A)", in this case alone; "The correct answer is
  Apple" is A.
- MMLU-Pro (evaluate_from_api.py): the first "answer is (A)", else the "Answer: A" that ends its
  line's, else the last letter that stands alone; "I think it is none" is I.
- GPQA (simple-evals): the first "Answer: A", in any case, but a lower-case letter is never right,
  and "Answer: (A)" is none.

Strict is one rule for all: the last answer stated in any common form, a whole letter.
"""

import re
from collections.abc import Sequence

from longloom.evaluation.scoring.score import Score
from longloom.rewards.extraction import extract_choice, leading_choice, visible_text
from longloom.rewards.rules import choice_match

COMPENSATION = 0.25
"""What LongBench v2's option `compensated` gives where no letter was found."""
_MAX_STATED_CHARACTERS = 200

_LONGBENCH_FORMS = (
    re.compile(r"The correct answer is \(([A-D])\)"),
    re.compile(r"The correct answer is ([A-D])"),
)
_MMLU_FIRST = re.compile(r"answer is \(?([A-J])\)?")
_MMLU_LABEL = re.compile(r"[aA]nswer:(?=\s*([A-J]))")
_MMLU_ALONE = re.compile(r"\b[A-J]\b")
_GPQA = re.compile(r"Answer[ \t]*:[ \t]*\$?([A-D])\$?", re.IGNORECASE)
_STATED = re.compile(r"answer[\"'*]{0,4}[ \t]{0,4}(?::|is\b:?)", re.IGNORECASE)
_LAYOUT = " \t\n*\"'`$:[{"
_LOWER = re.compile(r"\(([a-j])\)|([a-j])(?=[\s.*$)\"'}]{0,8}(?:\n|$))")


def extract_longbench_v2(text: str) -> str | None:
    """Return the letter that LongBench v2 finds, or None."""
    bare = text.replace("*", "")
    matches = (form.search(bare) for form in _LONGBENCH_FORMS)
    return next((match[1] for match in matches if match), None)


def extract_mmlu_pro(text: str) -> str | None:
    """Return the letter that MMLU-Pro finds, or None; then it guesses."""
    bare = text.replace("**", "")
    first = _MMLU_FIRST.search(bare)
    if first:
        return first[1]
    return _last_label_of_first_line(bare) or _last_letter(bare)


def extract_gpqa(text: str) -> str | None:
    """Return the letter that simple-evals finds for GPQA, in its own case, or None."""
    match = _GPQA.search(text)
    return match[1] if match else None


def extract_stated_choice(text: str, letters: str) -> str | None:
    r"""Return the letter stated as the answer, of `letters`, or None.

    Forms: "the answer is B", "Answer: (b)", `"answer": "B"`, `\boxed{B}`, and the bare letter as
    the whole reply. The last one that gives a letter counts. Unfinished thinking holds none.
    """
    visible = visible_text(text, requires_thinking=False)
    if visible is None:
        return None
    stated = None
    for match in _STATED.finditer(visible):
        after = visible[match.end() : match.end() + _MAX_STATED_CHARACTERS]
        letter = _letter(after.lstrip(_LAYOUT))
        stated = letter if letter is not None and letter in letters else stated
    if stated is not None:
        return stated
    found = extract_choice(text, requires_thinking=False)
    if found is None and len(visible) <= _MAX_STATED_CHARACTERS:
        found = _letter(visible.lstrip(_LAYOUT))
    return found if found is not None and found in letters else None


def score_longbench_v2(text: str, golds: Sequence[str]) -> Score:
    """Score a reply with one of A to D; part `compensated` gives 0.25 where there was no letter."""
    letter = extract_longbench_v2(text)
    score = _score(letter, extract_stated_choice(text, "ABCD"), golds)
    compensated = COMPENSATION if letter is None else score.parity
    return Score(
        parity=score.parity,
        strict=score.strict,
        parts={"compensated": compensated},
        extracted=score.extracted,
        parity_extracted=letter,
    )


def score_mmlu_pro(text: str, golds: Sequence[str], *, num_options: int = 10) -> Score:
    """Score a reply with one of A to J; where there is no letter, it is wrong.

    Part `guessed` gives such a reply 1 / `num_options`, the mean of the official random choice,
    which depends on the order of the questions.
    """
    letter = extract_mmlu_pro(text)
    score = _score(letter, extract_stated_choice(text, "ABCDEFGHIJ"[: max(1, num_options)]), golds)
    guessed = 1 / max(1, num_options) if letter is None else score.parity
    return Score(
        parity=score.parity,
        strict=score.strict,
        parts={"guessed": guessed},
        extracted=score.extracted,
        parity_extracted=letter,
    )


def score_gpqa(text: str, golds: Sequence[str]) -> Score:
    """Score a reply with one of A to D."""
    return _score(extract_gpqa(text), extract_stated_choice(text, "ABCD"), golds)


def _score(letter: str | None, stated: str | None, golds: Sequence[str]) -> Score:
    return Score(
        parity=float(letter is not None and letter in golds),
        strict=float(any(choice_match(stated, gold) for gold in golds)),
        extracted=stated,
        parity_extracted=letter,
    )


def _letter(text: str) -> str | None:
    lower = _LOWER.match(text)
    if lower:
        return (lower[1] or lower[2]).upper()
    return leading_choice(text)


def _last_label_of_first_line(text: str) -> str | None:
    r"""Return the last match of the first line with one: `.*[aA]nswer:\s*([A-J])`."""
    letter, line_end = None, -1
    for match in _MMLU_LABEL.finditer(text):
        if letter is not None and match.start() > line_end:
            break
        if letter is None:
            line_end = text.find("\n", match.start())
            line_end = len(text) if line_end < 0 else line_end
        letter = match[1]
    return letter


def _last_letter(text: str) -> str | None:
    letter = None
    for match in _MMLU_ALONE.finditer(text):
        letter = match[0]
    return letter
