"""Examples written by `synthesize` as a benchmark: asked and scored like those of the papers.

Parity is the reward of QwenLong-L1's code (substrings in both directions, any power of ten), strict
is the reward that Longloom trains with. Their difference shows what that code would have paid for.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from longloom.errors import DataError
from longloom.evaluation.benchmark import Benchmark
from longloom.evaluation.questions import Asked, Question, QuestionSet
from longloom.evaluation.rows import file_digest
from longloom.evaluation.scoring.docmath import score_docmath_l1
from longloom.evaluation.scoring.judging import QWENLONG
from longloom.evaluation.scoring.long_answer import score_answer
from longloom.evaluation.scoring.score import Score
from longloom.recipes.run_config import RunConfig
from longloom.records import Context, Example, Reward, RewardRule, TaskType
from longloom.rewards.hybrid import rule_reward
from longloom.rewards.rules import sequence_ratio
from longloom.synthesis.storage import CONTEXTS_FILE, EXAMPLES_FILE, read_examples
from longloom.text.prompts import split_template

_FACETS = ("task", "hops", "ability")


def is_examples_folder(folder: Path) -> bool:
    """Return whether a folder holds examples."""
    return (folder / EXAMPLES_FILE).is_file()


def examples_benchmark(folder: Path, config: RunConfig, split: str, *, name: str = "") -> Benchmark:
    """Return the examples of one split of a folder as a benchmark.

    Args:
        folder: written by `synthesize`.
        config: says the prompts and the reward.
        split: `held_out` or `train`.
        name: of the benchmark; the folder's if not given.

    Raises:
        DataError: the folder cannot be read, or holds no example of that split.
    """
    found, contexts = read_examples(folder)
    chosen = {one.example_id: one for one in found if one.split == split}
    if not chosen:
        raise DataError(
            f"{folder} holds no {split} examples; synthesise some or take another split"
        )
    label = name or label_of(folder)
    return Benchmark(
        name=label,
        title=label,
        measure="reward" if config.judge is None else "max(rule, judge)",
        source=None,
        read=lambda _folder, _settings: _question_set(folder, chosen, contexts, config),
        score=lambda question, text: _score(chosen[question.question_id], text, config),
        judge=QWENLONG,
        facets=_FACETS,
    )


def label_of(folder: Path) -> str:
    """Return a name for the files of results: the stage of a checkpoint, else the folder's."""
    path = folder.resolve()
    name = path.parent.name if path.name == "final" else path.name
    return re.sub(r"[^A-Za-z0-9._]+", "-", name).strip("-._") or "unnamed"


def _question_set(
    folder: Path,
    examples: Mapping[str, Example],
    contexts: Mapping[str, Context],
    config: RunConfig,
) -> QuestionSet:
    return QuestionSet(
        questions=tuple(_question(example) for example in examples.values()),
        ask=lambda question: _asked(examples[question.question_id], contexts, config.template),
        source={name: file_digest(folder / name) for name in (EXAMPLES_FILE, CONTEXTS_FILE)},
    )


def _question(example: Example) -> Question:
    return Question(
        question_id=example.example_id,
        golds=(example.answer,),
        facets={
            "task": str(example.task_type),
            "hops": str(example.num_hops),
            "ability": example.ability,
        },
        depths=example.depths,
    )


def _asked(example: Example, contexts: Mapping[str, Context], template: str) -> Asked:
    if template == "l1" and example.task_type is TaskType.MULTIPLE_CHOICE:
        template = "l1_multiple_choice"
    before, after = split_template(template, "context", question=example.question)
    return Asked(
        context=contexts[example.context_id].text,
        query=example.question,
        before=before,
        after=after,
        evidence=tuple((one.context_start, one.context_end) for one in example.evidence),
    )


def _score(example: Example, text: str, config: RunConfig) -> Score:
    reward: Reward = rule_reward(
        example, text, config=config.reward.replace(requires_thinking=False)
    )
    if example.reward_rule is RewardRule.SEQUENCE_MATCH:
        parity = Score(parity=sequence_ratio(text, example.answer), strict=0.0)
    elif example.reward_rule is RewardRule.NUMERIC:
        parity = score_docmath_l1(text, (example.answer,))
    else:
        parity = score_answer(text, (example.answer,))
    return Score(
        parity=parity.parity,
        strict=reward.value,
        parts=parity.parts,
        extracted=reward.extracted_answer or None,
        parity_extracted=parity.parity_extracted,
    )
