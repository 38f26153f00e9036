"""Ask a language model whether two answers are the same.

The judge sees the question and both answers, never the document (QwenLong-L1, section 2.4). Its
verdict counts only in full: `[[YES]]` present and `[[NO]]` absent. The first code of the authors
looked for "YES" anywhere and so accepted "[[NO]] ... YES".

A predicted answer is written by the model that is being trained, so it is put on one line, cut and
freed of double brackets before the judge reads it.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

from longloom.errors import RewardError
from longloom.text.prompts import fill_template

MAX_PREDICTION_CHARACTERS = 1_000


class Judge(Protocol):
    """Decides whether two answers to a question are the same."""

    async def verdict(self, question: str, prediction: str, answer: str) -> bool:
        """Return whether `prediction` and the gold `answer` are the same.

        Raises:
            RewardError: no verdict could be obtained; never answered with False.
        """


class PromptJudge:
    """A judge that asks a language model with the prompt file's `judge` template."""

    def __init__(self, ask: Callable[[str], Awaitable[str]]) -> None:
        """Keep `ask`: it sends one prompt at temperature 0 and returns the reply."""
        self._ask = ask

    async def verdict(self, question: str, prediction: str, answer: str) -> bool:
        """Return whether the model's reply is a clear yes.

        Raises:
            RewardError: the model could not be asked.
        """
        prompt = judge_prompt(question, prediction, answer)
        try:
            reply = await self._ask(prompt)
        except Exception as error:  # whatever client is behind `ask`, an outage is one thing
            raise RewardError(
                f"the judge could not be asked: {type(error).__name__}: {error}; expected a reply; "
                "check the judge's endpoint and resume"
            ) from error
        return parse_verdict(reply)


def judge_prompt(question: str, prediction: str, answer: str) -> str:
    """Return the prompt for one verdict, with the prediction made harmless."""
    harmless = " ".join(prediction[:MAX_PREDICTION_CHARACTERS].split())
    harmless = harmless.replace("[[", "[").replace("]]", "]")
    return fill_template("judge", question=question, prediction=harmless, answer=answer)


def parse_verdict(reply: str) -> bool:
    """Return whether `[[YES]]` is present and `[[NO]]` absent (SPELL's rule)."""
    return "[[YES]]" in reply and "[[NO]]" not in reply
