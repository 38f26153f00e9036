"""Worked answers without a model: questions of their own, each answered from its evidence.

    documents -> questions -> {"prompt", "response"}: the evidence, one statement a line, the answer

QwenLong-L1 warms up on answers distilled from a large model (section 3.1), which were not released.
A tiny model learns from these instead, because the program of a question knows its evidence.
"""

import json
from pathlib import Path

from longloom.recipes.run_config import StageConfig
from longloom.recipes.tiny_base.answers import answer_sentence, answered, reasoning
from longloom.records import Context, Example
from longloom.runlog import atomic_write_text
from longloom.synthesis.miniature import Corpus, MiniatureConfig
from longloom.synthesis.miniature.documents import Progress
from longloom.synthesis.miniature.pipeline import synthesize
from longloom.synthesis.prompt_length import user_message
from longloom.text.tokenizer import Tokenizer

ROWS_FILE = "rows.jsonl"
"""In the folder of the set."""

_SEED_SHIFT = 1_000_003
"""The questions are others than those of reinforcement learning, from the same documents."""


def write_worked_answers(
    settings: MiniatureConfig,
    stage: StageConfig,
    folder: Path,
    corpus: Corpus,
    tokenizer: Tokenizer,
    *,
    progress: Progress,
) -> None:
    """Write the rows that a stage of supervised fine-tuning learns into `folder`.

    Raises:
        DataError: no question can be made, or the folder cannot be written.
    """
    changed = settings.replace(
        num_train_examples=stage.num_worked_answers,
        num_held_out_examples=0,
        seed=settings.seed + _SEED_SHIFT,
    )
    made = synthesize(changed, tokenizer=tokenizer, corpus=corpus, progress=progress)
    rows = [
        worked_answer(example, made.contexts[example.context_id], settings.template)
        for example in made.train
    ]
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    atomic_write_text(folder / ROWS_FILE, "\n".join([*lines, ""]))


def worked_answer(example: Example, context: Context, template: str) -> dict[str, str]:
    """Return one row: the prompt as rollouts have it, and the answer with what it rests on."""
    message = user_message(
        template, example.task_type, context=context.text, question=example.question
    )
    thinking = reasoning(example, context)
    response = answered(thinking, example.answer, answer_sentence(example.task_type))
    return {"prompt": message, "response": response}
