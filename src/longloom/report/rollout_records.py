"""Logged rollout groups: what the pipeline writes into rollouts.jsonl and the report reads.

    rollout_record(step, stage, group, context)  ->  one line  ->  iterate_rollout_groups(path)

A record holds texts alone: token ids and log-probabilities stay out, prompts of memory agents and
whole contexts stay in, so a pipeline logs a sample of its groups, not all of them.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longloom.errors import DataError
from longloom.records import Context, FinishReason, Rollout, RolloutGroup
from longloom.runlog import RecordSchema, iterate_records

ROLLOUT_SCHEMA = RecordSchema(name="longloom.rollouts", version=1)
"""Lines are what `rollout_record` returns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedTurn:
    """One call of the model."""

    prompt_text: str
    """The whole prompt."""
    response_text: str
    """The response, thinking included."""
    finish_reason: FinishReason
    """Why the call ended."""
    num_prompt_tokens: int
    """Length of the prompt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRollout:
    """One attempt."""

    reward: float
    """Its reward."""
    extracted_answer: str
    """What was taken as the answer; empty if none was found."""
    error: str
    """Why it failed, or empty."""
    turns: tuple[LoggedTurn, ...]
    """The calls in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedGroup:
    """All attempts at one question in one step."""

    step: int
    """As in its file, plus the steps of earlier stages."""
    stage: str
    """The stage that drew it."""
    task_type: str
    """One of the five tasks."""
    question: str
    """The question."""
    answer: str
    """The ground truth."""
    context_text: str
    """The documents as the model saw them."""
    evidence: tuple[tuple[int, int], ...]
    """Half-open character spans in `context_text`."""
    sources: tuple[str, ...]
    """Where the documents came from."""
    program: str
    """JSON of the program whose execution gave the answer."""
    rollouts: tuple[LoggedRollout, ...]
    """The attempts."""


def rollout_record(
    step: int, stage: str, group: RolloutGroup, context: Context
) -> dict[str, object]:
    """Return the record of one group, for a `RecordWriter` with `ROLLOUT_SCHEMA`.

    Args:
        step: step of the group within its stage.
        stage: name of its stage.
        group: the scored attempts.
        context: the context of the group's example.

    Raises:
        DataError: the context is not the one that the example refers to.
    """
    example = group.example
    if context.context_id != example.context_id:
        raise DataError(
            f"example {example.example_id} is about context {example.context_id}, got "
            f"{context.context_id}; pass the context of the example"
        )
    return {
        "step": step,
        "stage": stage,
        "task_type": str(example.task_type),
        "question": example.question,
        "answer": example.answer,
        "context_text": context.text,
        "evidence": [[span.context_start, span.context_end] for span in example.evidence],
        "sources": list(example.provenance),
        "program": example.program,
        "rollouts": [
            {
                "reward": reward.value,
                "extracted_answer": reward.extracted_answer,
                "error": rollout.error,
                "turns": _turn_records(rollout),
            }
            for rollout, reward in zip(group.rollouts, group.rewards, strict=True)
        ],
    }


def _turn_records(rollout: Rollout) -> list[dict[str, object]]:
    return [
        {
            "prompt_text": turn.prompt_text,
            "response_text": turn.response_text,
            "finish_reason": str(turn.finish_reason),
            "num_prompt_tokens": len(turn.prompt_ids),
        }
        for turn in rollout.turns
    ]


def iterate_rollout_groups(path: Path, *, steps_before: int = 0) -> Iterator[LoggedGroup]:
    """Yield the groups of a rollouts file one by one; a torn last line is left out.

    Args:
        path: the file.
        steps_before: added to their steps: those of earlier stages of the run.

    Raises:
        DataError: the file is missing or damaged, or a span lies outside its context.
    """
    records = iterate_records(path, schema=ROLLOUT_SCHEMA)
    for line_number, record in enumerate(records, start=2):
        if record is None:
            continue
        try:
            yield _group(record, steps_before)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"{path}, line {line_number} is not a rollout group: {error!r}; the file was "
                "changed or damaged"
            ) from None


def _group(record: Mapping[str, Any], steps_before: int) -> LoggedGroup:
    text = str(record["context_text"])
    evidence = tuple((int(start), int(end)) for start, end in record["evidence"])
    for start, end in evidence:
        if not 0 <= start < end <= len(text):
            raise ValueError(f"evidence {start}:{end} lies outside a context of {len(text)}")
    return LoggedGroup(
        step=int(record["step"]) + steps_before,
        stage=str(record["stage"]),
        task_type=str(record["task_type"]),
        question=str(record["question"]),
        answer=str(record["answer"]),
        context_text=text,
        evidence=evidence,
        sources=tuple(str(source) for source in record["sources"]),
        program=str(record["program"]),
        rollouts=tuple(_rollout(entry) for entry in record["rollouts"]),
    )


def _rollout(record: Mapping[str, Any]) -> LoggedRollout:
    reward = float(record["reward"])
    if not math.isfinite(reward):
        raise ValueError(f"reward is {reward}; expected a finite number")
    return LoggedRollout(
        reward=reward,
        extracted_answer=str(record["extracted_answer"]),
        error=str(record["error"]),
        turns=tuple(
            LoggedTurn(
                prompt_text=str(turn["prompt_text"]),
                response_text=str(turn["response_text"]),
                finish_reason=FinishReason(turn["finish_reason"]),
                num_prompt_tokens=int(turn["num_prompt_tokens"]),
            )
            for turn in record["turns"]
        ),
    )
