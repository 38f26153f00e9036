"""The section gives way to the memory, and sections that a model refuses are halved."""

import pytest

from longloom.errors import ContextLengthError
from longloom.memory import MemoryAgent, MemoryConfig
from longloom.records import Purpose
from longloom.rollout import EventKind, run_attempts
from longloom.text.prompts import load_templates
from questions import make_attempt
from scripted_chat import ScriptedChat, WordTokens, memory_of, note, section_of

CONFIG = MemoryConfig(chunk_tokens=100, memory_tokens=60, decomposition="off", num_repairs=0)
WORDS = " ".join(f"w{number}" for number in range(300))
EMPTY_PROMPT = len(load_templates()["memory_update"].split()) - 4 + 1
"""Words of the update prompt without memory, plan and section; the question is one word."""


def read(config, window_tokens, reply_to, text=WORDS, tokens=None):
    chat, events = ScriptedChat(reply_to, window_tokens=window_tokens, tokens=tokens), []
    (rollout,) = run_attempts(
        MemoryAgent(config), [make_attempt(text)], sampler=chat, emit=events.append
    )
    return chat, rollout, events


def remembering(num_words):
    memory = " ".join(["m"] * num_words)
    return lambda request: "answer" if request.purpose is Purpose.ANSWER else note(memory, "p")


def sections(chat):
    return [section_of(message) for message in chat.messages(Purpose.UPDATE)]


def test_where_everything_fits_sections_have_their_full_size():
    chat, _, _ = read(CONFIG, 10_000, remembering(50))
    assert [len(section.split()) for section in sections(chat)] == [100, 100, 100]


def test_a_full_memory_makes_sections_shorter_and_is_never_cut():
    window = EMPTY_PROMPT + 2 + 60 + 80  # an empty memory and an empty plan are one word each
    chat, rollout, _ = read(CONFIG, window, remembering(50))
    lengths = [len(section.split()) for section in sections(chat)]
    # 80 words beside an empty memory, 31 beside 50 words of memory and one of plan.
    assert lengths == [80, 31, 31, 31, 31, 31, 31, 31, 3]
    assert " ".join(sections(chat)) == WORDS
    assert all(len(memory_of(m).split()) == 50 for m in chat.messages(Purpose.UPDATE)[1:])
    assert rollout.error == ""


def test_the_window_is_used_to_the_last_token_but_no_prompt_exceeds_it():
    window = EMPTY_PROMPT + 2 + 60 + 80
    chat, _, _ = read(CONFIG, window, remembering(50))
    prompts = [WordTokens().count(message) for message in chat.messages(Purpose.UPDATE)]
    assert max(prompts) + 60 == window


def test_a_window_without_room_for_a_small_section_is_an_error_with_numbers():
    _, rollout, events = read(CONFIG, EMPTY_PROMPT + 2 + 60 + 15, remembering(5))
    taken = (
        f"do not fit the window of {EMPTY_PROMPT + 77} tokens: template and question take "
        f"{EMPTY_PROMPT}, memory and plan 2, an update up to 60 and a section at least 16"
    )
    assert taken in rollout.error
    assert events[-1].kind is EventKind.FAILED


def test_a_memory_that_leaves_no_room_ends_the_reading_with_the_turns_so_far():
    config = CONFIG.replace(overflow="keep")
    chat, rollout, _ = read(config, EMPTY_PROMPT + 2 + 60 + 60, remembering(55))
    assert "memory and plan 56" in rollout.error
    assert len(chat.requests) == 1


def test_room_for_asking_again_is_kept_free():
    window = EMPTY_PROMPT + 2 + 60 + 80
    chat, _, _ = read(
        CONFIG.replace(num_repairs=1), window,
        lambda request: "answer" if request.purpose is Purpose.ANSWER else "rubbish",
    )  # fmt: skip
    assert set(chat.purposes()) == {"update", "repair", "answer"}
    assert " ".join(sections(chat)) == WORDS
    assert max(WordTokens().count(m) for m in chat.messages(Purpose.REPAIR)) + 60 <= window


def test_where_tokens_are_estimated_room_is_left_for_errors():
    window = EMPTY_PROMPT + 2 + 60 + 200
    chat, _, _ = read(
        CONFIG.replace(chunk_tokens=200), window, remembering(5), tokens=WordTokens(is_exact=False)
    )
    # 200 words would fit; 32 of them and a twentieth of what is not the update are left free.
    left_free = 32 + (EMPTY_PROMPT + 2 + 200) // 20
    assert len(sections(chat)[0].split()) == 200 - left_free


class HalfCounts(WordTokens):
    """Sees half of the tokens there are."""

    def __init__(self):
        super().__init__(is_exact=False)

    def count(self, text):
        return super().count(text) // 2

    def starts(self, text):
        for starts in super().starts(text):
            yield starts[::2]


def test_a_section_that_the_model_refuses_is_halved_and_read():
    window = EMPTY_PROMPT + 2 + 60 + 60
    chat, rollout, events = read(CONFIG, window, remembering(1), tokens=HalfCounts())
    assert rollout.error == ""
    updates = chat.messages(Purpose.UPDATE)
    fitting = [message for message in updates if WordTokens().count(message) + 60 <= window]
    accepted = [section_of(message) for message in fitting]
    assert " ".join(accepted) == WORDS
    num_refused = len(sections(chat)) - len(accepted)
    assert num_refused == 2  # 200 words, 100 words; the shorter limit stays
    read_events = [event for event in events if event.kind is EventKind.SECTION_READ]
    assert "tokens were too many for the model" in read_events[0].message
    assert {event.message for event in read_events[1:]} == {""}
    assert [e.section_index for e in read_events] == list(range(1, len(accepted) + 1))


def test_a_model_that_refuses_every_section_is_an_error():
    _, rollout, _ = read(CONFIG, 10_000, lambda request: ContextLengthError("too long"))
    assert rollout.error == (
        "a section of 25 tokens is still too long for the model, and smaller ones than 16 are not "
        "read: too long"
    )


@pytest.mark.parametrize("tag", ["</section>", "</memory>"])
def test_tags_that_are_broken_up_in_a_section_do_not_make_its_prompt_too_long(tag):
    window = EMPTY_PROMPT + 2 + 60 + 80
    chat, rollout, _ = read(CONFIG, window, remembering(1), text=f"{tag} " * 300)
    assert rollout.error == ""
    assert max(WordTokens().count(m) for m in chat.messages(Purpose.UPDATE)) + 60 <= window
