"""Let a model attempt a question k times and score it as a rollout is scored.

The rule is the reward's own (`rewards.rule_reward`), so what counts as right here is what counts
as right in training.
"""

import asyncio
from dataclasses import dataclass, replace

from pydantic import Field

from longloom.config import FrozenConfig
from longloom.models.endpoint.messages import ChatModel, ChatReply, user_request
from longloom.records import Example, RewardRule, Split, TaskType
from longloom.rewards import RewardConfig, extract_answer, extract_choice, rule_reward
from longloom.synthesis.endpoint.fencing import fence_texts
from longloom.synthesis.endpoint.prompts import fill_prompt

_FORM_BY_RULE = {
    RewardRule.CHOICE: "answer_form_choice",
    RewardRule.COVER_EXACT_MATCH: "answer_form_short",
    RewardRule.NUMERIC: "answer_form_number",
    RewardRule.SEQUENCE_MATCH: "answer_form_verbatim",
}
_THINK_END = "</think>"


class AttemptConfig(FrozenConfig):
    """How attempts are drawn and when one is right."""

    num_samples: int = Field(default=4, ge=1)
    """Attempts at each question (k)."""
    temperature: float = Field(default=0.7, ge=0)
    """As in training (QwenLong-L1.5, section 5.1)."""
    top_p: float = Field(default=0.95, gt=0, le=1)
    """As in training."""
    max_new_tokens: int = Field(default=12_000, ge=1)
    """Length limit of an attempt, reasoning included (stage 1 of the paper)."""
    seed: int = 0
    """Seed of the first sample."""
    right_from: float = Field(default=0.9, gt=0, le=1)
    """A verbatim reply counts as right from this ratio on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PosedQuestion:
    """A question as it is put to a model."""

    question_id: str
    """Its id."""
    question: str
    """The question, with lettered options where there are any."""
    answer: str
    """The ground truth."""
    reward_rule: RewardRule
    """How answers are scored."""
    context: str = ""
    """The text it is asked about, question not included; empty for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """What came of the attempts at one question."""

    num_right: int
    """Attempts that were scored as right."""
    num_cut: int
    """Attempts without an end; never right."""
    answers: tuple[str | None, ...]
    """What each attempt gave as its answer; None if nothing could be taken from it."""

    @property
    def num_samples(self) -> int:
        """How many attempts were made."""
        return len(self.answers)


async def attempt(
    model: ChatModel, posed: PosedQuestion, config: AttemptConfig, *, is_closed_book: bool = False
) -> Attempts:
    """Put a question to a model several times, with its context or without any."""
    request = replace(
        user_request(_prompt(posed, is_closed_book=is_closed_book)),
        temperature=config.temperature,
        top_p=config.top_p,
        max_new_tokens=config.max_new_tokens,
        seed=config.seed,
    )
    replies = await asyncio.gather(
        *(
            model.complete(replace(request, sample_index=index))
            for index in range(config.num_samples)
        )
    )
    scored = [(is_right(posed, reply, config), answer_of(posed, reply)) for reply in replies]
    return Attempts(
        num_right=sum(right for right, _ in scored),
        num_cut=sum(not reply.is_complete for reply in replies),
        answers=tuple(answer for _, answer in scored),
    )


def is_right(posed: PosedQuestion, reply: ChatReply, config: AttemptConfig) -> bool:
    """Whether the reward's own rule scores a whole reply as right."""
    if not reply.is_complete:
        return False
    value = rule_reward(_as_example(posed), _final_text(reply), config=_REWARD).value
    needed = config.right_from if posed.reward_rule is RewardRule.SEQUENCE_MATCH else 1.0
    return value >= needed


def answer_of(posed: PosedQuestion, reply: ChatReply) -> str | None:
    """Return what a whole reply gives as its answer."""
    if not reply.is_complete:
        return None
    if posed.reward_rule is RewardRule.CHOICE:
        return extract_choice(_final_text(reply))
    stated = extract_answer(_final_text(reply))
    # The form asks for brackets around the answer; they are no part of it.
    is_bracketed = stated is not None and stated.startswith("(") and stated.endswith(")")
    return stated[1:-1].strip() if is_bracketed and stated is not None else stated


_REWARD = RewardConfig()


def _final_text(reply: ChatReply) -> str:
    """Return the reply as a rollout has it: reasoning ended, then the answer."""
    return reply.text if _THINK_END in reply.text else f"{_THINK_END}\n{reply.text}"


def _prompt(posed: PosedQuestion, *, is_closed_book: bool) -> str:
    form = fill_prompt(_FORM_BY_RULE[posed.reward_rule])
    if is_closed_book:
        return fill_prompt("answer_closed_book", question=posed.question, answer_form=form)
    material = fence_texts([("documents", posed.context)])
    return fill_prompt(
        "answer_with_context", material=material, question=posed.question, answer_form=form
    )


def _as_example(posed: PosedQuestion) -> Example:
    """Return what `rule_reward` reads: the rule and the answer; the rest is empty."""
    return Example(
        example_id=posed.question_id,
        task_type=TaskType.READING_COMPREHENSION,
        ability="",
        context_id="",
        question=posed.question,
        answer=posed.answer,
        reward_rule=posed.reward_rule,
        program="",
        evidence=(),
        num_context_tokens=0,
        num_prompt_tokens=0,
        split=Split.TRAIN,
        licences=(),
        provenance=(),
    )
