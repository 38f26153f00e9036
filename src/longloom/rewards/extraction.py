"""Take the answer out of a response.

The response must have closed its thinking: without `</think>` there is no answer, so thinking that
was cut off earns nothing (QwenLong-L1, section 2.4). Of the visible rest the answer is the text
after the last "the answer is"; failing that "correct answer is"; failing that "answer is".

Departures from the authors' code: the phrases are found in any case; a colon after the phrase is
dropped; an answer is at most 1,000 characters. Every search is linear in the response; only a
bounded stretch of it meets a regular expression.
"""

import re
from string import ascii_lowercase, ascii_uppercase

THINK_BEGIN = "<think>"
THINK_END = "</think>"
ANSWER_PHRASES = ("the answer is", "correct answer is", "answer is")
PLACEHOLDER = "(insert answer here)"
MAX_ANSWER_CHARACTERS = 1_000
"""SPELL keeps the last 1,000 characters of an answer without thinking tags."""

_MAX_BOXED_CHARACTERS = 100
_MAX_END_MARKS = 16
_END_MARKS = ("<|im_end|>", "<|endoftext|>")
# str.lower may change the length of a text; positions must stay those of the original.
_ASCII_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
# A bare "A" or "I" may begin a sentence, so words must not follow it.
_CHOICE = re.compile(r"\(\s?([A-Z])\s?\)|([B-HJ-Z])(?![\w'])|([AI])(?=\s?(?:[).:,;\]]|$))")
_BOXED_LAYOUT = re.compile(r"\\(?:text|textbf|mathrm|mathbf)\b|[{}$\s]")


def visible_text(response_text: str, *, requires_thinking: bool = True) -> str | None:
    """Return what follows the last `</think>`, or None if thinking never ended.

    Args:
        response_text: all that the model wrote.
        requires_thinking: whether a response without any tag of thinking counts as unfinished;
            if not, all of it is visible.
    """
    _, separator, visible = response_text.rpartition(THINK_END)
    if not separator and (requires_thinking or THINK_BEGIN in response_text):
        return None
    visible = visible.rstrip()
    for _ in range(_MAX_END_MARKS):
        shorter = visible
        for mark in _END_MARKS:
            shorter = shorter.removesuffix(mark)
        if shorter == visible:
            break
        visible = shorter.rstrip()
    return visible.strip()


def extract_answer(response_text: str, *, requires_thinking: bool = True) -> str | None:
    """Return the answer on one line, or None if there is none.

    Asterisks are removed, and dots and spaces at the end. A repeated placeholder of the prompt,
    "(insert answer here)", is no answer.
    """
    visible = visible_text(response_text, requires_thinking=requires_thinking)
    if visible is None:
        return None
    stated = _after_answer_phrase(visible.replace("*", ""))
    if stated is None:
        return None
    first_line = stated[:MAX_ANSWER_CHARACTERS].partition("\n")[0]
    answer = first_line.rstrip(" .\t\r")
    if not answer or PLACEHOLDER in answer.translate(_ASCII_LOWER):
        return None
    return answer


def extract_choice(response_text: str, *, requires_thinking: bool = True) -> str | None:
    r"""Return the letter of a multiple-choice answer, or None if there is none.

    Forms: "the correct answer is B", "(B)", "B. text", and `\boxed{B}` where no phrase gives one.
    """
    answer = extract_answer(response_text, requires_thinking=requires_thinking)
    letter = leading_choice(answer) if answer is not None else None
    if letter is not None:
        return letter
    visible = visible_text(response_text, requires_thinking=requires_thinking)
    boxed = last_boxed(visible) if visible is not None else None
    return leading_choice(boxed) if boxed is not None else None


def leading_choice(text: str) -> str | None:
    """Return the option letter that `text` begins with, or None."""
    stripped = text[:MAX_ANSWER_CHARACTERS].lstrip(" *\"'[")
    boxed = last_boxed(stripped) if stripped.startswith(("\\boxed", "$\\boxed")) else None
    match = _CHOICE.match(boxed if boxed is not None else stripped)
    return next((letter for letter in match.groups() if letter), None) if match else None


def last_boxed(text: str) -> str | None:
    r"""Return the short content of the last `\boxed{...}` without LaTeX layout, or None."""
    start = text.rfind("\\boxed{")
    if start < 0:
        return None
    start += len("\\boxed{")
    depth = 1
    for offset, character in enumerate(text[start : start + _MAX_BOXED_CHARACTERS]):
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return _BOXED_LAYOUT.sub("", text[start : start + offset])
    return None


def sequence_candidates(response_text: str, *, requires_thinking: bool = True) -> tuple[str, ...]:
    """Return the texts that may be a verbatim reply: all that is visible, and the stated answer.

    A verbatim reply may itself hold an answer phrase or several lines, so the stated answer is all
    that follows the first phrase.
    """
    visible = visible_text(response_text, requires_thinking=requires_thinking)
    if not visible:
        return ()
    lowered = visible.translate(_ASCII_LOWER)
    starts = [lowered.find(phrase) + len(phrase) for phrase in ANSWER_PHRASES if phrase in lowered]
    if not starts:
        return (visible,)
    return visible, visible[starts[0] :].lstrip(" :\n")


def _after_answer_phrase(visible: str) -> str | None:
    lowered = visible.translate(_ASCII_LOWER)
    for phrase in ANSWER_PHRASES:
        position = lowered.rfind(phrase)
        if position >= 0:
            return visible[position + len(phrase) :].lstrip(" :\n\t\r")
    return None
