import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longloom.memory import MemoryState, parse_update
from longloom.records import FinishReason

BEFORE = MemoryState(memory="old notes", plan="old plan")


def parsed(response, finish=FinishReason.STOP):
    return parse_update(response, previous=BEFORE, finish_reason=finish)


@pytest.mark.parametrize(
    ("response", "memory", "plan"),
    [
        ("<memory>a</memory><plan>b</plan>", "a", "b"),
        ("text\n<memory>\n a \n</memory>\n<plan>\nb\n</plan> more", "a", "b"),
        ("<memory>a</memory>", "a", "old plan"),
        ("<memory>a</memory><plan></plan>", "a", "old plan"),
        ("<memory>a</memory><plan>b", "a", "old plan"),
        ("<memory>first</memory><memory>second</memory><plan>b</plan>", "second", "b"),
        ("<memory>draft</memory></think><memory>a</memory>", "a", "old plan"),
        ("thinking</think>\n<memory>a</memory><plan>b</plan>", "a", "b"),
        ("<memory>a < b</memory>", "a < b", "old plan"),
        ("<memory>unclosed", "unclosed", "old plan"),
        ("<memory>unclosed<plan>b</plan>", "unclosed", "b"),
    ],
)
def test_memory_and_plan_are_found(response, memory, plan):
    assert parsed(response) == MemoryState(memory=memory, plan=plan)


@pytest.mark.parametrize(
    "response",
    [
        "",
        "no tags",
        "<memory></memory>",
        "<memory>  \n </memory><plan>b</plan>",
        "</memory>a<memory>",
        "<memory>only thought</memory></think>nothing after it",
        "<plan>b</plan>",
    ],
)
def test_without_a_usable_memory_there_is_none(response):
    assert parsed(response) is None


def test_an_unclosed_memory_that_was_cut_is_not_used():
    assert parsed("<memory>half of the no", FinishReason.LENGTH) is None
    assert parsed("<memory>whole</memory><plan>cu", FinishReason.LENGTH) == MemoryState(
        memory="whole", plan="old plan"
    )


@given(st.text(alphabet=st.sampled_from("a </>memoryplanthik\n"), max_size=80))
def test_a_memory_is_never_empty(response):
    state = parsed(response)
    assert state is None or state.memory.strip()


@pytest.mark.parametrize(
    "piece", ["<memory>", "</memory>", "<", "</think>", "<plan>", "<memory></memory>", "<memory> "]
)
def test_a_hostile_megabyte_is_parsed_in_linear_time(piece):
    response = piece * (1_000_000 // len(piece))
    started = time.process_time()
    parsed(response)
    assert time.process_time() - started < 0.5
