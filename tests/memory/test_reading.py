"""The loop over sections: events, the journal, and that every section is read exactly once."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longloom.errors import ContextLengthError, ModelError
from longloom.memory import MemoryAgent, MemoryConfig
from longloom.records import FinishReason, Purpose, TokenUsage
from longloom.rollout import EventKind, run_attempts
from questions import make_attempt
from scripted_chat import ScriptedChat, collecting, cut_reply, memory_of, note, section_of

CONFIG = MemoryConfig(chunk_tokens=3, memory_tokens=40, decomposition="off")
PARAGRAPHS = ["a1 a2 a3", "b1 b2 b3", "c1 c2 c3", "d1 d2 d3"]
DOCUMENT = "\n\n".join(PARAGRAPHS)


class DictJournal:
    """A journal in memory; it tells how often each key was put."""

    def __init__(self):
        self.records = {}
        self.puts = []

    def get(self, key):
        return self.records.get(key)

    def put(self, key, record):
        self.puts.append(key)
        self.records[key] = record


class Killed(BaseException):
    """The end of the process."""


def read(reply_to=collecting, *, config=CONFIG, text=DOCUMENT, journal=None, window=100_000, **to):
    chat, events = ScriptedChat(reply_to, window_tokens=window), []
    changes = {name: to.pop(name) for name in ("question", "key") if name in to}
    (rollout,) = run_attempts(
        MemoryAgent(config, journal=journal, **to),
        [make_attempt(text, **changes)],
        sampler=chat,
        emit=events.append,
    )
    return chat, rollout, events


def of_kind(events, *kinds):
    return [event for event in events if event.kind in kinds]


def states(events):
    read_kinds = (EventKind.SECTION_READ, EventKind.SECTION_FAILED)
    return [(e.section_index, e.memory, e.plan, e.kind) for e in of_kind(events, *read_kinds)]


def test_events_come_in_order_and_say_how_far_the_reading_is():
    _, rollout, events = read()
    section = [EventKind.SECTION_STARTED, EventKind.SECTION_READ]
    assert [event.kind for event in events] == [
        EventKind.STARTED, *section * 4,
        EventKind.ANSWER_STARTED, EventKind.TEXT, EventKind.ANSWERED,
    ]  # fmt: skip
    assert events[0].num_sections == 4
    assert events[0].num_tokens == pytest.approx(12, abs=1)  # not all is tokenised at the start
    sections = of_kind(events, *section)
    assert [event.section_index for event in sections] == [1, 1, 2, 2, 3, 3, 4, 4]
    assert {(event.num_sections, event.num_tokens) for event in sections} == {(4, 3)}
    assert [event.num_memory_tokens for event in sections[1::2]] == [2, 3, 4, 5]
    assert sections[0].seconds_left is None
    assert sections[-1].seconds_left == 0
    assert events[-3].memory == events[-1].message == rollout.final_text == "a1 b1 c1 d1"


def test_the_answer_is_told_as_it_is_written_and_its_usage_is_that_of_all_calls():
    chat, _, events = read()
    (text,) = of_kind(events, EventKind.TEXT)
    assert (text.delta.text, text.delta.is_reasoning) == ("a1 b1 c1 d1", False)
    answered = events[-1]
    assert answered.usage.num_calls == 5
    assert answered.usage.num_prompt_tokens == sum(len(m.split()) for m in chat.messages())
    steps = of_kind(events, EventKind.SECTION_READ)
    assert sum((step.usage for step in steps), TokenUsage()).num_calls == 4


def test_updates_are_told_as_reasoning_where_asked():
    _, _, events = read(shows_updates=True)
    told = of_kind(events, EventKind.TEXT)
    assert [(event.purpose, event.delta.is_reasoning, event.section_index) for event in told] == [
        (Purpose.UPDATE, True, 1),
        (Purpose.UPDATE, True, 2),
        (Purpose.UPDATE, True, 3),
        (Purpose.UPDATE, True, 4),
        (Purpose.ANSWER, False, 0),
    ]


def failing_at(call):
    """Reply as `collecting`; the model fails at this call, and at no other."""
    calls = iter(range(1_000))

    def reply_to(request):
        return ModelError("gone") if next(calls) == call else collecting(request)

    return reply_to


@pytest.mark.parametrize("call", range(5))
def test_a_reading_goes_on_after_the_last_step_that_was_taken(call):
    journal = DictJournal()
    _, failed, _ = read(failing_at(call), journal=journal)
    assert failed.error == "gone"
    chat, rollout, events = read(journal=journal)
    _, whole, whole_events = read()
    assert rollout.final_text == whole.final_text
    assert states(events) == states(whole_events)
    assert [section_of(message) for message in chat.messages(Purpose.UPDATE)] == PARAGRAPHS[call:]
    resumed = [event.is_resumed for event in of_kind(events, EventKind.SECTION_READ)]
    assert resumed == [True] * call + [False] * (4 - call)
    assert sorted(journal.puts) == sorted(set(journal.puts))


@pytest.mark.parametrize("call", range(5))
def test_a_step_is_kept_before_the_next_one_begins(call):
    journal, calls = DictJournal(), iter(range(1_000))

    def reply_to(request):
        if next(calls) == call:
            raise Killed
        return collecting(request)

    with pytest.raises(Killed):
        read(reply_to, journal=journal)
    assert len(journal.records) == call


def test_steps_from_the_journal_cost_nothing():
    journal = DictJournal()
    read(journal=journal)
    _, _, events = read(journal=journal)
    for step in of_kind(events, EventKind.SECTION_READ):
        assert (step.is_resumed, step.usage, step.seconds) == (True, TokenUsage(), 0.0)
    assert events[-1].usage.num_calls == 1  # the answer
    assert events[1].seconds_left is None


def test_a_failed_section_is_not_asked_again_when_the_reading_goes_on():
    journal = DictJournal()
    rubbish = lambda request: "rubbish" if "b1" in section_of(request.message) else None  # noqa: E731  # a one-line script
    reply_to = lambda request: rubbish(request) or collecting(request)  # noqa: E731  # as above
    _, _, first = read(reply_to, journal=journal)
    chat, _, events = read(reply_to, journal=journal)
    assert chat.purposes() == ["answer"]
    assert states(events) == states(first)
    assert [kind for *_, kind in states(events)][1] is EventKind.SECTION_FAILED


def test_a_document_that_has_grown_is_read_from_where_it_has_grown():
    journal = DictJournal()
    read(journal=journal, text="\n\n".join(PARAGRAPHS[:3]))
    chat, rollout, _ = read(journal=journal)
    # The old end became a section that goes on to the break after it, so it is read again.
    assert [section_of(message) for message in chat.messages(Purpose.UPDATE)] == PARAGRAPHS[2:]
    assert rollout.final_text == "a1 b1 c1 d1"


@pytest.mark.parametrize(
    "change",
    [
        {"question": "another?"},
        {"salt": "second sample"},
        {"config": CONFIG.replace(memory_tokens=41)},
        {"config": CONFIG.replace(wording="compact")},
        {"config": CONFIG.replace(early_stop=True)},
        {"text": DOCUMENT.replace("a2", "a4")},
    ],
)
def test_another_reading_shares_no_step(change):
    journal = DictJournal()
    read(journal=journal)
    chat, _, _ = read(journal=journal, **change)
    assert len(chat.messages(Purpose.UPDATE)) == 4


@pytest.mark.parametrize(
    "change",
    [
        {"key": "another request"},
        {"config": CONFIG.replace(answer_form="free")},
        {"config": CONFIG.replace(decomposition="rules")},
        {"window": 90_000},
    ],
)
def test_what_shapes_no_step_shares_all_of_them(change):
    journal = DictJournal()
    read(journal=journal)
    chat, _, _ = read(journal=journal, **change)
    assert chat.purposes() == ["answer"]


def refusing_long_sections(request):
    """Reply as `collecting` for sections of at most 20 words."""
    if len(section_of(request.message).split()) > 20:
        return ContextLengthError("too long")
    return collecting(request)


def test_refusals_are_remembered_so_that_the_same_sections_are_cut_again():
    config = CONFIG.replace(chunk_tokens=70)
    text = " ".join(f"w{number}" for number in range(100))
    journal = DictJournal()
    first, _, events = read(refusing_long_sections, config=config, text=text, journal=journal)
    assert len(first.messages(Purpose.UPDATE)) > len(of_kind(events, EventKind.SECTION_READ))
    again, _, events_again = read(refusing_long_sections, config=config, text=text, journal=journal)
    assert again.purposes() == ["answer"]
    assert states(events_again) == states(events)


def test_cancelling_stops_the_call_and_leaves_the_steps_before_it():
    journal = DictJournal()
    waits = asyncio.Event()

    class Waiting(ScriptedChat):
        async def reply(self, request):
            if "c1" in section_of(request.message):
                waits.set()
                await asyncio.Event().wait()
            return await super().reply(request)

    async def cancel_in_the_third_section():
        agent = MemoryAgent(CONFIG, journal=journal)
        attempt = make_attempt(DOCUMENT)
        task = asyncio.create_task(
            agent(attempt, sampler=Waiting(collecting), emit=lambda event: None)
        )
        await waits.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel_in_the_third_section())
    assert len(journal.records) == 2


REPLIES = st.sampled_from(
    [
        "fine", "", "rubbish", "<memory></memory>", "<memory> \n </memory><plan>p</plan>",
        "<think><memory>draft</memory>", "cut", "refused", "</memory><memory>", "long",
    ]
)  # fmt: skip


@given(
    words=st.lists(
        st.sampled_from(["word", "end.", "line\n", "para\n\n", "</memory>"]), max_size=120
    ),
    replies=st.lists(REPLIES, max_size=60),
    config=st.builds(
        CONFIG.replace,
        chunk_tokens=st.integers(20, 60),
        memory_tokens=st.integers(1, 12),
        num_repairs=st.integers(0, 2),
        overflow=st.sampled_from(["compress", "cut", "keep"]),
    ),
)
def test_whatever_a_model_replies_every_section_is_read_once_and_a_memory_stays(
    words, replies, config
):
    text = " ".join(f"{number}-{word}" for number, word in enumerate(words))
    remaining, accepted = iter(replies), []

    def reply_to(request):
        if request.purpose is Purpose.ANSWER:
            return "answer"
        reply = next(remaining, "fine")
        if reply == "refused":
            # Refused until it is short, as by a model whose tokens are counted wrongly.
            if len(section_of(request.message).split()) >= 32:
                return ContextLengthError("too long")
            reply = "fine"
        if request.purpose is Purpose.UPDATE:
            accepted.append(section_of(request.message))
        texts = {"fine": note("m1"), "long": note(" ".join(["m"] * 30)), "cut": "<memory>half"}
        return cut_reply(texts[reply]) if reply == "cut" else texts.get(reply, reply)

    chat, rollout, events = read(reply_to, config=config, text=text)
    assert rollout.error == ""
    assert " ".join(accepted).split() == text.replace("</memory>", "< /memory>").split()
    indexes = [index for index, *_ in states(events)]
    assert indexes == list(range(1, len(accepted) + 1))
    assert all(memory.strip() for _, memory, _, _ in states(events))
    assert all(memory_of(message) for message in chat.messages(Purpose.UPDATE))
    assert not any("draft" in memory or "rubbish" in memory for _, memory, _, _ in states(events))
    if config.overflow != "keep":
        assert all(e.num_memory_tokens <= max(2, config.memory_tokens)
                   for e in of_kind(events, EventKind.SECTION_READ))  # fmt: skip


def test_a_reply_that_reached_its_limit_after_its_memory_is_used():
    _, _, events = read(lambda request: cut_reply(note("notes")), text="one")
    assert states(events) == [(1, "notes", "p", EventKind.SECTION_READ)]
    assert cut_reply("").finish_reason is FinishReason.LENGTH


@pytest.mark.parametrize("segments", [1, 2])
def test_an_answer_is_traced_to_its_section_also_where_steps_came_from_the_journal(segments):
    paragraphs = [
        "The harbour of Aldmoor was built of grey stone.",
        "The lighthouse keeper was called Marius Venn.",
        "Ships from the north paid a toll in copper.",
        "The market was held on the third day of the week.",
    ]
    config = CONFIG.replace(chunk_tokens=12, memory_tokens=90, citations=True, segments=segments)

    def reply_to(request):
        if request.purpose is Purpose.ANSWER:
            return "<think>The market?</think>The keeper was Marius Venn."
        if request.purpose is Purpose.MERGE:
            return note("keeper: Marius Venn")
        kept = memory_of(request.message).removeprefix("none")
        return note(f"{kept}\n{section_of(request.message)}".strip())

    journal = DictJournal()
    for _ in range(2):
        text = "\n\n".join(paragraphs)
        _, _, events = read(reply_to, config=config, text=text, journal=journal)
        citations = events[-1].citations
        assert citations[0].section_index == 2
        assert citations[0].is_verified
        assert "Marius Venn" in citations[0].quote
        assert text[citations[0].start : citations[0].end] == citations[0].quote
    assert read(config=config.replace(citations=False))[2][-1].citations == ()
