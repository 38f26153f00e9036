import pytest
from hypothesis import given
from hypothesis import strategies as st

from longloom.errors import ContextLengthError
from longloom.memory import MemoryAgent, MemoryConfig
from longloom.memory.overflow import first_entries
from longloom.records import Purpose
from longloom.rollout import EventKind, run_attempts
from questions import make_attempt
from scripted_chat import ScriptedChat, WordTokens, cut_reply, note

CONFIG = MemoryConfig(
    chunk_tokens=10, memory_tokens=8, thinking_tokens=20, decomposition="off", num_repairs=0
)
LONG = note("a b c\nd e f\ng h i", "j k")  # 9 + 2 tokens


def read(config, *replies):
    remaining = list(replies)

    def reply_to(request):
        return "answer" if request.purpose is Purpose.ANSWER else remaining.pop(0)

    chat, events = ScriptedChat(reply_to), []
    run_attempts(MemoryAgent(config), [make_attempt("text")], sampler=chat, emit=events.append)
    assert remaining == []
    return chat, next(event for event in events if event.kind is EventKind.SECTION_READ)


def test_a_memory_within_its_limit_is_left_alone():
    chat, event = read(CONFIG, note("a b c\nd e f", "j k"))
    assert chat.purposes() == ["update", "answer"]
    assert (event.memory, event.num_memory_tokens, event.message) == ("a b c\nd e f", 8, "")


def test_a_memory_over_its_limit_is_shortened_by_one_call():
    chat, event = read(CONFIG, LONG, note("a d g", "j"))
    assert chat.purposes() == ["update", "compress", "answer"]
    assert chat.requests[1].key == "k/turn-0/compress"
    assert "a b c\nd e f\ng h i" in chat.messages(Purpose.COMPRESS)[0]
    assert (event.memory, event.plan, event.num_memory_tokens) == ("a d g", "j", 4)
    assert event.message == "memory and plan took 11 tokens of at most 8; shortened to 4"
    assert event.usage.num_calls == 2


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (LONG, "shortened to 11"),
        ("rubbish", "the reply that was to shorten them could not be used"),
        (cut_reply("<memory>a b"), "the reply that was to shorten them could not be used"),
        (ContextLengthError("long"), "the reply that was to shorten them could not be used"),
    ],
)
def test_what_stays_too_long_is_cut_after_an_entry(reply, told):
    _, event = read(CONFIG, LONG, reply)
    # A quarter of 8 tokens for the plan, 6 for the memory: two lines of three.
    assert (event.memory, event.plan) == ("a b c\nd e f", "j k")
    assert event.message == f"memory and plan took 11 tokens of at most 8; {told}; cut to 8"


def test_the_cut_alone_costs_no_call():
    chat, event = read(CONFIG.replace(overflow="cut"), LONG)
    assert chat.purposes() == ["update", "answer"]
    assert event.memory == "a b c\nd e f"


def test_a_memory_may_be_kept_whatever_it_takes():
    chat, event = read(CONFIG.replace(overflow="keep"), LONG)
    assert chat.purposes() == ["update", "answer"]
    assert (event.memory, event.num_memory_tokens) == ("a b c\nd e f\ng h i", 11)


@pytest.mark.parametrize(
    ("text", "max_tokens", "kept"),
    [
        ("a b\nc d\ne f", 4, "a b\nc d"),
        ("a b\nc d\ne f", 5, "a b\nc d"),
        ("a b\nc d\ne f", 6, "a b\nc d\ne f"),
        ("head\nA b c. D e f. G h i.", 7, "head\nA b c. D e f."),
        ("head\na b c d e f g h", 6, "head\na b c d e"),
        ("a b c d", 1, "a"),
    ],
)
def test_whole_entries_are_kept(text, max_tokens, kept):
    assert first_entries(text, WordTokens(), max_tokens) == kept


@given(st.text(alphabet="ab. \n", min_size=1).map(str.strip).filter(bool), st.integers(1, 20))
def test_what_is_kept_is_a_beginning_that_fits_and_is_never_empty(text, max_tokens):
    kept = first_entries(text, WordTokens(), max_tokens)
    assert kept
    assert text.startswith(kept)
    assert WordTokens().count(kept) <= max_tokens
