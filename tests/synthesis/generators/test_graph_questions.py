"""What holds for every draft of the generators on the graph of facts."""

from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import islice
from random import Random

import pytest

from longloom.records import RewardRule, TaskType
from longloom.synthesis.generators import multi_hop, multiple_choice, reading_comprehension
from longloom.synthesis.generators.anchors import contains_words
from longloom.synthesis.generators.draft import Draft, Setting
from longloom.synthesis.generators.inquiry import NAMING_ABILITIES
from longloom.synthesis.programs.choice import Choice
from longloom.synthesis.programs.codec import shape_of
from longloom.synthesis.programs.world import World
from synthesis.small_relations import KINDS, RELATIONS, memos

WORLD = memos()
MODULES = {
    TaskType.MULTI_HOP: multi_hop,
    TaskType.MULTIPLE_CHOICE: multiple_choice,
    TaskType.READING_COMPREHENSION: reading_comprehension,
}


def stream(task: TaskType, world: World = WORLD, seed: int = 0) -> Iterator[Draft]:
    generate = MODULES[task].generator_for(RELATIONS, KINDS)
    return iter(generate(Setting(world=world, documents={}), Random(seed)))


@cache
def drafts(task: TaskType) -> list[Draft]:
    return list(islice(stream(task), 600))


@pytest.mark.parametrize("task", MODULES)
def test_every_answer_is_what_the_program_answers(task: TaskType) -> None:
    made = drafts(task)
    assert len(made) > 200
    for draft in made:
        execution = draft.program.execute(WORLD)
        assert execution.only_answer == draft.answer
        assert execution.evidence
        documents = {fact.doc_id for fact in execution.evidence}
        assert len(documents) >= draft.min_documents
        assert draft.task_type is task


@pytest.mark.parametrize("task", [TaskType.MULTI_HOP, TaskType.READING_COMPREHENSION])
def test_no_question_says_its_answer_unless_it_names_candidates(task: TaskType) -> None:
    for draft in drafts(task):
        if draft.ability not in NAMING_ABILITIES:
            assert not contains_words(draft.answer, draft.question), draft.question


@pytest.mark.parametrize("task", MODULES)
def test_questions_are_whole_sentences_without_placeholders(task: TaskType) -> None:
    for draft in drafts(task):
        first = draft.question.split("\n")[0]
        assert first[0].isupper()
        assert first.endswith((".", "?"))
        assert not any(mark in draft.question for mark in ("{", "}", "  ", " ,", "None", ",."))


@pytest.mark.parametrize("task", MODULES)
def test_shapes_take_turns(task: TaskType) -> None:
    made = drafts(task)[:200]
    shapes = Counter(shape_of(draft.program) for draft in made)
    assert len(shapes) >= 25
    assert max(shapes.values()) <= 20


@pytest.mark.parametrize("task", MODULES)
def test_same_stream_gives_the_same_drafts(task: TaskType) -> None:
    made = drafts(task)[:200]
    assert list(islice(stream(task), 200)) == made
    assert list(islice(stream(task, seed=1), 200)) != made


@pytest.mark.parametrize("task", MODULES)
def test_empty_world_asks_nothing_and_ends(task: TaskType) -> None:
    assert list(stream(task, World({}))) == []


def test_multi_hop_covers_the_paradigms() -> None:
    abilities = {draft.ability for draft in drafts(TaskType.MULTI_HOP)}
    assert abilities >= {
        "aggregation",
        "comparison",
        "counterfactual",
        "multi_fact",
        "ordering",
        "temporal",
        "unanswerable",
    }


def test_unanswerable_questions_are_few_and_offer_the_way_out() -> None:
    made = drafts(TaskType.MULTI_HOP)
    missing = [draft for draft in made if draft.ability == "unanswerable"]
    assert 0 < len(missing) < len(made) / 10
    assert all("not stated" in draft.question for draft in missing)


def test_letters_are_balanced_and_options_differ() -> None:
    made = drafts(TaskType.MULTIPLE_CHOICE)
    letters = Counter(draft.answer for draft in made)
    assert set(letters) == set("ABCD")
    assert max(letters.values()) < 0.35 * len(made)
    for draft in made:
        assert isinstance(draft.program, Choice)
        assert draft.reward_rule is RewardRule.CHOICE
        assert len(set(draft.program.options)) == 4
        lines = draft.question.split("\n")[-4:]
        assert [line[:3] for line in lines] == ["A. ", "B. ", "C. ", "D. "]


def test_options_have_the_format_of_the_answer() -> None:
    for draft in drafts(TaskType.MULTIPLE_CHOICE):
        assert isinstance(draft.program, Choice)
        options = draft.program.options
        assert len({option[:1].isdigit() for option in options}) == 1
        if options[0][:4].isdigit() and "-" in options[0]:
            assert {len(option) for option in options} == {10}
