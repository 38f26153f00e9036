"""What the tiny base is taught: reasoned answers, guesses, notes."""

import random

import pytest

from longloom.recipes.tiny_base.answers import answered, plausible_answers, reasoning
from longloom.recipes.tiny_base.note_traces import NoteCase, update_trace
from longloom.records import Context, Evidence, TaskType
from questions import make_example

CHAIN = NoteCase(
    question="What is the base of the error of f?",
    answer="Root",
    sentence="Therefore, the answer is",
    lines=("error f E", "base E Root"),
    guesses=("Root", "Other"),
    is_chain=True,
    passages=("module f m\nerror f E", "base E Root", "module g n"),
    passage_tokens=(7, 4, 4),
)


def example_with(text, statements, task_type, *, question="q?", answer="x"):
    context = Context(context_id="c", text=text, parts=())
    evidence = tuple(
        Evidence(
            doc_id="d",
            doc_start=0,
            doc_end=len(statement),
            context_start=text.index(statement),
            context_end=text.index(statement) + len(statement),
        )
        for statement in statements
    )
    made = make_example(task_type=task_type, question=question)
    values = {name: getattr(made, name) for name in made.__dataclass_fields__}
    return type(made)(**{**values, "evidence": evidence, "answer": answer}), context


def test_reasoning_states_the_evidence_in_the_order_of_the_program():
    example, context = example_with(
        "base E Root\n\nerror f E", ("error f E", "base E Root"), TaskType.MULTI_HOP
    )
    assert reasoning(example, context) == "error f E\nbase E Root"


def test_the_letter_of_a_choice_follows_its_value():
    example, context = example_with(
        "base E Root", ("base E Root",), TaskType.MULTIPLE_CHOICE, answer="C"
    )
    assert reasoning(example, context) == "base E Root C"


def test_the_ordinal_of_a_reply_precedes_it():
    text = "user: class\nassistant: base E Root\nuser: class\nassistant: base F Root"
    example, context = example_with(
        text,
        ("base F Root",),
        TaskType.DIALOGUE_MEMORY,
        question="What is the second reply about a class?",
        answer="base F Root",
    )
    assert reasoning(example, context) == "second base F Root"
    assert plausible_answers(example, context) == ["base E Root", "base F Root"]


def test_guesses_are_values_of_the_asked_relation_in_the_context():
    text = "base E Root\nmodule E m\n\nbase F Tip\n\nparameters g 2"
    example, context = example_with(text, ("base E Root",), TaskType.READING_COMPREHENSION)
    assert plausible_answers(example, context) == ["Root", "Tip"]


def test_an_answered_response_ends_its_thinking_before_the_answer():
    assert answered("base E Root", "Root", "Therefore, the answer is") == (
        "base E Root</think>\n\nTherefore, the answer is Root"
    )


@pytest.mark.parametrize("seed", range(40))
def test_notes_hold_what_is_known_and_what_the_section_states_and_nothing_else(seed):
    previous, section, response = update_trace(
        CHAIN, random.Random(seed), max_section_tokens=20, is_habitual=False
    )
    known = [] if previous.memory == "none" else previous.memory.split("\n")
    stated = section.split("\n")
    expected = list(known)
    for line in CHAIN.lines[len(known) :]:  # later evidence is recognised after the earlier
        if line not in stated:
            break
        expected.append(line)
    memory = response.partition("<memory>")[2].partition("</memory>")[0]
    assert memory == ("\n".join(expected) or "none")
    assert not set(known) & set(stated)


@pytest.mark.parametrize("seed", range(40))
def test_the_plan_names_the_next_missing_statement(seed):
    _, _, response = update_trace(
        CHAIN, random.Random(seed), max_section_tokens=20, is_habitual=False
    )
    memory = response.partition("<memory>")[2].partition("</memory>")[0]
    plan = response.partition("<plan>")[2].partition("</plan>")[0]
    plan_by_memory = {
        "none": "error f",
        "error f E": "base E",
        "error f E\nbase E Root": "none",
    }
    assert plan == plan_by_memory[memory]


def test_habitual_notes_sometimes_lose_what_was_known():
    lost = 0
    for seed in range(400):
        previous, _, response = update_trace(
            CHAIN, random.Random(seed), max_section_tokens=20, is_habitual=True
        )
        known = set() if previous.memory == "none" else set(previous.memory.split("\n"))
        memory = response.partition("<memory>")[2].partition("</memory>")[0]
        lost += bool(known - set(memory.split("\n")))
    assert 0.05 < lost / 400 < 0.25
