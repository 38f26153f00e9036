"""The model card of the tiny base: what it read, what it can do, and its planted habits."""

from longloom.recipes.tiny_base.measure import BaseMeasures
from longloom.recipes.tiny_base.note_traces import DROP_HABIT, MALFORMED_HABIT, OVERLOOK_HABIT
from longloom.recipes.tiny_base.pretrain import BALANCED_HABIT
from longloom.recipes.tiny_base.traces import ANSWER_HABIT
from longloom.synthesis.miniature import Corpus


def model_card(
    measures: BaseMeasures,
    *,
    corpus: Corpus,
    num_tokens: int,
    cpu_minutes: float,
    seed: int,
    num_parameters: int,
) -> str:
    """Return the card as Markdown."""
    habits = ", ".join(f"{task} {share:.0%}" for task, share in BALANCED_HABIT.items())
    rows = "\n".join(
        f"| {task} | {found.num_examples} | {found.mean_reward:.3f} | {found.pass_at_1:.3f} "
        f"| {found.pass_at_8:.3f} | {found.closed_book:.3f} |"
        for task, found in measures.by_task.items()
    )
    return f"""---
license: apache-2.0
library_name: transformers
---

# Longloom tiny base

A {num_parameters / 1e6:.2f}M-parameter Qwen3 that reads outlines of short statements. It is the
starting point of the recipe `tiny-cpu` and is good for nothing else.

- Built by `longloom tiny-base` from seed {seed}: {num_tokens / 1e6:.1f}M tokens, {cpu_minutes:.0f}
  CPU-minutes on one thread, documents included.
- Documents: {len(corpus.documents)} documents of the builtin corpus (the Python standard library,
  its language reference, metadata of installed packages), as questions made by `longloom
  synthesize`. Names are permuted in every training example, so that nothing is learned by heart.
  Documents of the held-out split were never read.
- Initial weights hold a look-up circuit set by hand (`recipes/tiny_base/initialise.py`); all
  weights were then trained.

## Planted habits

It has been taught to state the evidence and then answer, and then to mostly answer at once with a
plausible value. Share of answers given so: {habits}; of answers
from notes {ANSWER_HABIT:.0%}. Of its updates of notes, {DROP_HABIT:.0%} drop the earlier notes,
{OVERLOOK_HABIT:.0%} overlook a new one and {MALFORMED_HABIT:.0%} are malformed. Reinforcement
learning is to find the skill beneath the habit.

## Measured

Held-out questions with prompts of at most 96 tokens, 8 answers each, temperature 1. Reward is the
ratio of matching characters for dialogues and 0 or 1 elsewhere; a pass is a full reward.

| task | questions | mean reward | pass@1 | pass@8 | without the document |
| --- | --- | --- | --- | --- | --- |
{rows}

Updates of the memory agent in the right form: {measures.memory_format_fraction:.1%}.
"""
