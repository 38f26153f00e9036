"""The question in its two parts: instructions are shown to the answer alone."""

import pytest

from longloom.errors import ContextLengthError
from longloom.memory import MemoryAgent, MemoryConfig, Query
from longloom.memory import decompose as decompose_module
from longloom.memory.messages import ANSWER_FORM
from longloom.records import Purpose
from longloom.rollout import EventKind, run_attempts
from questions import make_attempt
from scripted_chat import ScriptedChat, between, note

CONFIG = MemoryConfig(chunk_tokens=100, memory_tokens=40)
QUESTION = "Which year was it? Answer as JSON."
PARTS = "<core>Which year was it?</core><form>Answer as JSON.</form>"


def ask(config=CONFIG, *, question=QUESTION, parts=PARTS, journal=None, split=None):
    def reply_to(request):
        if request.purpose is Purpose.DECOMPOSE:
            return parts
        return "answer" if request.purpose is Purpose.ANSWER else note("notes")

    chat, events = ScriptedChat(reply_to), []
    run_attempts(
        MemoryAgent(config, journal=journal, split=split),
        [make_attempt("text", question=question)],
        sampler=chat,
        emit=events.append,
    )
    return chat, next(event for event in events if event.kind is EventKind.STARTED)


def problem(message):
    return between(message, "<problem>", "</problem>")


@pytest.fixture
def undecided(monkeypatch):
    """Rules that see that there are instructions, but not where they begin."""
    monkeypatch.setattr(
        decompose_module,
        "split_question",
        lambda question: Query(core=question, instructions="", is_decided=False),
    )


def given_split(example):
    return Query(core="the core", instructions="the form", is_decided=True)


def test_the_callers_split_is_taken_and_instructions_go_to_the_answer_alone():
    chat, started = ask(split=given_split)
    update, answer = chat.messages()
    assert problem(update) == problem(answer) == "the core"
    assert "the form" not in update
    assert "the form" in answer
    assert ANSWER_FORM not in answer
    assert started.message == "question: the core\nform of the answer: the form"


def test_compact_prompts_show_the_whole_question_at_the_end():
    chat, _ = ask(CONFIG.replace(wording="compact"), split=given_split)
    update, answer = chat.messages()
    assert problem(update) == "the core"
    assert problem(answer) == "the core\n\nthe form"


def test_the_fixed_answer_form_stands_in_where_the_question_has_none():
    config = CONFIG.replace(decomposition="off")
    chat, started = ask(config)
    assert problem(chat.messages()[0]) == QUESTION
    assert ANSWER_FORM in chat.messages()[-1]
    assert started.message == ""
    free = ask(config.replace(answer_form="free"))[0].messages()[-1]
    assert ANSWER_FORM not in free
    assert "\n\n\n" not in free


def test_a_model_is_asked_once_where_rules_do_not_decide(undecided):
    chat, started = ask(CONFIG.replace(decomposition="model"))
    assert chat.purposes() == ["decompose", "update", "answer"]
    assert chat.requests[0].key == "k/decompose"
    _, update, answer = chat.messages()
    assert problem(update) == "Which year was it?"
    assert "Answer as JSON." in answer
    assert "Answer as JSON." in started.message


def test_rules_alone_ask_no_model(undecided):
    chat, _ = ask(CONFIG.replace(decomposition="rules"))
    assert chat.purposes() == ["update", "answer"]
    assert problem(chat.messages()[0]) == QUESTION


def test_a_model_is_not_asked_where_rules_decide():
    chat, _ = ask(CONFIG.replace(decomposition="model"), question="Which year was it?")
    assert chat.purposes() == ["update", "answer"]


@pytest.mark.parametrize(
    "parts",
    [
        "",
        "<core>Which year?</core><form>Answer as JSON.</form>",
        "<core>Which year was it? 1984.</core><form>Answer as JSON.</form>",
        "<core></core><form>Which year was it? Answer as JSON.</form>",
        "<think><core>Which year was it?</core><form>Answer as JSON.</form></think>",
        ContextLengthError("too long"),
    ],
)
def test_what_is_no_copy_of_the_question_is_not_used(undecided, parts):
    chat, _ = ask(CONFIG.replace(decomposition="model"), parts=parts)
    assert problem(chat.messages(Purpose.UPDATE)[0]) == QUESTION
    assert ANSWER_FORM in chat.messages()[-1]


def test_instructions_may_come_first_and_white_space_may_differ(undecided):
    parts = "<form>Answer  as\nJSON.</form> <core>Which year was it?</core>"
    chat, _ = ask(
        CONFIG.replace(decomposition="model"), parts=parts,
        question="Answer as JSON.\n\nWhich year was it?",
    )  # fmt: skip
    assert problem(chat.messages(Purpose.UPDATE)[0]) == "Which year was it?"


def test_the_models_split_is_kept_in_the_journal(undecided):
    class DictJournal(dict):
        put = dict.__setitem__

    journal, config = DictJournal(), CONFIG.replace(decomposition="model")
    ask(config, journal=journal)
    chat, _ = ask(config, journal=journal, parts="another split would be another reading")
    assert chat.purposes() == ["answer"]
    assert problem(chat.messages()[0]) == "Which year was it?"
