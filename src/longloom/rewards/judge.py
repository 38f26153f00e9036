"""Ask a language model whether two answers are the same.

The judge sees the question and both answers, never the document (QwenLong-L1, section 2.4). Its
verdict counts only in full: `[[YES]]` present and `[[NO]]` absent. The first code of the authors
looked for "YES" anywhere and so accepted "[[NO]] ... YES".

A predicted answer is written by the model that is being trained. Before the judge reads it, it is
cut, freed of invisible characters, put on one line, and loses double brackets of any script and
the colons after words that begin a part of the judge's prompt.
"""

import re
import unicodedata
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Protocol

from longloom.errors import RewardError
from longloom.text.prompts import fill_template

MAX_PREDICTION_CHARACTERS = 1_000

_YES, _NO = "[[YES]]", "[[NO]]"
_THINK_END = "</think>"
_OPENING = re.compile(r"\[(?:\s*\[)+")
_CLOSING = re.compile(r"\](?:\s*\])+")
_LABEL = re.compile(r"\b(answer\s*[0-9]*|problem|question|verdict)\s*:", re.IGNORECASE)
_BRACKETS = str.maketrans(
    dict.fromkeys("\u27e6\u301a\u3010\u3014\uff3b\u2045", "[")
    | dict.fromkeys("\u27e7\u301b\u3011\u3015\uff3d\u2046", "]")
)
"""White, lenticular and full-width brackets: a judge that repeats them may write them plainly."""


class Verdict(StrEnum):
    """What a judge said: nothing clear counts as a no, a refusal leaves it to the rule."""

    NO = "no"
    REFUSED = "refused"
    UNCLEAR = "unclear"
    YES = "yes"


class Judge(Protocol):
    """Decides whether two answers to a question are the same."""

    async def verdict(self, question: str, prediction: str, answer: str) -> Verdict:
        """Return whether `prediction` and the gold `answer` are the same.

        Raises:
            RewardError: no reply could be obtained; never answered with a no.
        """


class PromptJudge:
    """A judge that asks a language model with the prompt file's `judge` template."""

    def __init__(self, ask: Callable[[str], Awaitable[str]]) -> None:
        """Keep `ask`: it sends one prompt at temperature 0 and returns the reply."""
        self._ask = ask

    async def verdict(self, question: str, prediction: str, answer: str) -> Verdict:
        """Return what the model's reply says.

        Raises:
            RewardError: the model could not be asked.
        """
        prompt = judge_prompt(question, prediction, answer)
        try:
            reply = await self._ask(prompt)
        except RewardError:
            raise
        except Exception as error:  # whatever client is behind `ask`, an outage is one thing
            raise RewardError(
                f"the judge could not be asked: {type(error).__name__}: {error}; expected a reply; "
                "check the judge's endpoint and resume"
            ) from error
        return parse_verdict(reply)


def judge_prompt(question: str, prediction: str, answer: str) -> str:
    """Return the prompt for one verdict, with the prediction made harmless."""
    return fill_template(
        "judge", question=question, prediction=harmless_prediction(prediction), answer=answer
    )


def harmless_prediction(prediction: str, *, max_characters: int = MAX_PREDICTION_CHARACTERS) -> str:
    """Return at most `max_characters` on one line that give no verdict and begin no part."""
    kept = "".join(_visible(character) for character in prediction[:max_characters])
    one_line = " ".join(kept.translate(_BRACKETS).split())
    single = _CLOSING.sub("]", _OPENING.sub("[", one_line))
    return _LABEL.sub(r"\1", single)


def parse_verdict(reply: str) -> Verdict:
    """Return yes if `[[YES]]` is present and `[[NO]]` absent (SPELL's rule), no if the reverse.

    A reply with both or neither is unclear. Reasoning up to `</think>` is left out.
    """
    visible = reply.rpartition(_THINK_END)[2]
    says_yes, says_no = _YES in visible, _NO in visible
    if says_yes == says_no:
        return Verdict.UNCLEAR
    return Verdict.YES if says_yes else Verdict.NO


def _visible(character: str) -> str:
    """Return a character without what hides text: formats, controls, surrogates, private use."""
    category = unicodedata.category(character)
    if category in ("Zs", "Zl", "Zp") or character in "\t\n\r":
        return " "
    return "" if category[0] == "C" else character
