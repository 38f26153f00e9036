"""A part of a benchmark's questions: the same for everybody, spread evenly."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from longloom.evaluation.asking.choosing import choose_questions
from longloom.evaluation.questions import Question

QUESTIONS = [
    Question(question_id=f"q{number}", golds=(), facets={"task": "rare" if number < 5 else "often"})
    for number in range(100)
]


@given(num=st.integers(1, 120), seed=st.integers(0, 5))
def test_so_many_are_chosen_in_their_order(num: int, seed: int) -> None:
    chosen = choose_questions(QUESTIONS, num, seed=seed)
    assert len(chosen) == min(num, 100)
    assert [QUESTIONS.index(one) for one in chosen] == sorted(map(QUESTIONS.index, chosen))


def test_values_of_the_facet_take_turns() -> None:
    chosen = choose_questions(QUESTIONS, 20, seed=0, facet="task")
    assert Counter(one.facets["task"] for one in chosen) == {"rare": 5, "often": 15}


def test_more_questions_keep_those_that_fewer_had() -> None:
    few, many = (choose_questions(QUESTIONS, num, seed=1, facet="task") for num in (10, 30))
    assert {one.question_id for one in few} < {one.question_id for one in many}


def test_another_seed_chooses_others() -> None:
    chosen = [choose_questions(QUESTIONS, 10, seed=seed) for seed in range(2)]
    assert chosen[0] != chosen[1]


def test_all_are_asked_without_a_limit() -> None:
    assert choose_questions(QUESTIONS, None, seed=0) == tuple(QUESTIONS)
