from hypothesis import given
from hypothesis import strategies as st

from longloom.text.token_counts import EstimatedCounter, count_tokens, load_counter

COUNTER = EstimatedCounter()


def test_digits_marks_and_short_words_are_single_tokens() -> None:
    assert COUNTER.measure("2024") == 4
    assert COUNTER.measure(" a") == 1
    assert COUNTER.measure(",") == 1
    assert COUNTER.measure("\n\n") == 1
    assert COUNTER.measure("") == 0


def test_endless_white_space_is_not_one_token() -> None:
    assert COUNTER.measure(" " * 64) == 1
    assert COUNTER.measure("\n" * 6_400) == 100


def test_english_has_about_one_token_a_word() -> None:
    text = "The council shall keep a record of every vote that it takes in an open meeting."
    assert 16 <= count_tokens(COUNTER, text) <= 19


@given(
    st.lists(
        st.text(st.characters(codec="utf-8"), min_size=1).filter(
            lambda text: not text[0].isspace() and text.strip()
        ),
        max_size=6,
    )
)
def test_blocks_are_counted_once_and_summed(blocks: list[str]) -> None:
    ended = [block.rstrip() + "\n\n" for block in blocks]
    parts = sum(COUNTER.measure(block) for block in ended)
    assert abs(parts - COUNTER.measure("".join(ended))) < 1e-6


def test_the_estimate_has_a_name() -> None:
    assert load_counter("estimate").name == "estimate of Qwen3 tokens"
