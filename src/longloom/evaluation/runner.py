"""Ask every question of a benchmark, many at a time; go on where an earlier run stopped.

    questions - answers kept -> text by reference -> prompt -> room for its tokens -> model -> log

A question's text is read when its turn comes and forgotten when it is answered, so the memory that
is taken depends on how many are asked at a time and not on how many there are. Work that takes the
processor for long (reading rows, counting tokens) is done beside the event loop.

What it leaves out: scoring, which needs no model and is done anew each time (`scoring_run.py`).
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from longloom.errors import ModelError
from longloom.evaluation.answers import Answer, AnswerLog, Failure
from longloom.evaluation.asking import Asking, answer_question, prompt_of, too_long
from longloom.evaluation.fitting import FittedPrompt
from longloom.evaluation.kept_calls import KeptChat
from longloom.evaluation.questions import Asked, Question, QuestionSet
from longloom.evaluation.workers import workers
from longloom.models.protocols import ChatSampler
from longloom.records import TokenUsage
from longloom.rollout.call_limits import LimitedChat, OldestFirst

_MOST_OUTAGES = 3
"""Questions that fail one after another because the server is away, before the run stops."""
_MOST_REFUSALS = 8
"""Questions that are refused before any is answered, before the run stops: the settings are wrong,
not the questions."""
_INLINE_CHARACTERS = 1 << 15
"""Texts up to this length are counted on the event loop: a thread would take longer."""


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far a benchmark is; the counts begin with what an earlier run answered."""

    benchmark: str
    """Name of the benchmark."""
    num_total: int
    """Answers to get."""
    num_done: int = 0
    """Answers that are there, failed ones included."""
    num_kept: int = 0
    """Those of them that an earlier run got."""
    num_failed: int = 0
    """Those that failed."""
    usage: TokenUsage = field(default_factory=TokenUsage)
    """What the calls of all took."""
    num_at_a_time: int = 1
    """Calls under way together: before so many answers there is no pace to tell."""
    prompt_price: float = 0.0
    """Price of a million prompt tokens."""
    answer_price: float = 0.0
    """Price of a million written tokens."""
    started: float = field(default_factory=time.monotonic)
    """When this run began to ask."""

    @property
    def cost(self) -> float:
        """What all calls cost at the prices stated; 0 without prices."""
        read = self.usage.num_prompt_tokens * self.prompt_price
        return (read + self.usage.num_response_tokens * self.answer_price) / 1_000_000

    @property
    def seconds_left(self) -> float | None:
        """About how long the rest takes, by the pace of this run; None before a first round."""
        num_new = self.num_done - self.num_kept
        if num_new < max(1, self.num_at_a_time):
            return None
        pace = (time.monotonic() - self.started) / num_new
        return pace * (self.num_total - self.num_done)


OnProgress = Callable[[Progress], None]
"""Is told after every answer."""


async def answer_all(
    found: QuestionSet,
    chosen: Sequence[Question],
    asking: Asking,
    *,
    num_samples: int,
    chat: ChatSampler,
    log: AnswerLog,
    limits: OldestFirst,
    on_progress: OnProgress | None = None,
    prices: tuple[float, float] = (0.0, 0.0),
) -> Progress:
    """Get all answers that the log does not hold; return how it went.

    Args:
        found: the questions and their texts.
        chosen: those that are asked.
        asking: how they are put.
        num_samples: answers per question.
        chat: the model.
        log: keeps the answers.
        limits: how many calls and tokens may be under way.
        on_progress: is told after every answer.
        prices: of a million prompt tokens and of a million written tokens.

    Raises:
        DataError: a row cannot be read, or the disk is full.
        ModelError: the server is away or set up wrongly; what was answered is kept.
    """
    progress = Progress(
        benchmark=asking.benchmark,
        num_total=len(chosen) * num_samples,
        num_at_a_time=min(limits.max_calls, len(chosen) * num_samples),
        prompt_price=prices[0],
        answer_price=prices[1],
    )
    missing: list[_Turn] = []
    for question in chosen:
        keys = [(asking.benchmark, question.question_id, index) for index in range(num_samples)]
        for key in keys:
            if key in log:
                _count(progress, log[key])
                progress.num_kept += 1
        if left := tuple(key[2] for key in keys if key not in log):
            missing.append((question, left))
    if on_progress:
        on_progress(progress)
    run = _Run(
        found=found,
        asking=asking,
        chat=chat,
        log=log,
        limits=limits,
        progress=progress,
        on_progress=on_progress,
        num_refusable=0 if progress.num_kept else min(_MOST_REFUSALS, progress.num_total),
    )
    turns = iter(missing)
    async with workers() as tasks:
        for _ in range(min(limits.max_calls, len(missing))):
            tasks.create_task(run.work(turns))
    return progress


_Turn = tuple[Question, tuple[int, ...]]
"""A question, and the numbers of the answers that are missing."""


@dataclass(slots=True, kw_only=True)
class _Run:
    """What the workers of one benchmark share."""

    found: QuestionSet
    asking: Asking
    chat: ChatSampler
    log: AnswerLog
    limits: OldestFirst
    progress: Progress
    on_progress: OnProgress | None
    num_outages: int = 0
    num_refusable: int = 0
    """So many refusals before anything else end the run; 0 once something else came."""
    refused: list[Answer] = field(default_factory=list)
    """Refusals that are not counted yet."""

    async def work(self, turns: Iterator[_Turn]) -> None:
        """Answer one question after another until none is left."""
        for question, sample_indices in turns:
            asked, fitted = await self._text(question)
            if fitted is not None and fitted.is_cut and not self.asking.cuts_prompts:
                for index in sample_indices:
                    self._keep(too_long(question, index, self.asking, fitted))
                continue
            answers = [self._answer(question, asked, index, fitted) for index in sample_indices]
            await asyncio.gather(*answers)

    async def _text(self, question: Question) -> tuple[Asked, FittedPrompt | None]:
        asked = self.found.ask(question)
        if self.asking.is_threaded and len(asked.context) > _INLINE_CHARACTERS:
            return asked, await asyncio.to_thread(prompt_of, asked, self.asking, self.chat)
        return asked, prompt_of(asked, self.asking, self.chat)

    async def _answer(
        self, question: Question, asked: Asked, sample_index: int, fitted: FittedPrompt | None
    ) -> None:
        chat: ChatSampler = LimitedChat(self.chat, self.limits, self.limits.next_age())
        if self.asking.own_agent is not None:
            chat = KeptChat(chat, self.log, self.asking.benchmark)
        self._keep(
            await answer_question(
                question, asked, sample_index, asking=self.asking, chat=chat, fitted=fitted
            )
        )

    def _keep(self, answer: Answer) -> None:
        if answer.failure != Failure.REFUSED:
            self.num_refusable = 0
        elif self.num_refusable:
            self._hold(answer)
            return
        for held in (*self.refused, answer):
            self._add(held)
        self.refused.clear()

    def _hold(self, answer: Answer) -> None:
        """Keep a refusal for later; too many before any answer end the run."""
        self.refused.append(answer)
        if len(self.refused) >= self.num_refusable:
            raise ModelError(
                f"the server refused all of the first {len(self.refused)} questions: "
                f"{answer.error}; none was counted; put the settings right and run again"
            )

    def _add(self, answer: Answer) -> None:
        self.log.add(answer)
        _count(self.progress, answer)
        if self.on_progress:
            self.on_progress(self.progress)
        is_away = answer.failure == Failure.UNAVAILABLE
        self.num_outages = self.num_outages + 1 if is_away else 0
        if self.num_outages >= _MOST_OUTAGES and not self.asking.accepts_outages:
            raise ModelError(
                f"{self.num_outages} questions in a row got no reply: {answer.error}; run the same "
                "command again to go on; if only these questions fail, --set asking.outages=fail "
                "counts them as failed"
            )


def _count(progress: Progress, answer: Answer) -> None:
    progress.num_done += 1
    progress.num_failed += bool(answer.failure)
    progress.usage += answer.usage
