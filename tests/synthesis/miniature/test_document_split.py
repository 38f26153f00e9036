from hypothesis import given
from hypothesis import strategies as st

from longloom.records import Split
from longloom.synthesis.miniature.split import split_of_title, split_titles


def test_share_of_held_out_titles_is_near_the_fraction() -> None:
    titles = [f"module{number}" for number in range(4000)]
    held_out = sum(split_of_title(title, 0.25) is Split.HELD_OUT for title in titles)
    assert 0.22 * 4000 < held_out < 0.28 * 4000


def test_larger_fraction_only_adds_titles() -> None:
    for number in range(200):
        if split_of_title(str(number), 0.2) is Split.HELD_OUT:
            assert split_of_title(str(number), 0.4) is Split.HELD_OUT


@given(st.lists(st.text(max_size=6), min_size=2, max_size=6, unique=True))
def test_two_documents_or_more_give_both_splits(titles) -> None:
    splits = split_titles(titles, 0.25)
    assert list(splits) == titles
    assert set(splits.values()) == {Split.TRAIN, Split.HELD_OUT}
