from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from longloom.records import TaskType
from longloom.synthesis.selection.balance import (
    MIN_PER_SHAPE,
    Candidate,
    capped_total,
    select,
    shape_cap,
)
from longloom.synthesis.task_weights import TaskWeights

TASKS = tuple(TaskType)


def _candidates(counts: dict[tuple[TaskType, str], int]) -> list[Candidate]:
    return [
        Candidate(
            example_id=f"{task}/{shape}/{place}",
            task_type=task,
            shape=shape,
            question=f"{task} {shape} {place}?",
            gold_documents=("First", "Second")[: 1 + place % 2],
        )
        for (task, shape), count in counts.items()
        for place in range(count)
    ]


def _select(candidates: list[Candidate], num_examples: int, max_fraction: float = 0.05):
    return select(
        candidates,
        num_examples=num_examples,
        weights=TaskWeights(),
        max_shape_fraction=max_fraction,
        seed=0,
    )


def test_no_shape_is_above_its_share() -> None:
    counts = {(TaskType.NUMERICAL, f"shape {place}"): 10 + 40 * place for place in range(30)}
    kept, left_out = _select(_candidates(counts), 1_000)
    by_shape = Counter(example_id.split("/")[1] for example_id in kept)
    assert len(kept) == 1_000
    assert max(by_shape.values()) <= 50
    assert by_shape["shape 0"] == 5  # those of its ten that need two documents
    assert sum(left_out.values()) == sum(counts.values()) - 1_000


def test_a_task_that_cannot_fill_its_share_leaves_it_to_others() -> None:
    few = {(TaskType.MULTI_HOP, f"shape {place}"): 1 for place in range(30)}
    many = {(TaskType.NUMERICAL, f"shape {place}"): 100 for place in range(30)}
    kept, _ = _select(_candidates(few | many), 1_000)
    by_task = Counter(example_id.split("/")[0] for example_id in kept)
    assert by_task == {"multi_hop": 30, "numerical": 970}


def test_questions_that_need_several_documents_come_first() -> None:
    counts = {(TaskType.NUMERICAL, f"shape {place}"): 20 for place in range(40)}
    kept, _ = _select(_candidates(counts), 400)
    assert all(int(example_id.rpartition("/")[2]) % 2 for example_id in kept)


def test_the_same_question_is_asked_once() -> None:
    candidates = _candidates({(TaskType.NUMERICAL, "shape"): 2})
    twin = Candidate(
        example_id="twin",
        task_type=TaskType.NUMERICAL,
        shape="shape",
        question=candidates[0].question,
    )
    kept, left_out = _select([*candidates, twin], 10)
    assert kept == {candidates[0].example_id, candidates[1].example_id}
    assert left_out == {"numerical/question_repeated": 1}


@given(st.lists(st.integers(1, 60), min_size=1, max_size=40), st.floats(0.01, 0.5))
def test_capped_total_is_feasible_and_maximal(counts: list[int], max_fraction: float) -> None:
    total = capped_total(counts, max_fraction)

    def is_feasible(number: int) -> bool:
        return sum(min(count, shape_cap(number, max_fraction)) for count in counts) >= number

    assert is_feasible(total)
    assert not any(is_feasible(number) for number in range(total + 1, sum(counts) + 1))


@given(
    st.dictionaries(
        st.tuples(st.sampled_from(TASKS), st.sampled_from("abcdefgh")), st.integers(1, 30)
    ),
    st.integers(1, 300),
)
def test_what_is_kept_respects_every_limit(
    counts: dict[tuple[TaskType, str], int], num_examples: int
) -> None:
    kept, _ = _select(_candidates(counts), num_examples)
    assert len(kept) <= num_examples
    by_task = Counter(example_id.split("/")[0] for example_id in kept)
    by_shape = Counter(tuple(example_id.split("/")[:2]) for example_id in kept)
    for (task, _), count in by_shape.items():
        assert count <= max(MIN_PER_SHAPE, int(0.05 * by_task[task]))
