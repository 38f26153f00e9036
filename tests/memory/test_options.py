"""What the agent does beyond the paper, each where it is asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longloom.errors import ConfigError, ContextLengthError, ModelError
from longloom.memory import MemoryAgent, MemoryConfig, MemoryState
from longloom.memory.recall import PastMemories
from longloom.memory.segments import equal_ranges
from longloom.records import Purpose
from longloom.rollout import EventKind, TokenChat, run_attempts
from questions import make_attempt
from scripted_chat import (
    ScriptedChat,
    WordTokens,
    between,
    collecting,
    memory_of,
    note,
    section_of,
)

CONFIG = MemoryConfig(chunk_tokens=3, memory_tokens=40, decomposition="off", num_repairs=0)
PARAGRAPHS = ["a1 a2 a3", "b1 b2 b3", "c1 c2 c3", "d1 d2 d3"]
DOCUMENT = "\n\n".join(PARAGRAPHS)


def read(config, reply_to=collecting, *, text=DOCUMENT, journal=None):
    chat, events = ScriptedChat(reply_to), []
    (rollout,) = run_attempts(
        MemoryAgent(config, journal=journal),
        [make_attempt(text)],
        sampler=chat,
        emit=events.append,
    )
    return chat, rollout, events


def test_the_variant_of_the_prompts_names_every_option():
    assert CONFIG.prompt_variant == "1/full"
    assert CONFIG.replace(wording="compact").prompt_variant == "1/compact"
    everything = CONFIG.replace(early_stop=True, recall=True, section_first=True, segments=4)
    assert everything.prompt_variant == "1/full+early_stop+recall+section_first+segments=4"


@pytest.mark.parametrize("option", [{"early_stop": True}, {"recall": True}, {"segments": 2}])
def test_compact_prompts_cannot_ask_for_options(option):
    with pytest.raises(ConfigError, match=r"wording is 'compact' and .* set wording=full"):
        CONFIG.replace(wording="compact", **option)


def test_without_options_the_prompt_is_the_papers():
    chat, _, _ = read(CONFIG)
    for message in chat.messages(Purpose.UPDATE):
        assert "recall" not in message
        assert "COMPLETE" not in message
        assert message.index("<problem>") < message.index("<memory>") < message.index("<section>")


# early stop


def test_a_plan_that_says_so_ends_the_reading():
    def reply_to(request):
        if request.purpose is Purpose.UPDATE and "b1" in section_of(request.message):
            return note("enough", "COMPLETE")
        return collecting(request)

    chat, rollout, events = read(CONFIG.replace(early_stop=True), reply_to)
    assert chat.purposes() == ["update", "update", "answer"]
    assert rollout.final_text == "enough"
    assert [event.num_sections for event in events if event.kind is EventKind.SECTION_READ] == [
        4, 2,
    ]  # fmt: skip
    assert "the single word COMPLETE" in chat.messages()[0]


def test_the_same_plan_ends_nothing_unless_it_may():
    chat, _, _ = read(CONFIG, lambda request: note("enough", "COMPLETE"))
    assert chat.purposes() == ["update"] * 4 + ["answer"]


def test_a_plan_that_only_mentions_the_word_goes_on():
    config = CONFIG.replace(early_stop=True)
    chat, _, _ = read(config, lambda request: note("m", "not COMPLETE yet"))
    assert chat.purposes() == ["update"] * 4 + ["answer"]


# recall


def forgetful(request):
    """Note one line per section, forget it at the next, and ask for the first at the third."""
    if request.purpose is not Purpose.UPDATE:
        return between(request.message, "<memory>", "</memory>")
    section = section_of(request.message)
    plan = "see <recall>zebra</recall>" if section.startswith("c") else "p"
    notes = {"a": "stripes: zebra\nspots: leopard", "b": "stripes: tiger"}
    return note(notes.get(section[0], section), plan)


def test_a_forgotten_note_is_shown_with_the_next_section():
    chat, _, _ = read(CONFIG.replace(recall=True), forgetful)
    recalled = [between(m, "<recalled_notes>", "</recalled_notes>") for m in chat.messages()]
    assert recalled == ["", "", "", "stripes: zebra", ""]
    assert "<recall>words of the note</recall>" in chat.messages()[0]


def test_a_query_outside_the_plan_counts_as_well():
    def reply_to(request):
        reply = forgetful(request)
        return reply.replace("see <recall>zebra</recall>", "see") + (
            "<recall>zebra</recall>" if "see" in reply else ""
        )

    chat, _, events = read(CONFIG.replace(recall=True), reply_to)
    assert "stripes: zebra" in chat.messages()[3]
    plans = [event.plan for event in events if event.kind is EventKind.SECTION_READ]
    assert plans == ["p", "p", "see <recall>zebra</recall>", "p"]


def test_a_reading_that_goes_on_recalls_the_same():
    class DictJournal(dict):
        put = dict.__setitem__

    journal, config = DictJournal(), CONFIG.replace(recall=True)
    calls = iter(range(100))
    read(
        config,
        lambda request: ModelError("gone") if next(calls) == 3 else forgetful(request),
        journal=journal,
    )
    chat, _, _ = read(config, forgetful, journal=journal)
    whole, _, _ = read(config, forgetful)
    assert chat.messages() == whole.messages()[3:]


def past(*memories):
    found = PastMemories()
    for memory in memories:
        found.add(memory)
    return found


def recalled(memories, query, *, current="now", max_tokens=50):
    state = MemoryState(memory=current, plan=f"<recall>{query}</recall>")
    return past(*memories).recalled(state, WordTokens(), max_tokens)


def test_the_memory_with_the_rarest_words_of_the_query_is_recalled():
    memories = ["the cat sat", "the dog sat", "the zebra sat"]
    assert recalled(memories, "the Zebra") == "the zebra sat"


def test_of_two_that_fit_alike_the_later_is_recalled():
    assert recalled(["dog 1", "dog 2", "cat 3"], "dog") == "dog 2"


def test_the_memory_at_hand_is_not_recalled():
    assert recalled(["dog 1", "dog 2"], "dog", current="dog 2") == "dog 1"


@pytest.mark.parametrize("query", ["", "horse", "  ", "?!"])
def test_a_query_without_a_word_that_was_noted_recalls_nothing(query):
    assert recalled(["dog 1", "cat 2"], query) == ""


def test_what_is_recalled_is_bounded_and_keeps_the_best_lines_in_their_order():
    memory = "x dog\nnothing here at all\ny dog cat\nz dog"
    assert recalled([memory, "other"], "dog cat", max_tokens=6) == "x dog\ny dog cat"
    assert recalled(["dog " * 100, "other"], "dog", max_tokens=6) == "dog dog dog dog dog dog"


# section first


def test_the_section_stands_before_everything_that_differs_between_questions():
    chat, rollout, _ = read(CONFIG.replace(section_first=True))
    for message in chat.messages(Purpose.UPDATE):
        assert message.index("<section>") < message.index("<problem>") < message.index("<memory>")
    assert [section_of(message) for message in chat.messages(Purpose.UPDATE)] == PARAGRAPHS
    assert rollout.final_text == "a1 b1 c1 d1"


# segments


def merging(request):
    """Reply as `collecting`; merge by joining the memories."""
    if request.purpose is Purpose.MERGE:
        parts = request.message.split("<part_memory>")[1:]
        return note(" ".join(part.partition("</part_memory>")[0].strip() for part in parts))
    return collecting(request)


def test_segments_are_read_by_readers_of_their_own_and_merged():
    chat, rollout, events = read(CONFIG.replace(segments=2), merging)
    assert chat.purposes() == ["update"] * 4 + ["merge", "answer"]
    assert sorted(request.key for request in chat.requests) == [
        "k/merge", "k/segment-0/turn-0", "k/segment-0/turn-1",
        "k/segment-1/turn-0", "k/segment-1/turn-1", "k/turn-4",
    ]  # fmt: skip
    memories = {section_of(m): memory_of(m) for m in chat.messages(Purpose.UPDATE)}
    assert memories == dict(zip(PARAGRAPHS, ["none", "a1", "none", "c1"], strict=True))
    assert rollout.final_text == "a1 b1 c1 d1"
    sections = [event for event in events if event.kind is EventKind.SECTION_READ]
    assert sorted(event.section_index for event in sections) == [1, 2, 3, 4]
    assert {event.num_sections for event in sections} == {4}
    assert events[-1].usage.num_calls == 6
    assert events[-3].message == "merged the memories of 2 parts"


def test_a_merge_that_cannot_be_used_joins_the_memories():
    def reply_to(request):
        return "rubbish" if request.purpose is Purpose.MERGE else collecting(request)

    _, rollout, events = read(CONFIG.replace(segments=2), reply_to)
    assert rollout.final_text == "a1 b1\nc1 d1"
    assert events[-3].message == (
        "merged the memories of 2 parts; the reply held no memory; the memories were joined"
    )


def test_memories_that_do_not_fit_one_call_are_merged_one_after_another():
    def reply_to(request):
        if request.purpose is Purpose.MERGE and request.message.count("<part_memory>") > 2:
            return ContextLengthError("too long")
        return merging(request)

    class Narrow(ScriptedChat):
        def num_prompt_tokens(self, message):
            return (
                10**6 if message.count("<part_memory>") > 2 else super().num_prompt_tokens(message)
            )

    chat = Narrow(reply_to)
    (rollout,) = run_attempts(
        MemoryAgent(CONFIG.replace(segments=4)), [make_attempt(DOCUMENT)], sampler=chat
    )
    assert chat.purposes() == ["update"] * 4 + ["merge"] * 3 + ["answer"]
    assert rollout.final_text == "a1 b1 c1 d1"


def test_one_reader_that_fails_ends_the_reading():
    def reply_to(request):
        return ModelError("gone") if "c1" in section_of(request.message) else merging(request)

    chat, rollout, events = read(CONFIG.replace(segments=2), reply_to)
    assert rollout.error == "gone"
    assert events[-1].kind is EventKind.FAILED
    assert "answer" not in chat.purposes()


def test_segments_go_on_from_the_journal_with_their_merge():
    class DictJournal(dict):
        put = dict.__setitem__

    journal, config = DictJournal(), CONFIG.replace(segments=2)
    _, first, _ = read(config, merging, journal=journal)
    chat, again, _ = read(config, merging, journal=journal)
    assert chat.purposes() == ["answer"]
    assert again.final_text == first.final_text


def test_an_empty_document_in_segments_is_answered_from_the_empty_memory():
    chat, rollout, _ = read(CONFIG.replace(segments=3), text="")
    assert chat.purposes() == ["answer"]
    assert rollout.final_text == "none"


@given(st.text(alphabet="ab \n", max_size=200), st.integers(1, 9))
def test_ranges_cover_the_text_once_and_none_is_empty(text, num_ranges):
    ranges = equal_ranges(text, num_ranges)
    assert "".join(text[start:end] for start, end in ranges) == text
    assert all(start < end for start, end in ranges)
    assert len(ranges) <= num_ranges


def test_ranges_meet_at_the_best_break_near_their_share():
    text = "a" * 45 + "\n\n" + "b" * 53
    assert equal_ranges(text, 2) == [(0, 47), (47, 100)]


def test_segments_with_a_real_model_repeat_to_the_bit(tiny_folder):
    from longloom.models.folder import load_model
    from longloom.models.local_sampler import LocalSampler
    from longloom.text.tokenizer import FolderTokenizer

    model, tokenizer = load_model(tiny_folder), FolderTokenizer(tiny_folder)
    config = CONFIG.replace(segments=2, chunk_tokens=20, memory_tokens=8)

    def rollout():
        sampler = TokenChat(LocalSampler(model, tokenizer))
        return run_attempts(MemoryAgent(config), [make_attempt(DOCUMENT)], sampler=sampler)[0]

    first = rollout()
    assert first.error == ""
    assert first == rollout()
