from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from longloom.records import TaskType
from longloom.synthesis.mixes import BIN_TOKENS, MIXES, QuestionKind, Quota
from longloom.synthesis.selection.balance import (
    MIN_PER_SHAPE,
    Candidate,
    capped_total,
    select,
    select_by_quotas,
    shape_cap,
    share_out,
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


DOCQA = MIXES["docqa-rl"]


def _about(task: TaskType, genre: str, number: int, *titles: str) -> list[Candidate]:
    """Return questions of many shapes about documents of a genre."""
    return [
        Candidate(
            example_id=f"{task}/{genre}/{titles}/{place}",
            task_type=task,
            shape=f"shape {place % 40}",
            question=f"{task} {genre} {titles} {place}?",
            gold_documents=titles or ("First", "Second"),
            genres=(genre,),
            num_context_tokens=place // 40 % 10 * BIN_TOKENS,
        )
        for place in range(number)
    ]


def _select_docqa(candidates: list[Candidate], num_examples: int = 1_600):
    return select_by_quotas(
        candidates,
        num_examples=num_examples,
        quotas=DOCQA.quotas,
        max_shape_fraction=0.05,
        seed=0,
        length_weights=DOCQA.length_weights,
    )


def test_quotas_are_filled_by_their_kinds() -> None:
    candidates = [
        *_about(TaskType.NUMERICAL, "filing", 2_000),
        *_about(TaskType.NUMERICAL, "table", 2_000),
        *_about(TaskType.MULTIPLE_CHOICE, "law", 2_000),
        *_about(TaskType.MULTIPLE_CHOICE, "contract", 300, "Insurance Policy"),
        *_about(TaskType.MULTIPLE_CHOICE, "filing", 2_000),
        *_about(TaskType.MULTIPLE_CHOICE, "guideline", 2_000),
        *_about(TaskType.MULTI_HOP, "article", 2_000),
        *_about(TaskType.MULTI_HOP, "novel", 2_000),
        *_about(TaskType.MULTI_HOP, "encyclopedia", 2_000, "Alone"),
    ]
    selection = _select_docqa(candidates)
    assert selection.written == selection.wanted
    assert len(selection.kept) == 1_600
    kept = Counter("/".join(example_id.split("/")[:2]) for example_id in selection.kept)
    assert kept == {
        "numerical/filing": 600,
        "multiple_choice/law": 150,
        "multiple_choice/contract": 150,
        "multiple_choice/filing": 150,
        "multiple_choice/guideline": 150,
        "multi_hop/article": 200,
        "multi_hop/novel": 200,
    }
    assert selection.left_out["numerical/in_no_quota"] == 2_000
    assert selection.left_out["multi_hop/in_no_quota"] == 2_000


def test_kinds_of_a_quota_fill_in_for_each_other_but_quotas_do_not() -> None:
    candidates = [
        *_about(TaskType.NUMERICAL, "filing", 100),
        *_about(TaskType.MULTIPLE_CHOICE, "law", 2_000),
    ]
    selection = _select_docqa(candidates)
    assert selection.written["numerical, filings"] == 100
    assert selection.written["multiple choice, legal texts"] == 600
    assert selection.written["multiple choice, insurance texts"] == 0
    assert selection.wanted["multiple choice, insurance texts"] == 150
    assert len(selection.kept) == 700


def test_lengths_of_what_is_kept_follow_the_histogram() -> None:
    candidates = _about(TaskType.NUMERICAL, "filing", 6_000)
    by_id = {candidate.example_id: candidate for candidate in candidates}
    kept = _select_docqa(candidates).kept
    bins = Counter(by_id[example_id].num_context_tokens // BIN_TOKENS for example_id in kept)
    shares = share_out(600, {str(n): w for n, w in enumerate(DOCQA.length_weights)})
    assert bins == {int(place): number for place, number in shares.items()}


def test_what_no_length_offers_is_filled_with_others() -> None:
    candidates = [
        candidate
        for candidate in _about(TaskType.NUMERICAL, "filing", 20_000)
        if candidate.num_context_tokens == 9 * BIN_TOKENS
    ]
    assert len(_select_docqa(candidates).kept) == 600


def test_the_same_candidates_give_the_same_choice() -> None:
    candidates = _about(TaskType.NUMERICAL, "filing", 3_000)
    assert _select_docqa(candidates) == _select_docqa(candidates)


def test_a_question_is_of_the_first_kind_that_accepts_it() -> None:
    kinds = tuple(
        QuestionKind(name=name, task_type=TaskType.NUMERICAL) for name in ("first", "second")
    )
    selection = select_by_quotas(
        _about(TaskType.NUMERICAL, "table", 50),
        num_examples=40,
        quotas=(Quota(name="all", weight=1, kinds=kinds),),
        max_shape_fraction=1.0,
        seed=0,
    )
    assert selection.written == {"first": 40, "second": 0}


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.floats(0.1, 9), min_size=1),
    st.integers(0, 5_000),
)
def test_shares_add_up(weights: dict[str, float], total: int) -> None:
    shares = share_out(total, weights)
    assert sum(shares.values()) == total
    for name, share in shares.items():
        assert abs(share - total * weights[name] / sum(weights.values())) < 1
