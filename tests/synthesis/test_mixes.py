"""Mixes hold what the papers' sets hold, and contexts are woven for all of it."""

from collections import Counter
from random import Random

import pytest

from longloom.records import Split, TaskType
from longloom.synthesis.config import SynthesisConfig
from longloom.synthesis.mixes import BIN_TOKENS, MIXES, QuestionKind
from longloom.synthesis.task_weights import TaskWeights
from longloom.synthesis.weaving.mixes import draw_length
from longloom.synthesis.weaving.shares import contexts_by_genre

DOCQA = MIXES["docqa-rl"]
EVEN = TaskWeights()


def _contexts(mix: str, num_tokens: dict[tuple[str, Split], float], num_examples: int = 1_600):
    return contexts_by_genre(
        MIXES[mix],
        num_tokens,
        num_examples=num_examples,
        questions_per_context=16,
        weights=EVEN,
        held_out_fraction=0.1,
    )


def _train(**tokens: float) -> dict[tuple[str, Split], float]:
    return {(genre, Split.TRAIN): number for genre, number in tokens.items()}


def test_docqa_rl_has_the_quotas_of_qwenlong_l1() -> None:
    by_task = Counter[TaskType]()
    for quota in DOCQA.quotas:
        tasks = {kind.task_type for kind in quota.kinds}
        assert len(tasks) == 1
        by_task[tasks.pop()] += int(quota.weight)
    assert by_task == {
        TaskType.NUMERICAL: 600,
        TaskType.MULTIPLE_CHOICE: 600,
        TaskType.MULTI_HOP: 400,
    }
    assert DOCQA.num_examples == 1_600
    assert sum(DOCQA.length_weights) == 1_591  # rows of the published set


def test_the_histogram_of_qwenlong_l15_holds_its_set() -> None:
    assert sum(MIXES["qwenlong-l15"].length_weights) == 14_174


def test_names_of_kinds_are_unique() -> None:
    names = [kind.name for quota in DOCQA.quotas for kind in quota.kinds]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("mix", sorted(MIXES))
def test_lengths_follow_the_histogram(mix: str) -> None:
    rng = Random(1)
    weights = MIXES[mix].length_weights
    drawn = [draw_length(mix, rng, min_tokens=1, max_tokens=120_000) for _ in range(20_000)]
    counts = Counter((length - 1) // BIN_TOKENS for length in drawn)
    for place, weight in enumerate(weights):
        assert counts[place] / 20_000 == pytest.approx(weight / sum(weights), abs=0.012)


def test_lengths_keep_the_limits() -> None:
    rng = Random(1)
    drawn = [draw_length("docqa-rl", rng, min_tokens=2_000, max_tokens=9_000) for _ in range(999)]
    assert (min(drawn) > 2_000, max(drawn) <= 9_000) == (True, True)
    assert draw_length("docqa-rl", rng, min_tokens=100_000, max_tokens=110_000) == 110_000


def test_the_number_of_questions_comes_from_the_mix_unless_given() -> None:
    assert SynthesisConfig().num_examples == 12_000
    assert SynthesisConfig(mix="docqa-rl").num_examples == 1_600
    assert SynthesisConfig(mix="docqa-rl", num_examples=7).num_examples == 7


def test_a_kind_looks_at_task_genres_titles_and_number_of_documents() -> None:
    kind = QuestionKind(
        name="k",
        task_type=TaskType.MULTI_HOP,
        genres=frozenset({"law", "contract"}),
        title_words=("insurance",),
        min_gold_documents=2,
    )
    titles = ("Insurance Act", "Lease")
    assert kind.accepts(TaskType.MULTI_HOP, ("law", "contract"), titles)
    assert not kind.accepts(TaskType.NUMERICAL, ("law", "contract"), titles)
    assert not kind.accepts(TaskType.MULTI_HOP, ("law", "filing"), titles)
    assert not kind.accepts(TaskType.MULTI_HOP, ("law",), ("Act", "Lease"))
    assert not kind.accepts(TaskType.MULTI_HOP, ("law",), titles[:1])
    assert not kind.accepts(TaskType.MULTI_HOP, (), ())


def test_only_tasks_of_the_mix_are_asked_about_a_genre() -> None:
    filing = DOCQA.weights_for("filing", EVEN)
    assert {task for task in TaskType if filing.weight_of(task)} == {
        TaskType.NUMERICAL,
        TaskType.MULTIPLE_CHOICE,
        TaskType.MULTI_HOP,
    }
    novel = DOCQA.weights_for("novel", EVEN)
    assert [task for task in TaskType if novel.weight_of(task)] == [TaskType.MULTI_HOP]
    assert MIXES["uniform"].weights_for("filing", EVEN) == EVEN


def test_contexts_are_woven_about_documents_of_every_quota() -> None:
    counts = _contexts("docqa-rl", _train(filing=9e6, law=1e6, article=4e6, dialogue=4e6))
    # 1,600 questions, 1.5 times, 2 a context: 1,200 contexts. Filings: all 450 numerical ones,
    # a third of 450 for legal, financial and insurance choices and more.
    assert sum(counts.values()) == pytest.approx(1_200, abs=3)
    assert counts["filing", Split.TRAIN] > 600
    assert counts["law", Split.TRAIN] > 150
    assert counts["article", Split.TRAIN] > 150
    assert ("dialogue", Split.TRAIN) not in counts


def test_without_quotas_conversations_get_the_share_of_their_task() -> None:
    counts = _contexts("qwenlong-l15", _train(filing=4e6, dialogue=1e6, law=1e6), 1_600)
    # 1,600 * 1.5 / 16 = 150 contexts: a fifth for conversations, the rest 2 to 1.
    assert counts == {
        ("dialogue", Split.TRAIN): 30,
        ("filing", Split.TRAIN): 80,
        ("law", Split.TRAIN): 40,
    }


def test_held_out_documents_get_their_fraction() -> None:
    held_out = {("law", Split.HELD_OUT): 1e6}
    counts = _contexts("qwenlong-l15", {**_train(law=1e6, dialogue=1e6), **held_out})
    assert counts["law", Split.HELD_OUT] == round(counts["law", Split.TRAIN] / 10)
