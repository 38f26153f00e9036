"""Reword questions that were made from templates, without changing what they ask.

A rewritten question is kept only if it survives a check of its own: a second call, which sees the
new wording alone, parses it back to the same form with the same slots; or, where a question has no
slots, more than half of k solvers reach the same answer in its context. A question whose rewriting
fails keeps its old wording: the caller loses nothing, and the drop says why.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pydantic import Field

from longloom.config import FrozenConfig
from longloom.models.endpoint.messages import ChatModel, user_request
from longloom.rewards import cover_exact_match, normalize_answer
from longloom.synthesis.endpoint.attempts import AttemptConfig, PosedQuestion, attempt
from longloom.synthesis.endpoint.fencing import speaks_to_a_model
from longloom.synthesis.endpoint.parsing import ReplyShape, parse_json
from longloom.synthesis.endpoint.prompts import fill_prompt
from longloom.synthesis.endpoint.quoting import fold_quote
from longloom.synthesis.endpoint.yields import Dropped, Yield, run_each

_LONGEST_GROWTH = 3
_DIGITS = frozenset("0123456789")


class RewriteConfig(FrozenConfig):
    """How wordings are drawn and checked."""

    temperature: float = Field(default=0.7, ge=0)
    """Sampling of the new wording."""
    seed: int = 0
    """Seed of the wording."""
    solver: AttemptConfig = AttemptConfig()
    """How questions without slots are solved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RewriteRequest:
    """A question to be reworded, and what must not change."""

    posed: PosedQuestion
    """The question; its options, if any, stay as they are. Without slots it needs its context."""
    form: str = ""
    """The form it was made from, by its id among `forms`; empty for none."""
    slots: Mapping[str, str] = field(default_factory=dict)
    """What fills the form, by slot."""
    forms: Mapping[str, str] = field(default_factory=dict)
    """Forms to choose from when parsing back, by id, with slots in braces; more than one, so that
    naming the right form says something."""


class _Rewritten(ReplyShape):
    question: str


class _Parsed(ReplyShape):
    form: str | None
    slots: dict[str, str]


async def rewrite_questions(
    model: ChatModel,
    requests: Sequence[RewriteRequest],
    config: RewriteConfig | None = None,
    *,
    checker: ChatModel | None = None,
) -> Yield[PosedQuestion]:
    """Return the questions whose new wording was proved to ask the same, with that wording.

    Args:
        model: writes the wording.
        requests: questions to reword.
        config: how.
        checker: parses back and solves; the same model if None.
    """
    settings = config or RewriteConfig()

    async def rewrite(request: RewriteRequest) -> list[PosedQuestion | Dropped]:
        stem, _, options = request.posed.question.partition("\n")
        reply = await model.complete(
            user_request(
                fill_prompt("rewrite", question=stem),
                temperature=settings.temperature,
                seed=settings.seed,
                is_json=True,
            )
        )
        wording = " ".join(parse_json(reply, _Rewritten).question.split())
        question = f"{wording}\n{options}" if options else wording
        reworded = replace(request.posed, question=question)
        fault = wording_fault(stem, wording, request) or await _meaning_fault(
            checker or model, request, reworded, settings
        )
        if fault is None:
            return [reworded]
        return [Dropped(key=request.posed.question_id, reason=fault, details=wording[:200])]

    return await run_each(requests, rewrite, lambda request: request.posed.question_id)


def wording_fault(stem: str, wording: str, request: RewriteRequest) -> str | None:
    """Return what is wrong with a wording on its face, or None."""
    if not 10 <= len(wording) <= _LONGEST_GROWTH * len(stem) + 100:
        return "wording too short or too long"
    if speaks_to_a_model(wording):
        return "wording speaks to a model"
    if normalize_answer(wording) == normalize_answer(stem):
        return "wording did not change"
    if _numbers(wording) != _numbers(stem):
        return "wording changes a number"
    folded = fold_quote(wording).casefold()
    if any(fold_quote(value).casefold() not in folded for value in request.slots.values()):
        return "wording loses a name or value"
    answer = request.posed.answer
    if cover_exact_match(wording, answer, whole_words=True) and not cover_exact_match(
        stem, answer, whole_words=True
    ):
        return "wording gives the answer away"
    return None


async def _meaning_fault(
    checker: ChatModel, request: RewriteRequest, reworded: PosedQuestion, config: RewriteConfig
) -> str | None:
    if request.form and len(request.forms) > 1:
        return await _parse_back_fault(checker, request, reworded, config)
    if not reworded.context:
        return "no way to check the wording"
    attempts = await attempt(checker, reworded, config.solver)
    is_reached = 2 * attempts.num_right > attempts.num_samples
    return None if is_reached else "solvers no longer reach the answer"


async def _parse_back_fault(
    checker: ChatModel, request: RewriteRequest, reworded: PosedQuestion, config: RewriteConfig
) -> str | None:
    listed = "\n".join(f"- {name}: {shown}" for name, shown in sorted(request.forms.items()))
    stem = reworded.question.partition("\n")[0]
    prompt = fill_prompt("parse_back", forms=listed, question=stem)
    reply = await checker.complete(user_request(prompt, is_json=True, seed=config.seed))
    parsed = parse_json(reply, _Parsed)
    if parsed.form != request.form:
        return "wording is parsed as another form"
    if _folded(parsed.slots) != _folded(request.slots):
        return "wording is parsed with other slots"
    return None


def _folded(slots: Mapping[str, str]) -> dict[str, str]:
    return {name: fold_quote(value).casefold() for name, value in slots.items()}


def _numbers(text: str) -> Counter[str]:
    """Return the words with digits in a text, how often each stands there."""
    words = (word.strip("().,;:?!'\"") for word in text.split())
    return Counter(word for word in words if _DIGITS & set(word))
