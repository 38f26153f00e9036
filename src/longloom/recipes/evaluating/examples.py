"""Examples written by `synthesize` as a benchmark: asked and scored like those of the papers.

Parity is the reward of QwenLong-L1's code (substrings in both directions, any power of ten), strict
is Longloom's reward with whole words. Their difference shows what that code would have paid for.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from longloom.errors import DataError
from longloom.evaluation.benchmark import Benchmark, ReadSettings
from longloom.evaluation.benchmarks.judges import QWENLONG
from longloom.evaluation.questions import Asked, Question, QuestionSet
from longloom.evaluation.rows import sha256_digest
from longloom.evaluation.scoring.choices import score_longbench_v2
from longloom.evaluation.scoring.docmath import score_docmath
from longloom.evaluation.scoring.long_answer import score_answer
from longloom.evaluation.scoring.score import Score
from longloom.recipes.run_config import RunConfig
from longloom.records import Context, Example, RewardRule, TaskType
from longloom.rewards.hybrid import rule_reward
from longloom.rewards.rules import sequence_ratio
from longloom.rollout.asking import asked_example
from longloom.synthesis.storage import CONTEXTS_FILE, EXAMPLES_FILE, read_examples
from longloom.text.prompts import split_template

MakeExamples = Callable[[Path, ReadSettings], None]
"""Makes the folder of examples where it is missing."""

_FACETS = ("task", "hops", "ability")


def is_examples_folder(folder: Path) -> bool:
    """Return whether a folder holds examples."""
    return (folder / EXAMPLES_FILE).is_file()


def examples_benchmark(
    name: str, config: RunConfig, *, split: str, title: str = "", make: MakeExamples | None = None
) -> Benchmark:
    """Return the examples of one split of a folder as a benchmark.

    Args:
        name: of the benchmark.
        config: says the prompts and the reward.
        split: `held_out` or `train`.
        title: as in tables; the name if not given.
        make: makes the folder where it is missing.
    """

    def read(folder: Path, settings: ReadSettings) -> QuestionSet:
        if make is not None and not is_examples_folder(folder):
            make(folder, settings)
        return _question_set(folder, split, config)

    return Benchmark(
        name=name,
        title=title or name,
        measure="reward" if config.judge is None else "max(rule, judge)",
        source=None,
        read=read,
        score=lambda question, text: _score(question, text, config),
        judge=None if config.judge is None else QWENLONG,
        facets=_FACETS,
    )


def label_of(folder: Path) -> str:
    """Return a name for the files of results: the stage of a checkpoint, else the folder's."""
    path = folder.resolve()
    name = path.parent.name if path.name == "final" else path.name
    return re.sub(r"[^A-Za-z0-9._]+", "-", name).strip("-._") or "unnamed"


def _question_set(folder: Path, split: str, config: RunConfig) -> QuestionSet:
    """Read the examples of one split.

    Raises:
        DataError: the folder cannot be read, or holds no example of that split.
    """
    found, contexts = read_examples(folder)
    examples = {one.example_id: one for one in found if one.split == split}
    if not examples:
        raise DataError(
            f"{folder} holds no {split} examples; synthesise some or take another split"
        )

    def ask(question: Question) -> Asked:
        example = examples[question.question_id]
        return _asked(example, contexts[example.context_id], config.template)

    return QuestionSet(
        questions=tuple(
            _question(one, len(contexts[one.context_id].text)) for one in examples.values()
        ),
        ask=ask,
        source={name: sha256_digest(folder / name) for name in (EXAMPLES_FILE, CONTEXTS_FILE)},
    )


def _question(example: Example, num_characters: int) -> Question:
    places = [one.context_start / max(1, num_characters) for one in example.evidence]
    return Question(
        question_id=example.example_id,
        golds=(example.answer,),
        facets={
            "task": str(example.task_type),
            "hops": str(example.num_hops),
            "ability": example.ability,
        },
        scoring={"reward_rule": str(example.reward_rule)},
        depths=example.depths or tuple(sorted(places)),
    )


def _asked(example: Example, context: Context, template: str) -> Asked:
    if template == "l1" and example.task_type is TaskType.MULTIPLE_CHOICE:
        template = "l1_multiple_choice"
    before, after = split_template(template, "context", question=example.question)
    return Asked(
        context=context.text,
        query=example.question,
        before=before,
        after=after,
        evidence=tuple((one.context_start, one.context_end) for one in example.evidence),
    )


def _score(question: Question, text: str, config: RunConfig) -> Score:
    rule = RewardRule(question.scoring["reward_rule"])
    answer = question.golds[0]
    example = replace(asked_example("", context_id=""), answer=answer, reward_rule=rule)
    # Thinking was taken away before; a gold is a word of its own, also where training takes less.
    reading = config.reward.replace(requires_thinking=False, cover_match="whole_words")
    reward = rule_reward(example, text, config=reading)
    match rule:
        case RewardRule.CHOICE:
            parity = score_longbench_v2(text, question.golds)
        case RewardRule.SEQUENCE_MATCH:
            parity = Score(parity=sequence_ratio(text, answer), strict=0.0)
        case RewardRule.NUMERIC:
            parity = score_docmath(text, question.golds)
        case _:
            parity = score_answer(text, question.golds)
    return Score(
        parity=parity.parity,
        strict=reward.value,
        parts=parity.parts,
        extracted=reward.extracted_answer or None,
        parity_extracted=parity.parity_extracted,
    )
