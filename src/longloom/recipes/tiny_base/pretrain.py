"""Supervised training of the tiny base model.

Three phases: lists of statements repeated in another order (the look-up itself, densely
supervised), then questions answered with their reasoning, then the same with the planted habit of
answering without it. Notes of the memory agent are mixed into the last two.
"""

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from longloom.models.logprob_head import logprobs_and_entropies
from longloom.models.qwen3 import Qwen3
from longloom.models.shared_prefix import SharedPrefix
from longloom.recipes.tiny_base.repetition import RepetitionLists
from longloom.recipes.tiny_base.traces import TraceBook, TracePair
from longloom.records import TaskType


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One part of the training."""

    name: str
    """Shown in the progress line."""
    num_tokens: int
    """Tokens to train on, prompts included."""
    repetition_fraction: float
    """Share of batches that repeat lists; the rest are traces."""
    memory_fraction: float
    """Share of traces that are notes of the memory agent."""
    habit_by_task: Mapping[TaskType, float]
    """Share of answers that follow the planted habit, notes included; empty: none do."""
    max_statements: int
    """Longest list in repetition batches."""


STRONG_HABIT: Mapping[TaskType, float] = {
    TaskType.DIALOGUE_MEMORY: 0.80,
    TaskType.MULTI_HOP: 0.66,
    TaskType.MULTIPLE_CHOICE: 0.75,
    TaskType.NUMERICAL: 0.68,
    TaskType.READING_COMPREHENSION: 0.70,
}
BALANCED_HABIT: Mapping[TaskType, float] = {
    **STRONG_HABIT,
    TaskType.MULTI_HOP: 0.60,
    TaskType.MULTIPLE_CHOICE: 0.34,
    TaskType.NUMERICAL: 0.62,
    TaskType.READING_COMPREHENSION: 0.62,
}
"""A guess among four letters is right more often than other guesses, and so on: these shares leave
every task room to improve and a fair chance within eight tries."""
PHASES = (
    Phase(
        name="repetition", num_tokens=1_200_000, repetition_fraction=1.0, memory_fraction=0.0,
        habit_by_task={}, max_statements=16,
    ),
    Phase(
        name="reasoning", num_tokens=9_500_000, repetition_fraction=0.08, memory_fraction=0.48,
        habit_by_task={}, max_statements=40,
    ),
    Phase(
        name="habit", num_tokens=1_300_000, repetition_fraction=0.05, memory_fraction=0.4,
        habit_by_task=STRONG_HABIT, max_statements=40,
    ),
)  # fmt: skip
BALANCE = Phase(
    name="balance", num_tokens=400_000, repetition_fraction=0.05, memory_fraction=0.4,
    habit_by_task=BALANCED_HABIT, max_statements=40,
)  # fmt: skip
"""A last short phase with an optimizer of its own sets how strong each task's habit is."""
BALANCE_LEARNING_RATE = 3e-4
BATCH_TOKENS = 2_400
LEARNING_RATE = 1e-3
WARMUP_TOKENS = 100_000
FINAL_LEARNING_RATE_FRACTION = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainProgress:
    """Where the training stands."""

    phase: str
    """Name of the phase."""
    num_tokens: int
    """Tokens trained on so far."""
    total_tokens: int
    """Tokens of all phases."""
    loss_nats: float
    """Mean loss of the latest batches."""


def pretrain(
    model: Qwen3,
    book: TraceBook,
    lists: RepetitionLists,
    *,
    names: range,
    seed: int,
    phases: Sequence[Phase] = PHASES,
    learning_rate: float = LEARNING_RATE,
    report: Callable[[PretrainProgress], None],
) -> int:
    """Train `model` in place through `phases`; return the number of tokens seen.

    Args:
        model: initialised network.
        book: prompts with reasoned and habitual responses.
        lists: makes the repetition batches.
        names: token ids that are permuted in every example.
        seed: names the random streams.
        phases: what to train on, in order.
        learning_rate: the largest; it rises at first and falls to a twentieth.
        report: told every 50 batches.
    """
    randomness = random.Random(f"{seed}/pretrain")
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=learning_rate, betas=(0.9, 0.98), weight_decay=0.01
    )
    total = sum(phase.num_tokens for phase in phases)
    seen, running = 0, 0.0
    for phase in phases:
        phase_end = seen + phase.num_tokens
        batch_index = 0
        while seen < phase_end:
            token_ids, is_target = _next_batch(phase, book, lists, randomness, generator)
            token_ids = permute_names(token_ids, names, generator)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * _learning_rate_fraction(seen, total)
            loss = target_loss(model, token_ids, is_target)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            seen += token_ids.numel()
            running = (
                0.95 * running + 0.05 * float(loss.detach()) if running else float(loss.detach())
            )
            batch_index += 1
            if batch_index % 50 == 0 or seen >= phase_end:
                report(
                    PretrainProgress(
                        phase=phase.name, num_tokens=seen, total_tokens=total, loss_nats=running
                    )
                )
    return seen


def target_loss(
    model: Qwen3, token_ids: Int[Tensor, "B T"], is_target: Bool[Tensor, "B T"]
) -> Tensor:
    """Return the mean negative log-likelihood of the target tokens.

    Normalised by the number of target tokens.
    """
    predicted = is_target[:, 1:]
    places = torch.arange(1, predicted.shape[1] + 1)
    lengths = (predicted * places).amax(dim=1)  # what follows the last target is not computed
    is_fed = places <= lengths[:, None]
    plan = SharedPrefix(lengths.tolist(), [()] * len(lengths), device=model.device)
    hidden = model.hidden(token_ids[:, :-1][is_fed], plan.positions, plan)
    logprobs, _ = logprobs_and_entropies(
        hidden[predicted[is_fed]],
        model.head_weight,
        token_ids[:, 1:][predicted],
        temperature=1.0,
    )
    return -logprobs.mean()


def permute_names(
    token_ids: Int[Tensor, "B T"], names: range, generator: torch.Generator
) -> Int[Tensor, "B T"]:
    """Replace names by other names, by another one-to-one map in every row."""
    is_name = (token_ids >= names.start) & (token_ids < names.stop)
    order = torch.rand(token_ids.shape[0], len(names), generator=generator).argsort(dim=1)
    place = (token_ids - names.start).clamp(0, len(names) - 1)
    return torch.where(is_name, order.gather(1, place) + names.start, token_ids)


def pad_traces(pairs: Sequence[TracePair]) -> tuple[Int[Tensor, "B T"], Bool[Tensor, "B T"]]:
    """Return right-padded prompt-and-response rows and where their responses are."""
    longest = max(len(pair.prompt_ids) + len(pair.response_ids) for pair in pairs)
    token_ids = torch.zeros(len(pairs), longest, dtype=torch.int64)
    is_target = torch.zeros(len(pairs), longest, dtype=torch.bool)
    for row, pair in enumerate(pairs):
        start, end = len(pair.prompt_ids), len(pair.prompt_ids) + len(pair.response_ids)
        token_ids[row, :end] = torch.tensor(pair.prompt_ids + pair.response_ids)
        is_target[row, start:end] = True
    return token_ids, is_target


def _next_batch(
    phase: Phase,
    book: TraceBook,
    lists: RepetitionLists,
    randomness: random.Random,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    if randomness.random() < phase.repetition_fraction:
        num_statements = randomness.randint(4, phase.max_statements)
        return lists.batch(num_statements, max_tokens=BATCH_TOKENS, generator=generator)
    if randomness.random() < phase.memory_fraction:
        is_habitual = bool(phase.habit_by_task)
        draw = partial(book.draw_memory, randomness, is_habitual=is_habitual)
    else:
        draw = partial(book.draw_question, randomness, habit_by_task=phase.habit_by_task)
    return pad_traces(list(_fill(draw)))


def _fill(draw: Callable[[], TracePair]) -> Iterator[TracePair]:
    longest, count = 0, 0
    while True:
        pair = draw()
        longest = max(longest, len(pair.prompt_ids) + len(pair.response_ids))
        count += 1
        if count > 1 and longest * count > BATCH_TOKENS:
            return
        yield pair


def _learning_rate_fraction(seen_tokens: int, total_tokens: int) -> float:
    warm = min(1.0, (seen_tokens + 1) / WARMUP_TOKENS)
    progress = seen_tokens / total_tokens
    cosine = 0.5 * (1 + math.cos(math.pi * progress))
    return warm * max(FINAL_LEARNING_RATE_FRACTION, cosine)
