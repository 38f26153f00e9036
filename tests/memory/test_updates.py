"""One section: every rung of the ladder from a usable reply to a kept memory."""

import pytest

from longloom.errors import ContextLengthError, ModelError
from longloom.memory import MemoryAgent, MemoryConfig
from longloom.records import FinishReason, Purpose, Reply, TokenUsage
from longloom.rollout import EventKind, run_attempts
from questions import make_attempt
from scripted_chat import ScriptedChat, cut_reply, memory_of, note, section_of

ONE_STEP = MemoryConfig(chunk_tokens=100, memory_tokens=20, decomposition="off")
TWO_STEPS = ONE_STEP.replace(chunk_tokens=2)
DOCUMENT = "one two\n\nthree four"


def read(replies, config=ONE_STEP, text="one two"):
    remaining = list(replies)

    def reply_to(request):
        return "answer" if request.purpose is Purpose.ANSWER else remaining.pop(0)

    chat, events = ScriptedChat(reply_to), []
    (rollout,) = run_attempts(
        MemoryAgent(config), [make_attempt(text)], sampler=chat, emit=events.append
    )
    assert remaining == []
    return chat, rollout, [event for event in events if event.kind in _READ]


_READ = (EventKind.SECTION_READ, EventKind.SECTION_FAILED)


def test_a_usable_reply_needs_no_second_call():
    chat, _, (event,) = read([note("notes")])
    assert chat.purposes() == ["update", "answer"]
    assert (event.kind, event.memory, event.message) == (EventKind.SECTION_READ, "notes", "")


def test_a_reply_without_a_memory_is_asked_for_its_form():
    chat, _, (event,) = read(["rubbish", note("notes")])
    assert chat.purposes() == ["update", "repair", "answer"]
    update, repair, _ = chat.messages()
    assert repair.startswith(update)
    assert "held no memory" in repair.removeprefix(update)
    assert (event.kind, event.memory) == (EventKind.SECTION_READ, "notes")
    assert event.message == "the reply held no memory; asked again"


def test_a_reply_that_was_cut_is_asked_for_less():
    chat, _, (event,) = read([cut_reply("<memory>half of"), note("short")])
    assert "at most 20 tokens" in chat.messages(Purpose.REPAIR)[0]
    assert "was cut off" in chat.messages(Purpose.REPAIR)[0]
    assert event.memory == "short"


def test_after_the_repair_the_memory_stays_and_the_section_counts_as_failed():
    chat, rollout, events = read([note("kept", "plan"), "", "rubbish"], TWO_STEPS, DOCUMENT)
    assert chat.purposes() == ["update", "update", "repair", "answer"]
    failed = events[1]
    assert (failed.kind, failed.memory, failed.plan) == (EventKind.SECTION_FAILED, "kept", "plan")
    assert failed.message == "the reply was empty; asked again: the reply held no memory"
    assert "kept" in chat.messages(Purpose.ANSWER)[0]
    assert rollout.error == ""


@pytest.mark.parametrize(("num_repairs", "num_calls"), [(0, 1), (1, 2), (3, 4)])
def test_a_section_is_asked_again_as_often_as_allowed(num_repairs, num_calls):
    config = ONE_STEP.replace(num_repairs=num_repairs)
    chat, _, (event,) = read(["rubbish"] * num_calls, config)
    keys = ["k/turn-0", "k/turn-0/repair", "k/turn-0/repair-2", "k/turn-0/repair-3"]
    assert [request.key for request in chat.requests] == [*keys[:num_calls], "k/turn-1"]
    assert (event.kind, event.memory) == (EventKind.SECTION_FAILED, "none")
    assert event.usage.num_calls == num_calls


def test_a_repair_that_does_not_fit_leaves_the_memory_as_it_was():
    _, rollout, (event,) = read(["rubbish", ContextLengthError("too long")])
    assert event.kind is EventKind.SECTION_FAILED
    assert event.message == "the reply held no memory; there is no room to ask again"
    assert rollout.error == ""


@pytest.mark.parametrize("calls_before", [0, 1])
def test_any_other_failure_ends_the_reading(calls_before):
    replies = ["rubbish"] * calls_before + [ModelError("the model is gone")]
    _, rollout, events = read(replies)
    assert (rollout.error, rollout.final_text, events) == ("the model is gone", "", [])


def test_thinking_is_dropped_and_never_becomes_the_memory():
    thinking = "<think>maybe <memory>a draft</memory></think>"
    _, _, (event,) = read([thinking + note("notes")])
    assert event.memory == "notes"
    chat, _, (event,) = read([thinking, "<think>" + note("a draft"), ], ONE_STEP)  # fmt: skip
    assert chat.purposes() == ["update", "repair", "answer"]
    assert (event.kind, event.memory) == (EventKind.SECTION_FAILED, "none")


def test_a_thinking_model_that_was_cut_before_its_end_of_thinking_wrote_no_memory():
    # The prompt of such models opens the thinking, so the reply holds no opening tag.
    config = ONE_STEP.replace(thinking_tokens=30, num_repairs=0)
    chat, _, (event,) = read([cut_reply(note("a draft"))], config)
    assert event.kind is EventKind.SECTION_FAILED
    assert chat.requests[0].params.max_new_tokens == 50
    apart = Reply(
        text=note("notes"),
        reasoning="thought",
        finish_reason=FinishReason.LENGTH,
        usage=TokenUsage(num_calls=1),
    )
    assert read([apart], config)[2][0].memory == "notes"


def test_without_room_of_its_own_thinking_comes_out_of_the_memory():
    chat, _, _ = read([note("notes")])
    assert chat.requests[0].params.max_new_tokens == ONE_STEP.memory_tokens


def test_a_failed_section_is_not_lost_to_the_sections_after_it():
    chat, _, _ = read([note("kept"), "rubbish", "rubbish"], TWO_STEPS, DOCUMENT)
    updates = [*chat.messages(Purpose.UPDATE), *chat.messages(Purpose.REPAIR)]
    assert [section_of(message) for message in updates] == ["one two", "three four", "three four"]
    assert [memory_of(message) for message in updates] == ["none", "kept", "kept"]
